/**
 * Programs from their first `together` step of several rounds on, which the model does not follow: what must hold whatever
 * the actors did, beside the invariants of all steps (invariants.ts).
 */
import type { PageBytes, PartObservation, StepObservation } from '../../model/observation.ts';
import {
  type OrdinaryStep,
  type PageRange,
  type Part,
  type ProcessId,
  type Program,
  pageToken,
  partTokenStep,
  type RegionId,
  type Together,
} from '../../model/program.ts';
import { isAlone } from '../programs/encode.ts';
import { Lives } from '../programs/lives.ts';
import { ROUND_SHIFT } from '../programs/protocol.ts';
import { describeOutcome, describeWord } from './outcome.ts';
import { NOTHING, SeenKind, type SeenRegion } from './seen-region.ts';
import type { Place, Tally } from './tally.ts';

const ROUND_MASK = (1n << ROUND_SHIFT) - 1n;
const MAX_ROUND = 0xffff;

/** How a part may fail, when others move, unmap or protect its pages. */
export const ERRORS: Readonly<Partial<Record<Part['op'], readonly string[]>>> = {
  'migrate-to-dev': ['ENOENT', 'EINVAL'],
  'migrate-to-sys': ['EINVAL'],
  read: ['EFAULT'],
  write: ['EFAULT', 'EPERM'],
  'cpu-read': ['SIGSEGV'],
  'cpu-write': ['SIGSEGV'],
  mmap: ['EEXIST'],
  munmap: [],
  mprotect: ['ENOMEM'],
  madvise: ['ENOMEM'],
  fork: [],
  close: [],
};
/** Errors that need somebody who unmaps or protects pages. */
const NEED_CHANGES: readonly string[] = ['EINVAL', 'EFAULT', 'EPERM', 'SIGSEGV', 'ENOMEM', 'EEXIST'];

/** Checks the steps of one program in their order; until the first of several rounds it takes notes only. */
export class RoundsChecker {
  readonly #lives = new Lives();
  /** Words that were ever written, without their rounds, by region and page. */
  readonly #written = new Map<string, Set<bigint>>();

  /** Pages that several wrote to, or changed, at the same time, and that may have something of each. */
  readonly #mixed = new Set<string>();

  /** Pages of a process, by its number, region and page, that somebody may have been writing to when it was forked. */
  readonly #torn = new Set<string>();

  constructor(
    private readonly tally: Tally,
    private readonly program: Program,
  ) {}

  /** Notes what a step writes, and which devices it closes. To be called for every step. */
  note(index: number): void {
    const step = this.program.steps[index]!;
    this.#lives.takeWhole(step);
    if (step.op !== 'together') {
      this.#noteWrite(step, index);
      return;
    }
    for (const [actor, parts] of step.actors.entries()) {
      for (const [place, part] of parts.entries()) {
        this.#noteWrite(part, partTokenStep(index, actor, place));
        if (part.op !== 'cpu-write') continue;
        if (!isAlone(step, part)) this.#noteMixed(part.at);
        this.#noteTorn(step, part.at);
      }
    }
  }

  /** Checks a step behind the first of several rounds, or that one. */
  check(index: number, seen: StepObservation, regions: readonly SeenRegion[]): void {
    const step = this.program.steps[index]!;
    if (step.op === 'together') this.#checkParts(index, step, seen.parts ?? [], regions);
    else if (step.op === 'cpu-read' && seen.data) this.#checkData(index, step.at, seen.data, step.by);
    for (const region of regions) this.#checkWords(index, region);
    if (!this.#lives.anyOpen()) this.#checkHome(index, regions);
  }

  #noteWrite(step: OrdinaryStep, tokenStep: number): void {
    if (step.op !== 'cpu-write' && step.op !== 'write') return;
    const { region, first, count } = step.at;
    for (let page = first; page < first + count; page++) {
      this.#wordsOf(region, page).add(pageToken(tokenStep, region, page));
    }
  }

