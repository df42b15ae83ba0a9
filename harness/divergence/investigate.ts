/** From a program that showed something to a finding that a person can act on. */
import { MAX_STEPS, type Program } from '../../model/program.ts';
import type { Divergence } from '../compare/tally.ts';
import { endsGuest } from './aftermath.ts';
import { BEGIN, type Fingerprint, identify, type Shown, sameFingerprint, sameKind } from './fingerprint.ts';
import { cutAfter } from './reductions.ts';
import { accepts, addRates, isFlaky, MOST_RUNS, type Rate, runsFor, shrink } from './shrink.ts';
import type { Trial, Trials } from './trials.ts';

/** Programs that showed the same. */
export interface Suspicion {
  fingerprint: Fingerprint;
  /** The simplest first. */
  programs: Program[];
  /** What the first of them showed, when it is a divergence. */
  shown?: Shown;
  /** All of it, when the run showed it; a trial may not any more. */
  divergences?: readonly Divergence[];
  /** A more frequent one, of another operation, that shows the same otherwise. */
  like?: Fingerprint;
}

/** That a program showed something. */
export interface Sighting {
  program: Program;
  fingerprint: Fingerprint;
  /** Of a divergence. */
  shown?: Shown | undefined;
  divergences?: readonly Divergence[];
}

export interface Investigation {
  fingerprint: Fingerprint;
  /** The program as it first showed it, and how often it did when run again by itself. */
  original: Program;
  originalRate: Rate;
  /** The smallest that was found; `original` when it did not show it again. */
  program: Program;
  /** Of `program`, in the guest that it was shrunk in. */
  rate: Rate;
  /** Of `program`, on a machine that had just booted. */
  coldRate: Rate;
  /** Whether no part of `program` can be left out. */
  minimal: boolean;
  /** Smaller programs that were run. */
  tried: number;
  /** A trial of `program` that showed it. */
  trial: Trial | undefined;
  seconds: number;
}

export interface InvestigateOptions {
  trials: Trials;
  /** Whether a program may be run at all (model/safe.ts). */
  runnable: (program: Program) => boolean;
  /** Milliseconds after which the smallest so far must do, on the reference host. @default 120000; 240000 where each run costs a boot */
  limitMs?: number;
  progress?: (state: { steps: number; tried: number }) => void;
}

/** Runs of the original that tell its rate: enough to see a failure of 1 in 5. */
const FIRST_RUNS = 12;
/** Where each run that shows it costs a boot. */
const FIRST_RUNS_LOST = 3;
const COLD_RUNS = 3;

/**
 * Folds what programs showed: one suspicion per fingerprint, the most frequent first; but those that differ from an
 * earlier one in the operation alone come behind all others.
 */
export function fold(all: readonly Sighting[]): Suspicion[] {
  const byId = new Map<string, Sighting[]>();
  for (const sighting of all) {
    const id = identify(sighting.fingerprint);
    byId.set(id, [...(byId.get(id) ?? []), sighting]);
  }
  const suspicions = [...byId.values()].map((sightings): Suspicion => {
    sightings.sort((a, b) => weightOf(a.program) - weightOf(b.program));
    const [{ fingerprint, shown, divergences }] = sightings as [Sighting];
    return {
      fingerprint,
      programs: sightings.map(({ program }) => program),
      ...(shown && { shown }),
      ...(divergences && { divergences }),
    };
  });
  // What no step is needed for cannot be shrunk to any, and its C program would have nothing to show.
  const hasBegun = ({ fingerprint }: Suspicion) => Number(fingerprint.operation !== BEGIN);
  suspicions.sort((a, b) => hasBegun(b) - hasBegun(a) || b.programs.length - a.programs.length);
  const likes: Suspicion[] = [];
  const first: Suspicion[] = [];
  for (const suspicion of suspicions) {
    const like = first.find(({ fingerprint }) => sameKind(fingerprint, suspicion.fingerprint));
    if (like) likes.push({ ...suspicion, like: like.fingerprint });
    else first.push(suspicion);
  }
  return [...first, ...likes];
}

/** Steps; but one with actors, who may or may not meet, comes behind all others. */
function weightOf({ steps }: Program): number {
  return steps.length + (steps.some(({ op }) => op === 'together') ? MAX_STEPS : 0);
}

