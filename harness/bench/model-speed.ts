/** How fast the model is by itself. */
import { apply } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import type { Profile } from '../../model/profile.ts';
import { generatePrograms } from '../programs/generate.ts';

const PROGRAMS = 200;
const SEED = 1;
/** A process that has just started runs most of the model in V8's interpreter: what a run of thousands of programs has is later. */
const WARM_UP_MS = 4000;
const LEAST_MS = 1000;
const SAMPLES = 5;

/** Steps per second of processor time; with that of V8's compiler and garbage collector, which run on other threads. */
export interface ModelSpeed {
  /** Of each sample, once the compiler is done. */
  warm: number[];
  /** The first steps of a process. */
  cold: number;
}

export function modelSpeed(profile: Profile): ModelSpeed {
  const programs = generatePrograms(SEED, PROGRAMS, { profile });
  const playAll = () => {
    let steps = 0;
    for (const program of programs) {
      const state = initialState(profile, program.regions);
      for (const [index, step] of program.steps.entries()) apply(state, step, index);
      steps += program.steps.length;
    }
    return steps;
  };
  const measure = (leastMs: number) => {
    const before = process.cpuUsage();
    const started = performance.now();
    let steps = 0;
    do steps += playAll();
    while (performance.now() - started < leastMs);
    const { user, system } = process.cpuUsage(before);
    return steps / ((user + system) / 1e6);
  };
  const cold = measure(0);
  measure(WARM_UP_MS);
  return { warm: Array.from({ length: SAMPLES }, () => measure(LEAST_MS)), cold };
}
