/**
 * Which page of the machine each frame of the model is: a bijection that is adopted when a frame is first seen and
 * must hold as long as the frame lives.
 */
import { CHUNK_PAGES } from '../../model/device-allocator.ts';
import { isCoherent } from '../../model/program.ts';
import type { Frame } from '../../model/state.ts';
import type { Chunk, Environment } from './environment.ts';

/** Slack: which PFN the page allocator gave. */
export const PFN_SLACK = 'pfn';
/** Slack: which page the device's allocator gave, where its stack of free pages is not known. */
export const DEVICE_PAGE_SLACK = 'device-page';

/** Slack: which slot of the swap device a page was written to. */
export const SWAP_SLOT_SLACK = 'swap-slot';

/** Slack: where a chunk lies that a device makes after RELEASE, or for its first folio of order 9. */
export const NEW_CHUNK_SLACK = 'device-chunk';

/** 128 MiB, in pages: request_free_mem_region() aligns to sections. */
const CHUNK_ALIGNMENT = 0x8000n;

/** Null: as it must be. A string: slack that was used. An object: what it should have been. */
export type Binding = null | string | { expected: string; rule: string };

interface NewChunk {
  minor: number;
  generation: number;
  /** Its place among the chunks of the device. */
  chunk: number;
  first: bigint;
}

