import { apply } from '../../model/apply.ts';
import { markObserved } from '../../model/observe.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { initialState } from '../../model/state.ts';

/** A step that makes test_hmm oops or warn. */
export interface Hazard {
  step: number;
  reason: string;
}

/** The first step of a program that must not be run on a kernel of this profile (model/safe.ts). */
export function findHazard(program: Program, profile: Profile): Hazard | undefined {
  const state = initialState(profile, program.regions);
  for (const [index, step] of program.steps.entries()) {
    const reason = hazardOf(state, step);
    if (reason !== undefined) return { step: index, reason };
    apply(state, step, index);
    markObserved(state);
  }
  return undefined;
}