  #noteMixed({ region, first, count }: PageRange): void {
    for (let page = first; page < first + count; page++) this.#mixed.add(keyOf(region, page));
  }

  #noteTorn(step: Together, { region, first, count }: PageRange): void {
    for (const part of step.actors.flat()) {
      if (part.op !== 'fork') continue;
      for (let page = first; page < first + count; page++)
        this.#torn.add(`${part.child} ${keyOf(region, page)}`);
    }
  }

  #isMixed(process: ProcessId, region: RegionId, page: number): boolean {
    const key = keyOf(region, page);
    return this.#mixed.has(key) || this.#torn.has(`${process} ${key}`);
  }

  #wordsOf(region: RegionId, page: number): Set<bigint> {
    const key = keyOf(region, page);
    const words = this.#written.get(key) ?? new Set([0n]);
    this.#written.set(key, words);
    return words;
  }

  #isWritten(region: RegionId, page: number, word: bigint): boolean {
    return this.#wordsOf(region, page).has(word & ROUND_MASK);
  }

  #checkParts(
    index: number,
    step: Together,
    seen: readonly PartObservation[],
    regions: readonly SeenRegion[],
  ): void {
    const place = { step: index };
    const whole = this.tally.check(
      seen.length === step.actors.flat().length,
      place,
      'steps',
      'every part is made',
      () => `${step.actors.flat().length} parts`,
      () => `${seen.length} parts`,
    );
    if (!whole) return;
    const changes = step.actors
      .flat()
      .some(({ op }) => op === 'mmap' || op === 'munmap' || op === 'mprotect');
    let number = 0;
    for (const [actor, parts] of step.actors.entries()) {
      for (const [position, part] of parts.entries()) {
        const observed = seen[number++]!;
        this.#checkOutcome(place, part, observed, changes || !this.#isMapped(regions, part));
        if ('at' in part && observed.data) this.#checkData(index, part.at, observed.data);
        if (!isAlone(step, part)) continue;
        this.tally.check(
          observed.lost === 0,
          place,
          'words',
          'a write stays until the next',
          () => 'in each round what the part wrote the round before',
          () => `something else in ${observed.lost} rounds`,
        );
        this.#checkLast(
          index,
          part as Part & { at: PageRange },
          partTokenStep(index, actor, position),
          observed,
          regions,
        );
      }
    }
  }

  #checkOutcome(place: Place, part: Part, { outcome, rounds }: PartObservation, changes: boolean): void {
    const name =
      outcome.kind === 'errno' ? outcome.errno : outcome.kind === 'signal' ? outcome.signal : undefined;
    const allowed = (ERRORS[part.op] ?? []).filter((error) => changes || !NEED_CHANGES.includes(error));
    this.tally.check(
      rounds > 0 && (name === undefined || allowed.includes(name)),
      place,
      'outcome',
      part.op,
      () => ['success', ...allowed].join(' or '),
      () => describeOutcome(outcome),
    );
  }

  /** Whether all pages of a part were mapped at the end, and so are before if nothing unmaps. */
  #isMapped(regions: readonly SeenRegion[], part: Part): boolean {
    if (!('at' in part)) return true;
    const region = regions.find(({ process, region }) => process === part.by && region === part.at.region);
    const { first, count } = part.at;
    return region?.categories.slice(first, first + count).every((value) => value !== NOTHING) ?? false;
  }

  /** A page that one part alone writes to has what it wrote in its last round. */
  #checkLast(
    index: number,
    { by, at }: Part & { at: PageRange },
    tokenStep: number,
    { rounds, outcome }: PartObservation,
    regions: readonly SeenRegion[],
  ): void {
    if (outcome.kind !== 'ok') return;
    const seen = regions.find(({ process, region }) => process === by && region === at.region);
    const round = BigInt((rounds - 1) & MAX_ROUND) << ROUND_SHIFT;
    for (let page = at.first; page < at.first + at.count; page++) {
      const words = seen?.observation.pages.at(page)?.words;
      if (!words) continue;
      const last = pageToken(tokenStep, at.region, page) ^ round;
      this.tally.check(
        words.every((word) => word === last),
        { step: index, process: by, region: at.region, page },
        'words',
        'a write stays',
        () => describeWord(last),
        () => words.map(describeWord).join(' … '),
      );
    }
  }

  /** @param process that nobody else acts beside */
  #checkData(
    index: number,
    { region, first }: PageRange,
    data: readonly PageBytes[],
    process?: ProcessId,
  ): void {
    for (const [offset, { word, uniform }] of data.entries()) {
      const page = first + offset;
      this.tally.check(
        this.#isWritten(region, page, word) &&
          (uniform || process === undefined || this.#isMixed(process, region, page)),
        { step: index, region, page },
        'data',
        'a page has what somebody wrote to it',
        () => 'what was written to the page at some time, or zeroes',
        () => `${describeWord(word)}${uniform ? '' : ' and others'}`,
      );
    }
  }

  #checkWords(index: number, { process, region, length, observation }: SeenRegion): void {
    for (let page = 0; page < length; page++) {
      const words = observation.pages.at(page)?.words;
      if (!words) continue;
      const mixed = this.#isMixed(process, region, page);
      this.tally.check(
        (mixed || words[0] === words[1]) && words.every((word) => this.#isWritten(region, page, word)),
        { step: index, process, region, page },
        'words',
        'a page has what somebody wrote to it',
        () => 'what was written to the page at some time, or zeroes',
        () => words.map(describeWord).join(' … '),
      );
    }
  }

  /** The last close of each device has brought its pages home. */
  #checkHome(index: number, regions: readonly SeenRegion[]): void {
    for (const { process, region, kind } of regions) {
      this.tally.check(
        kind.every((code) => code < SeenKind.deviceRead || code > SeenKind.deviceExclusive),
        { step: index, process, region },
        'pagemap.kind',
        'dmirror_fops_release',
        () => 'no page on a device that nobody has open',
        () => 'pages of a device',
      );
    }
  }
}

function keyOf(region: RegionId, page: number): string {
  return `${region} ${page}`;
}
