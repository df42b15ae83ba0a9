/**
 * Programs made to reach rows of the model's tables that nothing reaches yet: a walk through the model that tries several
 * steps at each point and takes the best.
 */
import { cloneState } from '../../model/clone.ts';
import { statesOf } from '../../model/coverage/coverage.ts';
import { stateName } from '../../model/coverage/page-state.ts';
import { initialState } from '../../model/initial-state.ts';
import type { Profile } from '../../model/profile.ts';
import { type DeviceMinor, isHugeRegion, type Program, type Region, type Step } from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import { grant } from '../programs/grant.ts';
import type { Devices } from '../programs/regions.ts';
import type { Wish } from '../programs/wishes.ts';
import { aim } from './aim.ts';
import type { Roads } from './roads.ts';
import { type RowId, takeStep } from './rows.ts';
import type { Target } from './targets.ts';

/** Steps that are tried at each point. */
const TRIES = 10;
/** How much a row that was never reached counts, beside the states from which others can be reached. */
const GAIN = 50;
/** More rows than this do not make a state more worth to be in. */
const ENOUGH = 8;

export interface WalkOptions {
  profile: Profile;
  regions: Region[];
  /** Steps of the program. */
  length: number;
  /** Whether a row is worth to be reached. */
  isWanted: (row: RowId) => boolean;
  /** What is looked for. */
  targets: readonly Target[];
  /** Those that the program uses; the first is open from the start. */
  devices: Devices;
  /** Endless. */
  wishes: () => Wish;
  roads: Roads;
}

export interface Walk {
  program: Program;
  /** Rows that it reaches and that are wanted. */
  reached: ReadonlySet<RowId>;
}

/** A walk of `options.length` steps, as far as they are of use. */
export function walk(options: WalkOptions): Walk {
  const { profile, regions, length } = options;
  let point: Point = { state: initialState(profile, regions), steps: [], reached: new Set() };
  for (const step of beginning(regions, options.devices[0], options.wishes()))
    point = take(point, step, options.isWanted);
  let last = point;
  while (point.steps.length < length) {
    const next = best(point, options);
    if (!next) break;
    if (next.reached.size > point.reached.size) last = next;
    point = next;
  }
  return { program: { name: 'walk', regions, steps: [...last.steps] }, reached: last.reached };
}

/** Where a walk has come to. */
interface Point {
  state: State;
  steps: readonly Step[];
  reached: ReadonlySet<RowId>;
}

/** Region 0 is mapped and a device open from the start, as in random programs. */
function beginning(regions: readonly Region[], device: DeviceMinor, { process }: Wish): Step[] {
  const at = { region: 0, first: 0, count: regions[0]!.pages };
  const isAdvised = isHugeRegion(at.count) && process % 4 > 0;
  return [
    { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
    { op: 'open', by: 0, device },
    ...(isAdvised ? [{ op: 'madvise', by: 0, at, advice: 'hugepage' } satisfies Step] : []),
  ];
}

function take({ state, steps, reached }: Point, step: Step, isWanted: WalkOptions['isWanted']): Point {
  const next = cloneState(state);
  const rows = takeStep(next, step, steps.length).filter(isWanted);
  return { state: next, steps: [...steps, step], reached: new Set([...reached, ...rows]) };
}

/** The best of some steps; undefined when none is possible. */
function best(point: Point, { isWanted, targets, devices, wishes, roads }: WalkOptions): Point | undefined {
  let most = Number.NEGATIVE_INFINITY;
  let chosen: Point | undefined;
  for (let n = 0; n < TRIES; n++) {
    const wish = wishes();
    const target = targets[(wish.first * 64 + wish.target) % targets.length];
    const step =
      n % 2 === 0 && target
        ? aim(point.state, devices, wish, target, roads)
        : grant(point.state, devices, wish);
    if (!step) continue;
    const next = take(point, step, isWanted);
    const gain = next.reached.size - point.reached.size;
    // Among equals, at random.
    const score = gain * GAIN + chances(next.state, devices, targets) + wish.length;
    if (score <= most) continue;
    most = score;
    chosen = next;
  }
  return chosen;
}

/** How many of what is looked for starts from a state that a page is in; of one state, some. */
function chances(state: State, devices: Devices, targets: readonly Target[]): number {
  const codes = new Set(
    statesOf(state).flatMap((regions) => (regions ?? []).flatMap((pages) => [...new Set(pages)])),
  );
  const names = new Set([...codes].flatMap((code) => devices.map((device) => stateName(code, device))));
  const ways = new Map<string, number>();
  for (const { from } of targets) if (names.has(from)) ways.set(from, (ways.get(from) ?? 0) + 1);
  return [...ways.values()].reduce((sum, times) => sum + Math.min(ENOUGH, times), 0);
}
