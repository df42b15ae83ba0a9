import { apply, endingsOf } from '../../model/apply.ts';
import { TooManyWaysError } from '../../model/explore.ts';
import { initialState } from '../../model/initial-state.ts';
import { HazardError } from '../../model/mirror.ts';
import { markObserved } from '../../model/observe.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program, Step, Together } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import type { State } from '../../model/state.ts';

/** A step that makes test_hmm oops or warn. */
export interface Hazard {
  step: number;
  reason: string;
}

/** The first step of a program that must not be run on a kernel of this profile (model/safe.ts). */
export function findHazard(program: Program, profile: Profile): Hazard | undefined {
  let states = [initialState(profile, program.regions)];
  for (const [index, step] of program.steps.entries()) {
    for (const state of states) {
      const reason = hazardOf(state, step);
      if (reason !== undefined) return { step: index, reason };
    }
    if (step.op === 'together') {
      if (step.rounds > 1) return hazardAfterRounds(program, index);
      const endings = endingsOrHazard(states, step, index);
      if (typeof endings === 'string') return { step: index, reason: endings };
      states = endings;
    } else {
      for (const state of states) apply(state, step, index);
    }
    for (const state of states) markObserved(state);
  }
  return undefined;
}

/** Everything that can come of a step, or why it must not be run. */
function endingsOrHazard(states: readonly State[], step: Together, index: number): State[] | string {
  try {
    return states.flatMap((state) => endingsOf(state, step, index)).map(({ state }) => state);
  } catch (error) {
    if (error instanceof HazardError || error instanceof TooManyWaysError) return error.message;
    throw error;
  }
}

/** What a step of several rounds leaves is not known: what follows must be safe whatever it is. */
const SAFE_AFTER_ROUNDS: readonly Step['op'][] = [
  'cpu-read',
  'cpu-write',
  'munmap',
  'close',
  'exit',
  'together',
];

function hazardAfterRounds(program: Program, index: number): Hazard | undefined {
  for (const [later, { op }] of program.steps.entries()) {
    if (later <= index || SAFE_AFTER_ROUNDS.includes(op)) continue;
    return { step: later, reason: `${op} behind a step of several rounds, which leaves nobody knows what` };
  }
  return undefined;
}
