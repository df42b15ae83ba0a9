/** Shorter programs that reach the same. */
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { reductions, singleRemovals } from '../divergence/reductions.ts';
import { findHazard } from '../programs/hazards.ts';
import { type RowId, rowsOf } from './rows.ts';

/** What a program is kept for on kernels of one profile. */
export interface Purpose {
  profile: Profile;
  rows: ReadonlySet<RowId>;
}

/** The program without the steps and the pages that no purpose needs. */
export function trim(program: Program, purposes: readonly Purpose[]): Program {
  const shorter = smallest(program, (current) => singleRemovals(current).reverse(), purposes);
  return smallest(shorter, withFewerPages, purposes);
}

function smallest(
  program: Program,
  candidates: (program: Program) => Program[],
  purposes: readonly Purpose[],
): Program {
  let current = program;
  for (;;) {
    const smaller = candidates(current).find((candidate) =>
      purposes.every((purpose) => serves(candidate, purpose)),
    );
    if (!smaller) return current;
    current = smaller;
  }
}

function withFewerPages(program: Program): Program[] {
  return [...reductions(program)].filter(
    (candidate) => candidate.steps.length === program.steps.length && pagesOf(candidate) < pagesOf(program),
  );
}

function pagesOf({ regions }: Program): number {
  return regions.reduce((sum, { pages }) => sum + pages, 0);
}

function serves(program: Program, { profile, rows }: Purpose): boolean {
  if (findHazard(program, profile) !== undefined) return false;
  const reached = rowsOf(program, profile);
  return [...rows].every((row) => reached.has(row));
}
