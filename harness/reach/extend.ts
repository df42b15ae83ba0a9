/**
 * Programs made of the beginning of another, up to where a page is in the state that a row starts from, and of the
 * operation of the row behind it; with a step or two in between when that alone does not do.
 */
import { cloneState } from '../../model/clone.ts';
import { type Coverage, cover } from '../../model/coverage/coverage.ts';
import { initialState } from '../../model/initial-state.ts';
import type { Profile } from '../../model/profile.ts';
import {
  type DeviceMinor,
  isHugeRegion,
  MINORS,
  type OrdinaryStep,
  type Program,
  type Step,
} from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import { grant } from '../programs/grant.ts';
import type { Devices } from '../programs/regions.ts';
import { THEMES, WEIGHTS } from '../programs/weights.ts';
import { type Wish, wishArbitrary } from '../programs/wishes.ts';
import { hit } from './aim.ts';
import type { Beginnings } from './beginnings.ts';
import { endless } from './endless.ts';
import type { Found } from './found.ts';
import { onAnyDevice } from './roads.ts';
import { type RowId, rowsIn, rowsMissing, takeStep } from './rows.ts';
import { type Transition, targetsOf } from './targets.ts';
import { trim } from './trim.ts';

/** Ways on from one beginning: each takes a step or none before the operation, which is tried with so many arguments. */
const DETOURS = 8;
const VARIANTS = 8;
/** Steps of a beginning. */
const LONGEST = 40;

export interface ExtendOptions {
  profile: Profile;
  /** Of the programs that there are; what is found is added. */
  coverage: Coverage;
  beginnings: Beginnings;
  seed: number;
  /** Look for rows that are in no table, too. @default false */
  beyond?: boolean;
}

/** Endless: one beginning each time it is asked; what is found is a beginning for others. */
export function* extend({
  profile,
  coverage,
  beginnings,
  seed,
  beyond = false,
}: ExtendOptions): Generator<Found | undefined, never> {
  const wishes = endless(wishArbitrary(detourWeights()), seed);
  for (;;) {
    const isWanted = wantedOf(coverage, profile, beyond);
    const wish = wishes();
    const target = beyond ? anyTarget(beginnings, wish) : missingTarget(coverage, profile, wish);
    const found = target && tryFrom({ profile, isWanted, target, beginnings, wishes });
    if (found) {
      cover(coverage, found.program, profile);
      beginnings.addAll(found.program);
    }
    yield found;
  }
}

function wantedOf(coverage: Coverage, profile: Profile, beyond: boolean): (row: RowId) => boolean {
  const rows = new Set(beyond ? rowsIn(coverage) : rowsMissing(coverage, profile));
  return (row) => rows.has(row) !== beyond;
}

type Start = Pick<Transition, 'op' | 'from' | 'elsewhere'>;

function missingTarget(coverage: Coverage, profile: Profile, { first, target }: Wish): Start | undefined {
  const targets = targetsOf(coverage, profile);
  return targets[(first * 64 + target) % targets.length];
}

/** Some operation on a page in some state, of the device that acts or of another. */
function anyTarget(beginnings: Beginnings, { op, first, target, length }: Wish): Start | undefined {
  const states = beginnings.states();
  const state = states[(first * 64 + target) % states.length];
  if (state === undefined) return undefined;
  const ofOther = state.replace(/(device|coherent)-(?!exclusive)/, 'other-$1-');
  return { op, from: length < 3 ? ofOther : state, elsewhere: length > 7 };
}

/** All that generated programs have, in equal parts. */
function detourWeights(): Record<OrdinaryStep['op'], number> {
  const themes = THEMES.flatMap(({ weights }) => Object.keys(weights) as OrdinaryStep['op'][]);
  return { ...WEIGHTS, ...Object.fromEntries(themes.map((op) => [op, Math.max(3, WEIGHTS[op])])) };
}

interface Attempt {
  profile: Profile;
  isWanted: (row: RowId) => boolean;
  target: Start;
  beginnings: Beginnings;
  wishes: () => Wish;
}

function tryFrom({ profile, isWanted, target, beginnings, wishes }: Attempt): Found | undefined {
  const choice = wishes();
  const beginning = beginnings.choose(
    onAnyDevice(target.from),
    choice.first * 64 + choice.target,
    choice.process,
  );
  if (!beginning) return undefined;
  const { program, end } = beginning;
  const steps = program.steps.slice(0, end);
  const state = initialState(profile, program.regions);
  for (const [index, step] of steps.entries()) takeStep(state, step, index);
  for (let detours = 0; detours < DETOURS; detours++) {
    const point = { state: cloneState(state), steps: [...steps] };
    const devices = devicesOf(program, wishes());
    for (let n = 0; n < detours % 4; n++) takeIf(point, grant(point.state, devices, wishes()));
    if (point.steps.length > end && point.steps.length < LONGEST) {
      beginnings.add(point.state, { regions: program.regions, steps: point.steps }, point.steps.length);
    }
    for (let n = 0; n < VARIANTS; n++) {
      const next = { state: cloneState(point.state), steps: [...point.steps] };
      const wish = wishes();
      const step =
        target.elsewhere && n % 2 === 0
          ? grant(next.state, devices, { ...wish, op: target.op })
          : hit(next.state, devices, { ...wish, op: target.op }, target);
      const rows = takeIf(next, step).filter(isWanted);
      if (rows.length === 0) continue;
      const longer = { name: 'extended', regions: program.regions, steps: next.steps };
      return { program: trim(longer, [{ profile, rows: new Set(rows) }]), rows };
    }
  }
  return undefined;
}

function takeIf(point: { state: State; steps: Step[] }, step: Step | undefined): RowId[] {
  if (!step) return [];
  point.steps.push(step);
  return takeStep(point.state, step, point.steps.length - 1);
}

/** Those that the program has open, or others. */
function devicesOf({ regions, steps }: Program, { process, target }: Wish): Devices {
  const used = [...new Set(steps.flatMap((step) => (step.op === 'open' ? [step.device] : [])))];
  const isHuge = regions.some(({ pages }) => isHugeRegion(pages));
  const all: readonly DeviceMinor[] = isHuge ? [0, 1] : MINORS;
  const first = used[process % used.length] ?? all[process % all.length]!;
  const others = all.filter((minor) => minor !== first);
  return [first, others[target % others.length]!];
}
