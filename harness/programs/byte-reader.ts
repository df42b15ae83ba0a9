import { type HmmdiffError, infrastructureError } from '../errors.ts';

/** What the agent sent is not what qemu/guest/protocol.h says. `offset` counts from the start of the stream. */
export function corrupt(offset: number, message: string): HmmdiffError {
  return infrastructureError('transcript-corrupt', `transcript stream, byte ${offset}: ${message}`, {
    hint: 'The agent and the host must be of one version, and nothing else may write to the channel.',
  });
}

/**
 * Reads little-endian numbers; every read names what it expects, and where if that helps, for the error when it is not
 * there. Names are put together then alone.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #base: number;
  #at = 0;

  /** `base`: offset of the first byte in the stream. */
  constructor(bytes: Buffer, base: number) {
    this.#bytes = bytes;
    this.#base = base;
  }

  /** Offset in the stream of what is read next. */
  get offset(): number {
    return this.#base + this.#at;
  }

  u8(what: string, where?: string): number {
    return this.#bytes.readUInt8(this.#take(1, what, where));
  }

  u16(what: string, where?: string): number {
    return this.#bytes.readUInt16LE(this.#take(2, what, where));
  }

  u32(what: string, where?: string): number {
    return this.#bytes.readUInt32LE(this.#take(4, what, where));
  }

  i32(what: string, where?: string): number {
    return this.#bytes.readInt32LE(this.#take(4, what, where));
  }

  u64(what: string, where?: string): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8, what, where));
  }

  /** A u64 that counts something, so it is small. */
  count(what: string, where?: string): number {
    const at = this.#take(8, what, where);
    const high = this.#bytes.readUInt32LE(at + 4);
    if (high >= 2 ** 21) {
      const value = this.#bytes.readBigUInt64LE(at);
      throw corrupt(this.#base + at, `${name(what, where)} cannot be ${value}`);
    }
    return high * 2 ** 32 + this.#bytes.readUInt32LE(at);
  }

  /** `length` bytes where they are; the padding behind them is read as well. */
  bytes(length: number, what: string, where?: string): Uint8Array {
    const start = this.#take(Math.ceil(length / 8) * 8, what, where);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  /** `length` bytes where they are. */
  view(length: number, what: string, where?: string): Buffer {
    const start = this.#take(length, what, where);
    return this.#bytes.subarray(start, start + length);
  }

  /** @throws HmmdiffError when bytes are left */
  end(what: string): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw corrupt(this.offset, `${left} bytes after the end of ${what}`);
  }

  #take(size: number, what: string, where?: string): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) {
      const left = this.#bytes.length - start;
      throw corrupt(
        this.offset,
        `expected ${name(what, where)} (${size} bytes), but the frame ends after ${left}`,
      );
    }
    this.#at += size;
    return start;
  }
}

function name(what: string, where: string | undefined): string {
  return where === undefined ? what : `${where}: ${what}`;
}

/** As many of `make` as the stream says. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  // Not Array.from({ length: count }): a corrupt count must run into the end of the frame, not out of memory.
  const made: T[] = [];
  for (let index = 0; index < count; index++) made.push(make(index));
  return made;
}
