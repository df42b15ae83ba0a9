/** Shrinking: the smallest program that still shows the same, found by running smaller ones. */
import type { Program } from '../../model/program.ts';
import { reductions } from './reductions.ts';

/** How often a program showed what it should in so many runs. */
export interface Rate {
  shown: number;
  runs: number;
}

/**
 * Runs each candidate `runs` times, in order, and may stop behind the first that is accepted.
 *
 * @returns for each candidate that was run, how often it showed the finding
 */
export type Attempt = (candidates: readonly Program[], runs: number) => Promise<Rate[]>;

export interface ShrinkOptions {
  attempt: Attempt;
  /** How often the program that is to be shrunk shows it. */
  rate: Rate;
  /** Runs at most of a candidate that shows it, but too rarely. @default MOST_RUNS */
  mostRuns?: number;
  /** Candidates at a time: running them together is cheaper, those behind a success are in vain. @default 8 */
  batch?: number;
  /** Whether a candidate may be run at all: one that is not safe would make test_hmm itself oops. */
  runnable: (program: Program) => boolean;
  /** Asked after each batch: whether what there is must do. */
  stop?: () => boolean;
  /** Called after each batch. */
  progress?: (state: { steps: number; tried: number }) => void;
}

export interface Shrunk {
  program: Program;
  /** Candidates that were run. */
  tried: number;
  /** No reduction of `program` shows it any more. False when it was stopped before. */
  minimal: boolean;
}

export function addRates(a: Rate, b: Rate): Rate {
  return { shown: a.shown + b.shown, runs: a.runs + b.runs };
}

/** Whether it is shown at times. */
export function isFlaky({ shown, runs }: Rate): boolean {
  return shown > 0 && shown < runs;
}

/** More runs than this of one program take too long. */
export const MOST_RUNS = 40;

/**
 * So many runs of a candidate find a flaky failure of this rate with a probability of 99.9 %, if the candidate shows it
 * as often as the original.
 */
export function runsFor({ shown, runs }: Rate): number {
  if (shown === 0) throw new RangeError('a rate of 0 cannot be looked for');
  if (shown >= runs) return 1;
  return Math.min(MOST_RUNS, Math.ceil(Math.log(0.001) / Math.log(1 - shown / runs)));
}

/** A candidate is as good as the original when it shows it at least half as often. */
export function accepts(original: Rate, candidate: Rate): boolean {
  return candidate.shown > 0 && candidate.shown / candidate.runs >= original.shown / original.runs / 2;
}

/** Takes the first reduction that still shows it, again and again, until none does. */
export async function shrink(program: Program, options: ShrinkOptions): Promise<Shrunk> {
  const { attempt, rate, mostRuns = MOST_RUNS, batch = 8, runnable, stop, progress } = options;
  const runs = runsFor(rate);
  const refused = new Set<string>();
  let current = program;
  let tried = 0;
  for (;;) {
    const smaller = await firstThatShows(current);
    if (!smaller) return { program: current, tried, minimal: !stop?.() };
    current = smaller;
  }

  async function firstThatShows(from: Program): Promise<Program | undefined> {
    let waiting: Program[] = [];
    for (const candidate of reductions(from)) {
      const key = JSON.stringify([candidate.regions, candidate.steps]);
      if (refused.has(key)) continue;
      refused.add(key);
      if (!runnable(candidate)) continue;
      waiting.push(candidate);
      if (waiting.length < batch) continue;
      const found = await tryAll(waiting);
      if (found) return found;
      if (stop?.()) return undefined;
      waiting = [];
    }
    return waiting.length > 0 ? tryAll(waiting) : undefined;
  }

  async function tryAll(candidates: readonly Program[]): Promise<Program | undefined> {
    const rates = await attempt(candidates, runs);
    tried += rates.length;
    let index = rates.findIndex((candidate) => accepts(rate, candidate));
    if (index < 0) index = await firstUndecided(candidates, rates);
    // Those behind it were not compared with what it becomes.
    for (const candidate of candidates.slice(index < 0 ? candidates.length : index)) {
      refused.delete(JSON.stringify([candidate.regions, candidate.steps]));
    }
    progress?.({ steps: (candidates[index] ?? current).steps.length, tried });
    return candidates[index];
  }

  /** Few runs cannot tell half the rate from chance: those that showed it too rarely are run more often. */
  async function firstUndecided(candidates: readonly Program[], rates: readonly Rate[]): Promise<number> {
    for (const [index, seldom] of rates.entries()) {
      if (seldom.shown === 0 || seldom.runs >= mostRuns) continue;
      const [more] = await attempt([candidates[index]!], mostRuns - seldom.runs);
      if (more && accepts(rate, addRates(seldom, more))) return index;
    }
    return -1;
  }
}
