import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { programArbitrary } from '../../harness/programs/generate.ts';
import { WEIGHTS } from '../../harness/programs/weights.ts';
import { apply } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { violations } from '../../model/invariants.ts';
import { markObserved } from '../../model/observe.ts';
import { makeProfile } from '../../model/profile.ts';
import {
  fileWord,
  MINORS,
  type PageRange,
  type Program,
  type Region,
  type Step,
} from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import { tokenNumber } from '../../model/token.ts';

const profiles = [
  makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' }),
  makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' }),
];

/** What each page must hold by the meaning of the operations alone: what files have, and what processes have of their own. */
class Contents {
  readonly #files: Map<number, number>[];
  /** By process, region and page. */
  readonly #own = new Map<string, number>();
  /** Pages of files that the kernel knows to be written to, by region and page: they stay, or go to swap. */
  readonly #saved = new Set<string>();

  constructor(readonly regions: readonly Region[]) {
    this.#files = regions.map(({ pages, backing = 'anonymous' }, region) => {
      const isFilled = backing.endsWith('file') || backing === 'private-filled-shmem';
      const all = Array.from({ length: pages }, (_, page) => page);
      if (isFilled) for (const page of all) this.save(region, page);
      return new Map(all.map((page) => [page, isFilled ? Number(fileWord(region, page)) : 0]));
    });
  }

  at(process: number, region: number, page: number): number {
    return this.#own.get(`${process} ${region} ${page}`) ?? this.#files[region]!.get(page)!;
  }

  write(process: number, region: number, page: number, word: number): void {
    if (this.regions[region]!.backing?.startsWith('shared')) this.#files[region]!.set(page, word);
    else this.#own.set(`${process} ${region} ${page}`, word);
  }

  save(region: number, page: number): void {
    this.#saved.add(`${region} ${page}`);
  }

  /** Reclaim took a page of the page cache; none that is saved may be lost. */
  reclaim(region: number, page: number): void {
    if (!this.#saved.has(`${region} ${page}`)) this.#files[region]!.set(page, 0);
  }

  fork(from: number, to: number): void {
    for (const [key, word] of [...this.#own]) {
      const [process, ...place] = key.split(' ').map(Number);
      if (process === from) this.#own.set([to, ...place].join(' '), word);
    }
  }

  drop(process: number, region: number, page: number): void {
    this.#own.delete(`${process} ${region} ${page}`);
  }
}

/** Pages of the step's range that its process can write to without a fault; `opener` says whose memory a device acts on. */
function writablePages(state: State, step: Step, opener: number): Set<number> {
  if (step.op !== 'write') return new Set();
  const { region, first, count } = step.at;
  const ptes = state.processes[opener]?.mm.ptes[region]?.slice(first, first + count) ?? [];
  return new Set(ptes.flatMap((entry, i) => (entry?.write ? [first + i] : [])));
}

/** What the program writes, without mremap; `unfaulted` are the pages that a device wrote to without a fault. */
function follow(
  contents: Contents,
  state: State,
  step: Step,
  index: number,
  opener: number,
  unfaulted: Set<number>,
): void {
  if (step.op === 'fork') contents.fork(step.by, step.child);
  if (step.op === 'madvise' && step.advice === 'pageout') followReclaim(contents, state, step.at);
  if (step.op !== 'cpu-write' && step.op !== 'write') return;
  const { region, first, count } = step.at;
  const process = step.op === 'write' ? opener : step.by;
  const ptes = state.processes[process]?.mm.ptes[region] ?? [];
  for (let page = first; page < first + count; page++) {
    // How far a write came that failed, only the model knows.
    const word = tokenNumber(index, region, page);
    if (ptes[page]?.frame.word !== word) continue;
    contents.write(process, region, page, word);
    // dmirror_do_write() makes no page dirty: only a fault does.
    if (!unfaulted.has(page)) contents.save(region, page);
  }
}

/** shrink_folio_list(): which pages of shmem go, only the model knows. */
function followReclaim(contents: Contents, state: State, { region, first, count }: PageRange): void {
  const file = state.files[region];
  if (file?.kind !== 'shmem') return;
  for (let page = first; page < first + count; page++) {
    if (!file.pages[page]) contents.reclaim(region, page);
  }
}

function wrongPages(contents: Contents, state: State, index: number): string[] {
  return state.processes.flatMap((process) =>
    (process?.mm.ptes ?? []).flatMap((ptes, region) =>
      ptes.flatMap((entry, page) => {
        // What nothing maps any more, nothing has.
        if (!entry) contents.drop(process!.id, region, page);
        const expected = contents.at(process!.id, region, page);
        if (!entry || entry.frame.word === expected) return [];
        return [
          `step ${index}: p${process!.id} region ${region} page ${page}: ${entry.frame.word}, not ${expected}`,
        ];
      }),
    ),
  );
}

function play(profile: (typeof profiles)[number], program: Program): string[] {
  const state = initialState(profile, program.regions);
  const contents = new Contents(program.regions);
  const openers = new Map<string, number>();
  return program.steps.flatMap((step, index) => {
    const opener = 'device' in step ? (openers.get(`${step.by} ${step.device}`) ?? -1) : -1;
    const unfaulted = writablePages(state, step, opener);
    const { outcome } = apply(state, step, index);
    markObserved(state);
    if (step.op === 'open') openers.set(`${step.by} ${step.device}`, step.by);
    if (step.op === 'fork') {
      for (const device of MINORS) {
        const opener = openers.get(`${step.by} ${device}`);
        if (opener !== undefined) openers.set(`${step.child} ${device}`, opener);
      }
    }
    follow(contents, state, step, index, opener, unfaulted);
    // A write that succeeded is everywhere in its range.
    const missing =
      step.op === 'cpu-write' && outcome.kind === 'ok'
        ? state.processes[step.by]!.mm.ptes[step.at.region]!.slice(
            step.at.first,
            step.at.first + step.at.count,
          )
        : [];
    return [
      ...missing.flatMap((entry, i) =>
        entry?.frame.word ===
        tokenNumber(index, step.op === 'cpu-write' ? step.at.region : 0, i + firstOf(step))
          ? []
          : [`step ${index}: a write is lost`],
      ),
      ...wrongPages(contents, state, index),
      ...violations(state),
    ];
  });
}

function firstOf(step: Step): number {
  return 'at' in step ? step.at.first : 0;
}

describe.each(profiles)('generated programs that map files, kernel $kernel', (profile) => {
  it('see what files have and what was written, wherever pages are', () => {
    const programs = programArbitrary({
      profile,
      files: 1,
      huge: 0,
      steps: 25,
      weights: { ...WEIGHTS, mremap: 0, madvise: 16, swapon: 2, swapoff: 1 },
    });
    fc.assert(
      fc.property(programs, (program) => {
        expect(play(profile, program)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});