export class Bindings {
  readonly #environment: Environment;
  /** RAM, device pages and swap slots have numbers of their own, in ranges that overlap. All are below 2^53. */
  readonly #numbers = new Map<Frame, number>();
  readonly #owners = {
    ram: new Map<number, Frame>(),
    device: new Map<number, Frame>(),
    swap: new Map<number, Frame>(),
  };
  /** Chunks that came up in the program: by minor, by its RELEASEs so far, and in their order. */
  readonly #newChunks: NewChunk[] = [];
  /** Of frames that are gone since the step before: its trace events may speak of them. */
  readonly #departed = new Map<Frame, number>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The same of a copy of the frames. @param frames which frame of the copy stands for which */
  copyFor(frames: ReadonlyMap<Frame, Frame>): Bindings {
    const copy = new Bindings(this.#environment);
    for (const [old, number] of this.#numbers) {
      const frame = frames.get(old);
      if (!frame) continue;
      copy.#numbers.set(frame, number);
      copy.#ownersOf(frame).set(number, frame);
    }
    copy.#newChunks.push(...this.#newChunks);
    return copy;
  }

  /** Begins a step: `live` are the folios, by their heads, that exist after it. What others had is free again. */
  begin(live: ReadonlySet<Frame>): void {
    if (this.#departed.size > 0) this.#departed.clear();
    for (const [frame, number] of this.#numbers) {
      if (live.has(frame.head)) continue;
      this.#numbers.delete(frame);
      this.#departed.set(frame, number);
      const owners = this.#ownersOf(frame);
      if (owners.get(number) === frame) owners.delete(number);
    }
  }

  numberOf(frame: Frame): bigint | undefined {
    const number = this.#numbers.get(frame) ?? this.#departed.get(frame);
    return number === undefined ? undefined : BigInt(number);
  }

  /** What {@link bind} took for a live frame. */
  boundNumber(frame: Frame): number | undefined {
    return this.#numbers.get(frame);
  }

  /**
   * Compares the number of a live frame, or takes it when the frame is seen for the first time; those of all pages of a
   * folio follow from one.
   */
  bind(frame: Frame, number: bigint): Binding {
    const known = this.#numbers.get(frame);
    if (known !== undefined) {
      return known === Number(number)
        ? null
        : { expected: `${describeNumber(BigInt(known))}, as before`, rule: 'the page stays where it is' };
    }
    const { head } = frame;
    const pages = head.pages ?? [head];
    const first = number - BigInt(frame.offset);
    if (first % BigInt(pages.length) !== 0n) {
      return { expected: `a folio of ${pages.length} pages at a multiple of its size`, rule: 'folio_alloc' };
    }
    const owners = this.#ownersOf(frame);
    const start = Number(first);
    if (pages.some((_, index) => owners.has(start + index))) {
      return { expected: 'a page that nothing else has', rule: 'the page is not shared with that one' };
    }
    const verdict = this.#placeOf(head, first);
    if (verdict !== null && typeof verdict === 'object') return verdict;
    for (const [index, page] of pages.entries()) {
      this.#numbers.set(page, start + index);
      owners.set(start + index, page);
    }
    return verdict;
  }

  #ownersOf(frame: Frame): Map<number, Frame> {
    return this.#owners[frame.kind === 'device' || frame.kind === 'swap' ? frame.kind : 'ram'];
  }

  #placeOf(head: Frame, number: bigint): Binding {
    if (head.kind === 'device') return this.#place(head, number);
    if (head.kind === 'coherent') return this.#placeInChunk(head, number);
    return head.kind === 'swap' ? SWAP_SLOT_SLACK : PFN_SLACK;
  }

  /** A device page must be in a chunk of its minor; the last page that was freed must be handed out first. */
  #place(frame: Frame, number: bigint): Binding {
    const chunk = Math.trunc(frame.position / CHUNK_PAGES);
    return frame.isOfLoad ? this.#placeInChunk(frame, number) : this.#placeInNewChunk(frame, number, chunk);
  }

  /** In a chunk that was there before; that of a coherent device lies where it always does. */
  #placeInChunk(frame: Frame, number: bigint): Binding {
    const position = this.#positionOf(frame.minor, number);
    if (position === undefined) {
      return {
        expected: `a page of device ${frame.minor} (${this.#describeChunks(frame.minor)})`,
        rule: 'dmirror_devmem_alloc_page',
      };
    }
    if (frame.positionKnown) {
      return frame.position === position
        ? null
        : {
            expected: `page ${frame.position} of device ${frame.minor}, which was freed last`,
            rule: 'dmirror_devmem_alloc_page',
          };
    }
    frame.position = position;
    frame.positionKnown = true;
    return DEVICE_PAGE_SLACK;
  }

  /** Where a new chunk of the device is follows from the first page that is seen of it. */
  #placeInNewChunk(frame: Frame, number: bigint, chunk: number): Binding {
    const { minor, generation } = frame;
    const first = number - BigInt(frame.position % CHUNK_PAGES);
    const known = this.#newChunks.find(
      (other) => other.minor === minor && other.generation === generation && other.chunk === chunk,
    );
    if (known) {
      return known.first === first
        ? null
        : {
            expected: `page ${frame.position} of device ${minor}, whose chunk ${chunk} starts at ${describeNumber(known.first)}`,
            rule: 'dmirror_devmem_alloc_page',
          };
    }
    if (first % CHUNK_ALIGNMENT !== 0n || this.#isTaken(first, frame)) {
      return {
        expected: `page ${frame.position} of device ${minor}, in a new chunk`,
        rule: 'dmirror_allocate_chunk',
      };
    }
    this.#newChunks.push({ minor, generation, chunk, first });
    return NEW_CHUNK_SLACK;
  }

  /** Whether a chunk at `first` would overlap with another that is in use. */
  #isTaken(first: bigint, { minor, generation }: Frame): boolean {
    const end = first + BigInt(CHUNK_PAGES);
    const overlaps = (start: bigint) => first < start + BigInt(CHUNK_PAGES) && start < end;
    // RELEASE gives back what the device had; whether another has done so is not known here.
    const kept = this.#environment.chunks.filter((chunk) => generation === 0 && chunk.minor === minor);
    const made = this.#newChunks.filter((chunk) => chunk.minor !== minor || chunk.generation === generation);
    return [...kept, ...made].some((chunk) => overlaps(chunk.first));
  }

  #positionOf(minor: number, number: bigint): number | undefined {
    const chunks = this.#chunksOf(minor);
    const index = chunks.findIndex(({ first, end }) => first <= number && number < end);
    return index < 0 ? undefined : index * CHUNK_PAGES + Number(number - chunks[index]!.first);
  }

  #chunksOf(minor: number): Chunk[] {
    const { chunks, coherentChunks } = this.#environment;
    return (isCoherent(minor) ? coherentChunks : chunks).filter((chunk) => chunk.minor === minor);
  }

  #describeChunks(minor: number): string {
    const chunks = this.#chunksOf(minor);
    return chunks.map(({ first, end }) => `[${describeNumber(first)} ${describeNumber(end)})`).join(' ');
  }

  /** The number of a page of a private device, for people. */
  describe(number: bigint): string {
    const chunk = this.#environment.chunks.find(({ first, end }) => first <= number && number < end);
    return chunk
      ? `${describeNumber(number)} (device ${chunk.minor}, page ${number - chunk.first})`
      : describeNumber(number);
  }
}

export function describeNumber(number: bigint): string {
  return `0x${number.toString(16)}`;
}
