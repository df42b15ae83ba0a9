/** How fast the model is by itself. */
import { apply } from '../../model/apply.ts';
import type { Profile } from '../../model/profile.ts';
import { initialState } from '../../model/state.ts';
import { generatePrograms } from '../programs/generate.ts';

const PROGRAMS = 200;
const SEED = 1;
const LEAST_MS = 1000;

/** Steps per second on one processor. */
export function modelStepsPerSecond(profile: Profile): number {
  const programs = generatePrograms(SEED, PROGRAMS, { profile });
  let steps = 0;
  const playAll = () => {
    for (const program of programs) {
      const state = initialState(profile, program.regions);
      for (const [index, step] of program.steps.entries()) apply(state, step, index);
      steps += program.steps.length;
    }
  };
  // Once for the compiler.
  playAll();
  steps = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  while (performance.now() - started < LEAST_MS) playAll();
  const { user, system } = process.cpuUsage(before);
  return steps / ((user + system) / 1e6);
}
