/** Plays programs, written as in program files, on the model alone. */
import { describeOutcome } from '../../harness/compare/outcome.ts';
import { parseProgram } from '../../harness/programs/load.ts';
import { apply, type StepExpectation } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { markObserved } from '../../model/observe.ts';
import { makeProfile, type Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { ExpectedMigration, Pte, State } from '../../model/state.ts';

export const STOCK = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });

export interface Played {
  state: State;
  program: Program;
  steps: StepExpectation[];
}

/** `steps`: one step per line, as in a program file without the dash. Regions a and b, of 4 pages each by default. */
export function play(steps: string, profile: Profile = STOCK, regions = '{a: 4, b: 4}'): Played {
  const lines = steps
    .trim()
    .split('\n')
    .map((line) => `  - ${line.trim()}`);
  const program = parseProgram('test', `name: test\nregions: ${regions}\nsteps:\n${lines.join('\n')}\n`);
  const state = initialState(profile, program.regions);
  const expectations = program.steps.map((step, index) => {
    const expected = apply(state, step, index);
    markObserved(state);
    return expected;
  });
  return { state, program, steps: expectations };
}

export function outcomes(played: Played): string[] {
  return played.steps.map(({ outcome }) => describeOutcome(outcome));
}

export function last(played: Played): StepExpectation {
  return played.steps.at(-1)!;
}

export function pte(state: State, process: number, page: number, region = 0): Pte | null {
  return state.processes[process]!.mm.ptes[region]![page]!;
}

/** One word per page of a region: `-`, `zero`, `ram`, `dev0`, with `+` when writable. */
export function pages(state: State, process = 0, region = 0): string {
  return state.processes[process]!.mm.ptes[region]!.map((entry) => {
    if (!entry) return '-';
    const kind = entry.kind === 'device' ? `dev${entry.frame.minor}` : entry.frame.kind;
    return entry.write ? `${kind}+` : kind;
  }).join(' ');
}

/** The pages of a region that a device's own page table has: `-`, `r` or `w`. */
export function devicePages(state: State, process: number, device: number, region = 0): string {
  return state.processes[process]!.devices[device]!.file.pt[region]!.map((entry) =>
    entry ? (entry.write ? 'w' : 'r') : '-',
  ).join('');
}

/** The events of migrations. */
export function migrations({ events }: StepExpectation): ExpectedMigration[] {
  return events.filter((event) => event.name !== 'page_fault_user');
}

/** Migrations as `set 0 p` or `remove 0 p`: name, page, and what the entry says. */
export function events(expected: StepExpectation): string[] {
  return migrations(expected).map(({ name, page, entry }) => {
    const access = entry.write ? 'write' : entry.readExclusive ? 'read-exclusive' : 'read';
    return `${name === 'set_migration_pte' ? 'set' : 'remove'} ${page} ${entry.kind} ${access}`;
  });
}

/** Page faults as `0 write` or `0 write present`, in order with `set 0` and `remove 0`. */
export function faults({ events }: StepExpectation): string[] {
  return events.map((event) => {
    if (event.name !== 'page_fault_user') return `${event.name.split('_')[0]} ${event.page}`;
    return `${event.page} ${event.write ? 'write' : 'read'}${event.present ? ' present' : ''}`;
  });
}
