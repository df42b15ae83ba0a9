/**
 * What was seen of the pages of a region, decoded once for comparison and invariants: numbers in columns, since every
 * page is looked at after every step.
 */
import type { RegionObservation, StepObservation } from '../../model/observation.ts';
import type { PagemapEntry } from '../../model/pagemap.ts';
import type { Profile } from '../../model/profile.ts';
import { SWAP_TYPE_BITS } from '../../model/swap-types.ts';
import { newWords, readColumn, type Words } from '../programs/page-words.ts';

/** Kinds of pagemap entries by their code in {@link SeenRegion.kind}. */
export const SEEN_KINDS = [
  'none',
  'present',
  'device-read',
  'device-write',
  'device-exclusive',
  'swap',
  'hwpoison',
  'marker',
  'migration-read',
  'migration-read-exclusive',
  'migration-write',
  'device-migration-read',
  'device-migration-read-exclusive',
  'device-migration-write',
] as const satisfies readonly PagemapEntry['kind'][];

const codeOf = (kind: (typeof SEEN_KINDS)[number]) => SEEN_KINDS.indexOf(kind);

/** Codes of {@link SeenRegion.kind}. */
export const SeenKind = {
  none: codeOf('none'),
  present: codeOf('present'),
  deviceRead: codeOf('device-read'),
  deviceWrite: codeOf('device-write'),
  deviceExclusive: codeOf('device-exclusive'),
  swap: codeOf('swap'),
  marker: codeOf('marker'),
  /** This and all behind it. */
  firstMigration: codeOf('migration-read'),
} as const;

/** Bits of {@link SeenRegion.bits}: bits 55 to 63 of an entry (model/pagemap.ts). */
export const SeenBits = {
  softDirty: 1 << 0,
  exclusive: 1 << 1,
  uffd: 1 << 2,
  guard: 1 << 3,
  /** Bits 59 and 60. */
  unused: 3 << 4,
  file: 1 << 6,
  swap: 1 << 7,
  present: 1 << 8,
} as const;

/** Of the upper half of an entry: what is of the frame, and how far up the bits are. */
const FRAME_HIGH = (1 << 23) - 1;
const BITS_SHIFT = 23;
const HALF = 2 ** 32;
const TYPES = 1 << SWAP_TYPE_BITS;
/** {@link SeenRegion.categories} and {@link SeenRegion.mincore} where there is nothing. */
export const NOTHING = -1;

/** What invariants have found out of a region: holds as long as it is as before. */
export interface FoundOut {
  /** How often each invariant of single pages (invariant-pages.ts) and of snapshots held, where none was broken. */
  pages?: { settled: number; clean: number; resident: number; scanned: number };
  snapshots?: number;
  /** Pages that count as anonymous and resident, and as swapped (invariant-counts.ts). */
  counted?: { anon: number; swap: number };
}

export class SeenRegion {
  observation: RegionObservation;
  foundOut: FoundOut = {};
  readonly process: number;
  readonly region: number;
  readonly length: number;
  /** A code of {@link SEEN_KINDS}. */
  readonly kind: Uint8Array;
  /** {@link SeenBits} */
  readonly bits: Uint16Array;
  /** The PFN, or the offset without the type of the entry. Exact below 2^53, which no kernel comes near. */
  readonly frame: Float64Array;
  readonly flags: Words;
  readonly count: Words;
  readonly first: Words;
  readonly last: Words;
  readonly mincore: Int16Array;
  /** PAGE_IS_*; {@link NOTHING} where nothing is mapped. */
  readonly categories: Int32Array;

  constructor(observation: RegionObservation) {
    this.observation = observation;
    this.process = observation.process;
    this.region = observation.region;
    const { length } = observation.pages;
    this.length = length;
    this.kind = new Uint8Array(length);
    this.bits = new Uint16Array(length);
    this.frame = new Float64Array(length);
    this.flags = newWords(length);
    this.count = newWords(length);
    this.first = newWords(length);
    this.last = newWords(length);
    this.mincore = new Int16Array(length);
    this.categories = new Int32Array(length);
  }

