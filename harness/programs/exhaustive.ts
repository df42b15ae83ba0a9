/**
 * All programs of a length over a small alphabet. Since every step is observed, a program stands for all that begin
 * like it, and only the longest are made.
 */
import { apply } from '../../model/apply.ts';
import { cloneState } from '../../model/clone.ts';
import { initialState } from '../../model/initial-state.ts';
import { markObserved } from '../../model/observe.ts';
import type { Profile } from '../../model/profile.ts';
import type { PageRange, Program, Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import type { State } from '../../model/state.ts';

/** Operations that an alphabet can have; the first are those that it has by default. */
export const EXHAUSTIVE_OPERATIONS = [
  'cpu-read',
  'cpu-write',
  'migrate-to-dev',
  'migrate-to-sys',
  'fork',
  'read',
  'write',
  'munmap',
  'exit',
  'exclusive',
  'snapshot',
] as const;
export type ExhaustiveOperation = (typeof EXHAUSTIVE_OPERATIONS)[number];
export const DEFAULT_OPERATIONS: readonly ExhaustiveOperation[] = EXHAUSTIVE_OPERATIONS.slice(0, 5);

export interface ExhaustiveOptions {
  /** Decides what is safe. */
  profile: Profile;
  /** Steps behind those that map the region and open the devices. */
  length: number;
  pages: number;
  /** Private devices, from minor 0 on. */
  devices: number;
  processes: number;
  operations: readonly ExhaustiveOperation[];
}

/**
 * Every program of the alphabet, in a fixed order: one region, mapped, the devices open in p0, then all sequences of
 * `length` steps on one page each, and for migrations also on all.
 *
 * Left out is what another program does as well: operations through a descriptor that was inherited, which acts on the
 * mm of its opener. Pages are not exchangeable, since an invalidation reaches one page beyond its range.
 */
export function* exhaustivePrograms(options: ExhaustiveOptions): Generator<Program> {
  const { profile, length, pages, devices } = options;
  const regions = [{ name: 'a', pages }];
  const state = initialState(profile, regions);
  const begin: Step[] = [
    { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
    ...Array.from({ length: devices }, (_, device): Step => ({ op: 'open', by: 0, device })),
  ];
  begin.forEach((step, index) => {
    take(state, step, index);
  });
  let number = 0;
  for (const steps of sequences(state, begin, length, options)) {
    yield { name: `exhaustive-${number++}`, regions, steps };
  }
}

function take(state: State, step: Step, index: number): void {
  apply(state, step, index);
  markObserved(state);
}

function* sequences(
  state: State,
  steps: readonly Step[],
  left: number,
  options: ExhaustiveOptions,
): Generator<Step[]> {
  if (left === 0) {
    yield [...steps];
    return;
  }
  for (const step of alphabet(state, options)) {
    if (hazardOf(state, step) !== undefined) continue;
    const next = [...steps, step];
    if (left === 1) {
      yield next;
      continue;
    }
    const after = cloneState(state);
    take(after, step, steps.length);
    yield* sequences(after, next, left - 1, options);
  }
}

/** The steps that are possible in a state. */
function* alphabet(state: State, options: ExhaustiveOptions): Generator<Step> {
  const { pages, devices, processes, operations } = options;
  const single = Array.from({ length: pages }, (_, first): PageRange => ({ region: 0, first, count: 1 }));
  const all: PageRange = { region: 0, first: 0, count: pages };
  for (const process of state.processes) {
    if (!process) continue;
    const by = process.id;
    for (const op of operations) {
      switch (op) {
        case 'fork':
          if (state.processes.length < processes) yield { op, by, child: state.processes.length };
          break;
        case 'exit':
          if (by !== 0) yield { op, by };
          break;
        case 'cpu-read':
        case 'cpu-write':
        case 'munmap':
          for (const at of single) yield { op, by, at };
          break;
        default: {
          if (by !== 0) break;
          const whole = pages > 1 && op.startsWith('migrate') ? [all] : [];
          for (let device = 0; device < devices; device++) {
            for (const at of [...single, ...whole]) yield { op, by, device, at };
          }
        }
      }
    }
  }
}
