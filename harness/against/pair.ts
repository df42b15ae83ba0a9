/** Kernel against kernel: the same programs on two lanes, and which differences the model does not explain. */
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { Breaks } from './breaks.ts';
import type { Digests } from './digests.ts';
import { expectedViews, VIEWS, type View } from './views.ts';

/** What is known of a lane's programs. */
export interface LaneDigests {
  /** As `hmmdiff run` calls it. */
  name: string;
  profile: Profile;
  programs: readonly Program[];
  /** By the index of the program; programs that took their guest with them have none. */
  digests: ReadonlyMap<number, Digests>;
}

/** A view in which two lanes differ although the model says that they must not. */
export interface Difference {
  program: string;
  /** 0-based; the number of steps for the end of the program. */
  step: number;
  view: View;
}

export interface PairResult {
  lanes: [string, string];
  /** Programs that both lanes have run. */
  programs: number;
  steps: number;
  /** Views that were looked at, and of those that differ, how many as the model says. */
  views: number;
  explained: Record<View, number>;
  /** The first of each program. */
  differences: Difference[];
}

export interface PairOptions {
  signal?: AbortSignal;
  /** Is told how many programs of the left lane are done. */
  progress?: (done: number) => void;
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
    steps: 0,
    views: 0,
    explained: Object.fromEntries(VIEWS.map((view) => [view, 0])) as Record<View, number>,
    differences: [],
  };
  const others = new Map(right.programs.map((program, index) => [JSON.stringify(program), index]));
  const breaks = new Breaks(signal);
  for (const [index, program] of left.programs.entries()) {
    await breaks.due();
    progress?.(index);
    // What comes of these is left to chance.
    if (program.steps.some(({ op }) => op === 'together')) continue;
    const seen = left.digests.get(index);
    const other = right.digests.get(others.get(JSON.stringify(program)) ?? -1);
    if (seen && other) compareProgram(result, program, [left.profile, right.profile], [seen, other]);
  }
  return result;
}

function compareProgram(
  result: PairResult,
  program: Program,
  [leftProfile, rightProfile]: readonly [Profile, Profile],
  [left, right]: readonly [Digests, Digests],
): void {
  result.programs++;
  // The model is asked only when there is something to explain.
  let asked: [left: string, right: string][][] | undefined;
  const expected = (step: number) => {
    asked ??= zip([...expectedViews(program, leftProfile)], [...expectedViews(program, rightProfile)]).map(
      ([a, b]) => VIEWS.map((view): [string, string] => [a[view], b[view]]),
    );
    return asked[step];
  };
  const steps = Math.min(left.length, right.length) / VIEWS.length;
  for (let step = 0; step < steps; step++) {
    result.steps++;
    for (const [index, view] of VIEWS.entries()) {
      const at = step * VIEWS.length + index;
      result.views++;
      if (left[at] === right[at]) continue;
      const [a, b] = expected(step)?.[index] ?? ['', ''];
      if (a === b) {
        // What comes later may follow from it.
        result.differences.push({ program: program.name, step, view });
        return;
      }
      result.explained[view]++;
    }
  }
}

function zip<A, B>(a: readonly A[], b: readonly B[]): [A, B][] {
  return a.slice(0, b.length).map((value, index) => [value, b[index]!]);
}