  /** @param kinds the code of each swap type */
  take(observation: RegionObservation, kinds: Uint8Array, scratch: Words): void {
    const { pages, mincore, scan = [] } = observation;
    this.observation = observation;
    this.foundOut = {};
    readColumn(pages, 'pagemap', scratch);
    this.#decode(scratch, kinds);
    readColumn(pages, 'kpageflags', this.flags);
    readColumn(pages, 'kpagecount', this.count);
    readColumn(pages, 'firstWord', this.first);
    readColumn(pages, 'lastWord', this.last);
    for (let page = 0; page < this.length; page++) this.mincore[page] = mincore?.[page] ?? NOTHING;
    this.categories.fill(NOTHING);
    for (const { first, end, categories } of scan) this.categories.fill(categories, first, end);
  }

  /** As decodePagemap() does. */
  #decode({ low, high }: Words, kinds: Uint8Array): void {
    const { kind, bits, frame } = this;
    for (let page = 0; page < this.length; page++) {
      const lower = low[page]!;
      const upper = high[page]!;
      const set = upper >>> BITS_SHIFT;
      const above = upper & FRAME_HIGH;
      bits[page] = set;
      if ((set & (SeenBits.present | SeenBits.swap)) === SeenBits.swap) {
        kind[page] = kinds[lower & (TYPES - 1)]!;
        frame[page] = above * (HALF / TYPES) + (lower >>> SWAP_TYPE_BITS);
      } else {
        kind[page] = set & SeenBits.present ? SeenKind.present : SeenKind.none;
        frame[page] = above * HALF + lower;
      }
    }
  }

  /** Whether a kpageflags bit is set. @param bit 0..31 */
  hasFlag(page: number, bit: number): boolean {
    return ((this.flags.low[page]! >>> bit) & 1) === 1;
  }

  isDevice(page: number): boolean {
    const kind = this.kind[page]!;
    return kind === SeenKind.deviceRead || kind === SeenKind.deviceWrite;
  }
}

/** The regions of a step, and of the one before; their columns are used again. */
export class SeenSteps {
  /** In the order of the step's regions. */
  regions: SeenRegion[] = [];
  before: SeenRegion[] = [];
  readonly #kinds: Uint8Array;
  /** What is not in use, by process and region. */
  readonly #pool = new Map<number, SeenRegion[]>();
  #scratch = newWords(0);

  constructor(profile: Profile) {
    const codes: readonly string[] = SEEN_KINDS;
    this.#kinds = Uint8Array.from(profile.leafKinds, (kind) => codes.indexOf(kind));
  }

  /** Goes on to the next step. */
  take({ regions }: StepObservation): readonly SeenRegion[] {
    for (const old of this.before) if (!this.regions.includes(old)) this.#spare(keyOf(old)).push(old);
    this.before = this.regions;
    this.regions = regions.map((region) => this.#asBefore(region) ?? this.#region(region));
    return this.regions;
  }

  /** The columns of an observation that is the same object as the step before, and so has the same content. */
  #asBefore(observation: RegionObservation): SeenRegion | undefined {
    return this.before.find((old) => old.observation === observation);
  }

  #region(observation: RegionObservation): SeenRegion {
    const { length } = observation.pages;
    const spare = this.#spare(keyOf(observation)).pop();
    const region = spare?.length === length ? spare : new SeenRegion(observation);
    if (this.#scratch.low.length !== length) this.#scratch = newWords(length);
    region.take(observation, this.#kinds, this.#scratch);
    return region;
  }

  #spare(key: number): SeenRegion[] {
    const known = this.#pool.get(key);
    if (known) return known;
    const made: SeenRegion[] = [];
    this.#pool.set(key, made);
    return made;
  }
}

function keyOf({ process, region }: { process: number; region: number }): number {
  return process * 256 + region;
}
