import { type HmmdiffError, infrastructureError } from '../errors.ts';

/** What the agent sent is not what qemu/guest/protocol.h says. `offset` counts from the start of the stream. */
export function corrupt(offset: number, message: string): HmmdiffError {
  return infrastructureError('transcript-corrupt', `transcript stream, byte ${offset}: ${message}`, {
    hint: 'The agent and the host must be of one version, and nothing else may write to the channel.',
  });
}

/** Reads little-endian numbers; every read names what it expects, for the error when it is not there. */
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

  u8(what: string): number {
    return this.#bytes.readUInt8(this.#take(1, what));
  }

  u16(what: string): number {
    return this.#bytes.readUInt16LE(this.#take(2, what));
  }

  u32(what: string): number {
    return this.#bytes.readUInt32LE(this.#take(4, what));
  }

  i32(what: string): number {
    return this.#bytes.readInt32LE(this.#take(4, what));
  }

  u64(what: string): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8, what));
  }

  /** A u64 that counts something, so it is small. */
  count(what: string): number {
    const at = this.offset;
    const value = this.u64(what);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(at, `${what} cannot be ${value}`);
    return Number(value);
  }

  /** A copy of `length` bytes and the padding behind them. */
  bytes(length: number, what: string): Uint8Array {
    const start = this.#take(Math.ceil(length / 8) * 8, what);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  /** @throws HmmdiffError when bytes are left */
  end(what: string): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw corrupt(this.offset, `${left} bytes after the end of ${what}`);
  }

  #take(size: number, what: string): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) {
      const left = this.#bytes.length - start;
      throw corrupt(this.offset, `expected ${what} (${size} bytes), but the frame ends after ${left}`);
    }
    this.#at += size;
    return start;
  }
}
