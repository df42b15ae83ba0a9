import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { programArbitrary } from '../../harness/programs/generate.ts';
import { apply, applyEnd } from '../../model/apply.ts';
import { cloneState } from '../../model/clone.ts';
import { initialState } from '../../model/initial-state.ts';
import { violations } from '../../model/invariants.ts';
import { drainLru } from '../../model/lru.ts';
import { markObserved, observe } from '../../model/observe.ts';
import { entryAt, frameAt } from '../../model/page-table.ts';
import { makeProfile } from '../../model/profile.ts';
import { MINORS, type Program, type Step } from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import { tokenNumber } from '../../model/token.ts';
import { findVma } from '../../model/vma.ts';

const profiles = [
  makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' }),
  makeProfile({ kernel: '7.3', design: 'offset', arch: 'aarch64' }),
  makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' }),
];

/** What each process must read at each page, by the meaning of the operations alone: no frames, no devices. */
class Contents {
  readonly #words = new Map<string, number>();

  read(process: number, region: number, page: number): number {
    return this.#words.get(`${process} ${region} ${page}`) ?? 0;
  }

  write(process: number, region: number, page: number, word: number): void {
    this.#words.set(`${process} ${region} ${page}`, word);
  }

  copy(from: number, to: number): void {
    for (const [key, word] of [...this.#words]) {
      const [process, region, page] = key.split(' ').map(Number);
      if (process === from) this.write(to, region!, page!, word);
    }
  }
}

/** Plays the program; `check` runs after each step. */
function playProgram(program: Program, state: State, check: (index: number) => void): void {
  program.steps.forEach((step, index) => {
    apply(state, step, index);
    markObserved(state);
    check(index);
  });
}

describe.each(profiles)('generated programs on kernel $kernel, design $design', (profile) => {
  // What files have is for file-contents.test.ts.
  const programs = programArbitrary({ profile, files: 0 });

  it('keep all invariants, and leave nothing behind', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const state = initialState(profile, program.regions);
        const found: string[] = [];
        playProgram(program, state, () => found.push(...violations(state)));
        expect(found).toEqual([]);
        applyEnd(state);
        expect(state.devices.map(({ live }) => live.size)).toEqual([0, 0, 0, 0]);
        // The batch of mlock holds pages until it is drained (mlock_folio_batch).
        expect([...state.batched].filter((frame) => !state.freeing.has(frame))).toEqual([]);
        drainLru(state);
        expect(state.freeing.size).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('have contents that do not depend on where a page is', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const state = initialState(profile, program.regions);
        const contents = new Contents();
        const openers = new Map<string, number>();
        const wrong: string[] = [];
        program.steps.forEach((step, index) => {
          if (step.op === 'open') openers.set(`${step.by} ${step.device}`, step.by);
          if (step.op === 'fork') {
            contents.copy(step.by, step.child);
            for (const device of MINORS) {
              const opener = openers.get(`${step.by} ${device}`);
              if (opener !== undefined) openers.set(`${step.child} ${device}`, opener);
            }
          }
          const mapped = step.op === 'mremap' ? mappedPages(state, step) : [];
          const { outcome } = apply(state, step, index);
          markObserved(state);
          if (step.op === 'mremap') {
            if (outcome.kind === 'ok') moveContents(contents, step, mapped);
            // 6.12 unmaps the target before it finds that it cannot move; 7.3 has moved what comes before a mapping that is
            // registered with userfaultfd.
            else adopt(state, contents, step.by);
          }
          if (step.op === 'uffd-move') {
            if (outcome.kind === 'ok') moveWords(contents, step);
            // What comes before the page that it failed at has moved.
            else adopt(state, contents, step.by);
          }
          if (step.op === 'uffd-copy') adoptWritten(state, contents, step.by, step.at.region, index);
          // Of mlocked memory, nothing is given up, and of what comes before it, everything.
          const refused = outcome.kind === 'errno' && outcome.errno === 'EINVAL';
          if (step.op === 'madvise' && refused) forgetHoles(state, contents, step.by);
          else if (step.op === 'munmap' || (step.op === 'madvise' && step.advice === 'dontneed')) {
            for (let page = step.at.first; page < step.at.first + step.at.count; page++) {
              contents.write(step.by, step.at.region, page, 0);
            }
          }
          // Of what is swapped out, MADV_FREE leaves nothing.
          if (step.op === 'madvise' && (step.advice === 'pageout' || step.advice === 'free')) {
            forgetHoles(state, contents, step.by);
          }
          if (step.op === 'cpu-write' || step.op === 'write') {
            const { region, first, count } = step.at;
            const process = step.op === 'write' ? openers.get(`${step.by} ${step.device}`)! : step.by;
            let written = outcome.kind === 'ok' ? count : 0;
            if (outcome.kind === 'signal') written = outcome.page - first;
            for (let page = first; page < first + written; page++) {
              contents.write(process, region, page, tokenNumber(index, region, page));
            }
            // How far a device's write came before it failed only the model knows.
            if (outcome.kind === 'errno') adoptWritten(state, contents, process, region, index);
          }
          wrong.push(...wrongContents(state, contents));
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['small', 0, 60],
    ['huge', 1, 3],
  ])('go on alike from a copy of the state: %s regions', (_, huge, numRuns) => {
    fc.assert(
      fc.property(programArbitrary({ profile, huge }), fc.nat(), (program, cut) => {
        const whole = initialState(profile, program.regions);
        const at = cut % (program.steps.length + 1);
        const head = { ...program, steps: program.steps.slice(0, at) };
        playProgram(head, whole, () => {});
        const before = summary(whole);
        const copy = cloneState(whole);
        const rest = program.steps.slice(at);
        const play = (state: State) =>
          rest.map((step, index) => {
            const { events, ...expected } = apply(state, step, at + index);
            markObserved(state);
            return { ...expected, events: events.length, after: summary(state) };
          });
        const first = play(whole);
        expect(summary(copy)).toBe(before);
        expect(play(copy)).toEqual(first);
      }),
      { numRuns },
    );
  });
});

/** Reclaim takes pages that MADV_FREE gave up. */
function forgetHoles(state: State, contents: Contents, process: number): void {
  const { mm } = state.processes[process]!;
  for (const [region, length] of state.regions.entries()) {
    for (let page = 0; page < length; page++) {
      if (!entryAt(mm, region, page)) contents.write(process, region, page, 0);
    }
  }
}

function adopt(state: State, contents: Contents, process: number): void {
  const { mm } = state.processes[process]!;
  for (const [region, length] of state.regions.entries()) {
    for (let page = 0; page < length; page++) {
      const entry = entryAt(mm, region, page);
      contents.write(process, region, page, entry ? frameAt(entry, page).word : 0);
    }
  }
}

type Remap = Extract<Step, { op: 'mremap' }>;

/** Pages of the source, counted from its first, that are in some mapping. */
function mappedPages(state: State, { by, at }: Remap): number[] {
  const { mm } = state.processes[by]!;
  return Array.from({ length: at.count }, (_, i) => i).filter((i) => findVma(mm, at.region, at.first + i));
}

function moveContents(contents: Contents, { by, at, to, how }: Remap, mapped: readonly number[]): void {
  if (how === 'resize') {
    for (let i = to.count; i < at.count; i++) contents.write(by, at.region, at.first + i, 0);
    return;
  }
  const words = mapped.map((i) => contents.read(by, at.region, at.first + i));
  for (const i of mapped) contents.write(by, at.region, at.first + i, 0);
  if (at.count !== to.count)
    for (let i = 0; i < to.count; i++) contents.write(by, to.region, to.first + i, 0);
  for (const [n, i] of mapped.entries()) {
    if (i < to.count) contents.write(by, to.region, to.first + i, words[n]!);
  }
}

function moveWords(contents: Contents, { by, at, to }: Extract<Step, { op: 'uffd-move' }>): void {
  for (let i = 0; i < at.count; i++) {
    contents.write(by, to.region, to.first + i, contents.read(by, at.region, at.first + i));
    contents.write(by, at.region, at.first + i, 0);
  }
}

function adoptWritten(state: State, contents: Contents, process: number, region: number, step: number): void {
  const mm = state.processes[process]?.mm;
  for (let page = 0; mm && page < state.regions[region]!; page++) {
    const entry = entryAt(mm, region, page);
    const word = entry && frameAt(entry, page).word;
    if (word === tokenNumber(step, region, page)) contents.write(process, region, page, word);
  }
}

/** Pages whose content is not what it must be. */
function wrongContents(state: State, contents: Contents): string[] {
  const wrong: string[] = [];
  for (const process of state.processes) {
    if (!process) continue;
    for (const [region, length] of state.regions.entries()) {
      for (let page = 0; page < length; page++) {
        const entry = entryAt(process.mm, region, page);
        const word = entry && frameAt(entry, page).word;
        const expected = contents.read(process.id, region, page);
        if (word !== null && word !== expected) {
          wrong.push(`p${process.id} region ${region} page ${page}: ${word}, not ${expected}`);
        }
      }
    }
  }
  return wrong;
}

/** All that can be observed of a state, as text: a failing comparison of the states themselves is unreadable. */
function summary(state: State): string {
  const regions = observe(state).map(({ process, region, pages, snapshots }) => ({
    process,
    region,
    snapshots,
    pages: pages.map(({ frame, pte, ...rest }) => ({
      ...rest,
      frame: frame?.id,
      place: frame?.position,
      write: pte?.write,
    })),
  }));
  return JSON.stringify(regions);
}
