/** A set of programs that reaches the same with less. */
import type { KernelVersion, Profile } from '../../model/profile.ts';
import { isHugeRegion, type Program } from '../../model/program.ts';
import { findHazard } from '../programs/hazards.ts';
import { type RowId, rowsOf } from './rows.ts';
import { type Purpose, trim } from './trim.ts';

/** What a guest takes for a step with huge regions, in steps without. */
const HUGE_STEP = 10;

/** A program and the kernels that it is run on. */
export interface Placed {
  program: Program;
  kernels: readonly KernelVersion[];
}

/** A program, the kernels that need it, and what no other that they need reaches there. */
export interface Kept extends Placed {
  purposes: readonly Purpose[];
}

/**
 * Leaves out programs, those first that cost most for each row, and then steps, that reach only what `others` and the
 * programs that stay reach.
 *
 * @returns in the order of `programs`
 */
export function compact(
  programs: readonly Program[],
  others: readonly Placed[],
  profiles: readonly Profile[],
): Kept[] {
  const ledger = new Ledger(profiles);
  for (const { program, kernels } of others) ledger.add(program, kernels);
  for (const program of programs) ledger.add(program, kernelsOf(profiles));
  const price = new Map(programs.map((program) => [program, costOf(program) / ledger.rowsOf(program)]));
  const kernels = new Map<string, KernelVersion[]>();
  for (const program of [...programs].sort((a, b) => price.get(b)! - price.get(a)!)) {
    ledger.remove(program);
    const purposes = ledger.missing(program);
    if (purposes.length === 0) continue;
    kernels.set(program.name, kernelsOf(purposes.map(({ profile }) => profile)));
    ledger.add(trim(program, purposes), kernels.get(program.name)!);
  }
  return programs.flatMap(({ name }) => {
    const needed = kernels.get(name);
    if (!needed) return [];
    const program = ledger.remove({ name });
    const purposes = ledger.missing(program).filter(({ profile }) => needed.includes(profile.kernel));
    // What was cut short since then may reach the same by accident.
    if (purposes.length === 0) return [];
    ledger.add(program, needed);
    return [{ program, kernels: needed, purposes }];
  });
}

function kernelsOf(profiles: readonly Profile[]): KernelVersion[] {
  return [...new Set(profiles.map(({ kernel }) => kernel))];
}

function costOf({ regions, steps }: Program): number {
  return steps.length * (regions.some(({ pages }) => isHugeRegion(pages)) ? HUGE_STEP : 1);
}

/** How many programs reach each row, by profile. */
class Ledger {
  readonly #counts: Map<RowId, number>[];
  readonly #entries = new Map<string, { program: Program; rows: readonly ReadonlySet<RowId>[] }>();

  constructor(private readonly profiles: readonly Profile[]) {
    this.#counts = profiles.map(() => new Map());
  }

  /** @param kernels on which it is run */
  add(program: Program, kernels: readonly KernelVersion[]): void {
    const rows = this.#reach(program).map((reached, index) =>
      kernels.includes(this.profiles[index]!.kernel) ? reached : new Set<RowId>(),
    );
    this.#entries.set(program.name, { program, rows });
    this.#count(rows, 1);
  }

  remove({ name }: Pick<Program, 'name'>): Program {
    const { program, rows } = this.#entries.get(name)!;
    this.#count(rows, -1);
    this.#entries.delete(name);
    return program;
  }

  /** How many rows the program reaches, on all kernels together. */
  rowsOf({ name }: Program): number {
    return this.#entries.get(name)!.rows.reduce((sum, rows) => sum + rows.size, 0);
  }

  /** What the program reaches and no other does. */
  missing(program: Program): Purpose[] {
    return this.#reach(program)
      .map((rows, index) => ({
        profile: this.profiles[index]!,
        rows: new Set([...rows].filter((row) => !this.#counts[index]!.get(row))),
      }))
      .filter(({ rows }) => rows.size > 0);
  }

  #reach(program: Program): Set<RowId>[] {
    return this.profiles.map((profile) =>
      findHazard(program, profile) === undefined ? rowsOf(program, profile) : new Set<RowId>(),
    );
  }

  #count(rows: readonly ReadonlySet<RowId>[], by: number): void {
    for (const [index, reached] of rows.entries()) {
      for (const row of reached) this.#counts[index]!.set(row, (this.#counts[index]!.get(row) ?? 0) + by);
    }
  }
}
