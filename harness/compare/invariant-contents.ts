/** Invariants of contents, by the meaning of the operations alone: no frames, no devices. */
import type { StepObservation } from '../../model/observation.ts';
import {
  type PageRange,
  type ProcessId,
  type Program,
  pageToken,
  type RegionId,
  type Step,
} from '../../model/program.ts';
import { newWords, setWord, type Words } from '../programs/page-words.ts';
import { placeOf } from './invariant-pages.ts';
import type { InvariantTally } from './invariant-tally.ts';
import { describeWord } from './outcome.ts';
import type { SeenRegion } from './seen-region.ts';

/** Steps after which every page has the content that it had before, wherever it is. */
const KEEPS: ReadonlySet<Step['op']> = new Set([
  'mmap',
  'cpu-read',
  'exit',
  'open',
  'close',
  'read',
  'read-unlocked',
  'migrate-to-dev',
  'migrate-to-sys',
  'snapshot',
  'exclusive',
  'check-exclusive',
  'release',
  'flags',
  'pin',
  'unpin',
  'reload',
  'mlock',
  'munlock',
  'uffd-open',
  'uffd-register',
  'uffd-unregister',
  'uffd-protect',
  'uffd-unprotect',
  'uffd-zeropage',
  'ksmd',
  'swapon',
  'swapoff',
] as Step['op'][]);

/**
 * Each process sees in each page what was last written there, as far as that is known: a write that failed, or an
 * operation that is not known here, makes the process' contents unknown until they are seen again.
 */
export class ContentInvariant {
  readonly #tally: InvariantTally;
  readonly #program: Program;
  /** By process and region; a page without a number is not known. */
  readonly #known: Words[][] = [];

  /** Some regions map files: processes write to each other's pages, and what is zapped comes back. */
  readonly #hasFiles: boolean;
  /** There was a step together. */
  #together = false;

  constructor(tally: InvariantTally, program: Program) {
    this.#tally = tally;
    this.#program = program;
    this.#hasFiles = program.regions.some(({ backing }) => backing !== undefined);
  }

  step(seen: StepObservation, regions: readonly SeenRegion[]): void {
    const step = this.#program.steps[seen.step];
    if (!step) return;
    this.#together ||= step.op === 'together';
    if (this.#hasFiles && !KEEPS.has(step.op)) this.#forget(seen);
    else this.#follow(step, seen);
    for (const region of regions) this.#check(seen.step, region);
  }

  /** What the step makes of contents. */
  #follow(step: Step, seen: StepObservation): void {
    const succeeded = seen.outcome.kind === 'ok';
    if (step.op === 'fork') {
      this.#known[step.child] = this.#of(step.by).map(copyOf);
    } else if ((step.op === 'cpu-write' || step.op === 'uffd-copy') && succeeded) {
      this.#know(step.by, step.at, (page) => pageToken(seen.step, step.at.region, page));
    } else if (step.op === 'munmap' && succeeded) {
      this.#know(step.by, step.at, () => 0n);
    } else if (step.op === 'mremap' && succeeded) {
      this.#move(step);
    } else if (!KEEPS.has(step.op)) {
      // Also a write through a device, which may belong to another process.
      this.#forget(seen);
    }
  }

  #forget({ processes }: StepObservation): void {
    for (const { process } of processes) for (const { present } of this.#of(process)) present.fill(0);
  }

  #of(process: ProcessId): Words[] {
    this.#known[process] ??= this.#program.regions.map(({ pages }) => newWords(pages));
    return this.#known[process];
  }

  #know(process: ProcessId, { region, first, count }: PageRange, word: (page: number) => bigint): void {
    const known = this.#of(process)[region]!;
    for (let page = first; page < first + count; page++) setWord(known, page, word(page));
  }

  /** Pages of zeroes may be holes, which leave what is at the new place. */
  #move({ by, at, to, how }: Extract<Step, { op: 'mremap' }>): void {
    const end = at.first + at.count;
    if (how === 'resize') {
      for (let page = at.first + to.count; page < end; page++) setWord(this.#of(by)[at.region]!, page, 0n);
      return;
    }
    const from = this.#of(by)[at.region]!;
    const into = this.#of(by)[to.region]!;
    for (let i = 0; i < to.count; i++) {
      const page = at.first + i;
      const known =
        i < at.count && from.present[page] === 1 && (from.low[page] !== 0 || from.high[page] !== 0);
      if (known) take(into, from, to.first + i, page);
      else into.present[to.first + i] = 0;
    }
    for (let page = at.first; page < end; page++) setWord(from, page, 0n);
  }

  #check(step: number, region: SeenRegion): void {
    const known = this.#wordsOf(region.process, region.region);
    if (!known) return;
    const { first, last } = region;
    let kept = 0;
    for (let page = 0; page < region.length; page++) {
      if (first.present[page] === 0) continue;
      if (known.present[page] === 0) {
        // Several wrote to it at once, or it was forked in the middle of a write.
        if (this.#together && !sameWord(first, last, page)) continue;
        take(known, first, page);
      }
      if (sameWord(known, first, page) && sameWord(known, last, page)) kept++;
      else {
        this.#tally.broken('content-is-kept', placeOf(step, region, page), describe(region, page, known));
        take(known, first, page);
      }
    }
    this.#tally.held('content-is-kept', kept);
  }

  /** Undefined for a region that the program has not. */
  #wordsOf(process: ProcessId, region: RegionId): Words | undefined {
    return this.#of(process)[region];
  }
}

function copyOf({ low, high, present }: Words): Words {
  return { low: low.slice(), high: high.slice(), present: present.slice() };
}

function take(into: Words, from: Words, page: number, source = page): void {
  into.low[page] = from.low[source]!;
  into.high[page] = from.high[source]!;
  into.present[page] = 1;
}

function sameWord(a: Words, b: Words, page: number): boolean {
  return a.low[page] === b.low[page] && a.high[page] === b.high[page];
}

function describe({ first, last }: SeenRegion, page: number, known: Words): string {
  const word = ({ low, high }: Words) => describeWord((BigInt(high[page]!) << 32n) | BigInt(low[page]!));
  return `${word(first)} … ${word(last)}, and ${word(known)} was written`;
}
