/** Kernel against kernel: the same programs on two lanes, and which differences the model does not explain. */
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { ComparableTranscript } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import { Breaks } from './breaks.ts';
import { type Digests, digestOfText, type Prediction, predictionOf } from './digests.ts';
import { expectedViews } from './expected-views.ts';
import { differentlyTaken } from './freedoms.ts';
import { VIEWS, type View, type Views, withoutSwap } from './views.ts';

/** What is known of a lane's programs. */
export interface LaneDigests {
  /** As `hmmdiff run` calls it. */
  name: string;
  profile: Profile;
  programs: readonly Program[];
  /** By the index of the program; programs that took their guest with them have none. */
  digests: ReadonlyMap<number, Digests>;
  /** What the digests are of. A program that was run again has two, of which the last counts. */
  recorded(wanted: ReadonlySet<number>): AsyncIterable<RecordedProgram>;
}

export interface RecordedProgram {
  index: number;
  transcript: ComparableTranscript;
  environment: Environment;
}

/** A view in which two lanes differ although the model says that they must not. */
export interface Difference {
  program: string;
  /** 0-based; the number of steps for the end of the program. */
  step: number;
  view: View;
}

interface Counts {
  steps: number;
  /** Views that were looked at, and of those that differ, how many as the model says. */
  views: number;
  explained: Record<View, number>;
  /** And how many as the model says once it knows which way each lane took what it leaves free; the same by those freedoms. */
  freed: Record<View, number>;
  freedBy: Record<string, number>;
}

export interface PairResult extends Counts {
  lanes: [string, string];
  /** Programs that both lanes have run. */
  programs: number;
  /** The first of each program. */
  differences: Difference[];
}

export interface PairOptions {
  signal?: AbortSignal;
  /** Is told how many programs of the left lane are done. */
  progress?: (done: number) => void;
}

type Both<T> = readonly [left: T, right: T];

/** The same program of two lanes. */
interface Common {
  program: Program;
  indexes: Both<number>;
  seen: Both<Digests>;
}

/** @throws the signal's reason when it aborts: the model is asked of thousands of programs, which takes its time */
export async function comparePair(
  left: LaneDigests,
  right: LaneDigests,
  { signal, progress }: PairOptions = {},
): Promise<PairResult> {
  const result: PairResult = {
    lanes: [left.name, right.name],
    programs: 0,
    ...noCounts(),
    differences: [],
  };
  const breaks = new Breaks(signal);
  const suspects: Common[] = [];
  for (const common of commonPrograms(left, right)) {
    await breaks.due();
    progress?.(common.indexes[0]);
    result.programs++;
    const { counts, difference } = compareProgram(common, byTheModel(common.program, [left, right]));
    if (difference) suspects.push(common);
    else add(result, counts);
  }
  // Few: their transcripts are read again.
  const predictions = [
    await predict(
      left,
      suspects.map(({ indexes }) => indexes[0]),
      breaks,
    ),
    await predict(
      right,
      suspects.map(({ indexes }) => indexes[1]),
      breaks,
    ),
  ] as const;
  for (const common of suspects) {
    const own = predictions.map((known, lane) => known.get(common.indexes[lane]!)!);
    const { counts, difference } = compareProgram(common, byItsFreedoms([own[0]!, own[1]!]));
    add(result, counts);
    if (difference) result.differences.push(difference);
  }
  return result;
}

function* commonPrograms(left: LaneDigests, right: LaneDigests): Generator<Common> {
  const others = new Map(right.programs.map((program, index) => [JSON.stringify(program), index]));
  for (const [index, program] of left.programs.entries()) {
    // What comes of these is left to chance.
    if (program.steps.some(({ op }) => op === 'together')) continue;
    const other = others.get(JSON.stringify(program)) ?? -1;
    const seen = [left.digests.get(index), right.digests.get(other)] as const;
    if (seen[0] && seen[1]) yield { program, indexes: [index, other], seen: [seen[0], seen[1]] };
  }
}

async function predict(
  lane: LaneDigests,
  indexes: readonly number[],
  breaks: Breaks,
): Promise<ReadonlyMap<number, Prediction>> {
  const predictions = new Map<number, Prediction>();
  if (indexes.length === 0) return predictions;
  for await (const { index, transcript, environment } of lane.recorded(new Set(indexes))) {
    predictions.set(index, predictionOf(lane.programs[index]!, transcript, environment));
    await breaks.due();
  }
  return predictions;
}

/**
 * Why two lanes may show different things: undefined, they may not; the names of freedoms, or none where both show what the
 * model says whatever it leaves free.
 */
type Why = (step: number, view: number, seen: Both<number>) => readonly string[] | undefined;

/** The model is asked only when there is something to explain. Which lines of status were looked at is not known here. */
function byTheModel(program: Program, lanes: Both<LaneDigests>): Why {
  let asked: Both<readonly Views[]> | undefined;
  return (step, index, seen) => {
    const view = VIEWS[index]!;
    asked ??= [[...expectedViews(program, lanes[0].profile)], [...expectedViews(program, lanes[1].profile)]];
    const same = asked.every((steps, lane) => {
      const text = steps[step]?.[view];
      if (text === undefined) return false;
      const texts = view === 'status' ? [text, withoutSwap(text)] : [text];
      return texts.some((possible) => digestOfText(possible) === seen[lane]);
    });
    return same ? [] : undefined;
  };
}

function byItsFreedoms([left, right]: Both<Prediction>): Why {
  return (step, view, seen) => {
    const at = step * VIEWS.length + view;
    if (left.free[at] === seen[0] && right.free[at] === seen[1]) return [];
    if (left.adopted[at] !== seen[0] || right.adopted[at] !== seen[1]) return undefined;
    return differentlyTaken(left.taken, right.taken, step);
  };
}

function compareProgram(
  { program, seen: [left, right] }: Common,
  why: Why,
): { counts: Counts; difference?: Difference } {
  const counts = noCounts();
  const steps = Math.min(left.length, right.length) / VIEWS.length;
  for (let step = 0; step < steps; step++) {
    counts.steps++;
    for (const [index, view] of VIEWS.entries()) {
      const at = step * VIEWS.length + index;
      counts.views++;
      if (left[at] === right[at]) continue;
      const freedoms = why(step, index, [left[at]!, right[at]!]);
      // What comes later may follow from it.
      if (!freedoms) return { counts, difference: { program: program.name, step, view } };
      if (freedoms.length === 0) counts.explained[view]++;
      else counts.freed[view]++;
      for (const name of freedoms) counts.freedBy[name] = (counts.freedBy[name] ?? 0) + 1;
    }
  }
  return { counts };
}

function noCounts(): Counts {
  const none = () => Object.fromEntries(VIEWS.map((view) => [view, 0])) as Record<View, number>;
  return { steps: 0, views: 0, explained: none(), freed: none(), freedBy: {} };
}

function add(into: Counts, { steps, views, explained, freed, freedBy }: Counts): void {
  into.steps += steps;
  into.views += views;
  for (const view of VIEWS) {
    into.explained[view] += explained[view];
    into.freed[view] += freed[view];
  }
  for (const [name, count] of Object.entries(freedBy)) into.freedBy[name] = (into.freedBy[name] ?? 0) + count;
}