/**
 * Measures, shrinks, and confirms on a cold boot.
 *
 * @throws HmmdiffError of exit status 3 when guests cannot be had
 */
export async function investigate(
  suspicion: Suspicion,
  { trials, runnable, limitMs, progress }: InvestigateOptions,
): Promise<Investigation> {
  const started = performance.now();
  const { fingerprint } = suspicion;
  const isDear = endsGuest(fingerprint);
  const limit = limitMs ?? (isDear ? 240_000 : 120_000);
  const original = suspicion.programs[0]!;
  let shownBy: Trial | undefined;

  /** Each program `runs` times; ends behind the first that `enough` takes. */
  const measure = async (programs: readonly Program[], runs: number, enough: (rate: Rate) => boolean) => {
    const rates: Rate[] = [];
    let queue = programs.flatMap((program) => Array.from({ length: runs }, () => program));
    while (queue.length > 0) {
      const done = await trials.run(queue);
      for (const trial of done) {
        const index = programs.indexOf(trial.program);
        rates[index] ??= { shown: 0, runs: 0 };
        const rate = rates[index];
        rate.runs++;
        if (!trial.fingerprints.some((shown) => sameFingerprint(shown, fingerprint))) continue;
        rate.shown++;
        shownBy = trial;
      }
      queue = queue.slice(done.length);
      const last = done.at(-1)!.program;
      // The rate of a program counts when all its runs are done; where each costs a boot, at once.
      const counted = isDear
        ? rates
        : rates.filter((_, index) => programs[index] !== last || !queue.includes(last));
      if (counted.some(enough)) break;
    }
    return rates;
  };
  /** Of a program that is run so many times, whatever it shows. */
  async function rateOf(program: Program, runs: number): Promise<Rate> {
    const [rate = { shown: 0, runs: 0 }] = await measure([program], runs, () => false);
    return rate;
  }

  const firstRuns = isDear ? FIRST_RUNS_LOST : FIRST_RUNS;
  let originalRate = await rateOf(original, firstRuns);
  // All that is accepted is measured against this rate.
  if (!isDear && isFlaky(originalRate)) {
    originalRate = addRates(originalRate, await rateOf(original, MOST_RUNS - originalRate.runs));
  }
  const known = { fingerprint, original, originalRate };
  if (originalRate.shown === 0) {
    return {
      ...known,
      program: original,
      rate: originalRate,
      coldRate: { shown: 0, runs: 0 },
      minimal: false,
      tried: 0,
      trial: undefined,
      seconds: (performance.now() - started) / 1000,
    };
  }

  const cut = await cutToFailure(shownBy!, originalRate);
  const { program, tried, minimal } = await shrink(cut, {
    rate: originalRate,
    // Where each run costs a boot, what there is must do.
    ...(isDear && { mostRuns: 0 }),
    runnable,
    stop: () => performance.now() - started > limit * trials.slowness,
    attempt: async (candidates, runs) =>
      measure(candidates, runs, (rate) => (isDear || rate.runs >= runs) && accepts(originalRate, rate)),
    ...(progress ? { progress } : {}),
  });
  // Where each run that shows it takes its guest along, all runs are on machines that have just booted.
  const isLost = fingerprint.kind === 'lost';
  if (isLost) await trials.renew();
  const coldRuns = isDear || !isFlaky(originalRate) ? Math.max(COLD_RUNS, runsFor(originalRate)) : MOST_RUNS;
  const rate = await rateOf(program, isLost ? coldRuns : firstRuns);
  await trials.renew();
  const coldRate = isLost ? rate : await rateOf(program, coldRuns);
  return {
    ...known,
    program,
    rate,
    coldRate,
    minimal,
    tried,
    trial: shownBy?.program === program ? shownBy : undefined,
    seconds: (performance.now() - started) / 1000,
  };

  /** Steps behind the one that fails are of no use, unless the end of the program is what fails. */
  async function cutToFailure(trial: Trial, rate: Rate): Promise<Program> {
    const divergences: readonly Divergence[] = trial.result?.comparison.divergences ?? [];
    const step = trial.lostStep ?? divergences[0]?.step;
    if (step === undefined || step + 1 >= original.steps.length) return original;
    const candidate = cutAfter(original, step);
    return accepts(rate, await rateOf(candidate, runsFor(rate))) ? candidate : original;
  }
}
