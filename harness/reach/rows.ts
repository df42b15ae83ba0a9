/** Rows of all tables of model/coverage under one name each, for those who look for programs that reach them. */
import { apply } from '../../model/apply.ts';
import {
  type Coverage,
  CoverageRecorder,
  cover,
  newCoverage,
  reportCoverage,
  TABLE_NAMES,
} from '../../model/coverage/coverage.ts';
import { markObserved } from '../../model/observe.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program, Step } from '../../model/program.ts';
import type { State } from '../../model/state.ts';

/** `TABLE ROW`. */
export type RowId = string;

export function rowsIn(coverage: Coverage): RowId[] {
  return TABLE_NAMES.flatMap((table) => [...coverage[table].keys()].map((row) => `${table} ${row}`));
}

/** Rows of the tables that are not reached. */
export function rowsMissing(coverage: Coverage, profile: Profile): RowId[] {
  const tables = reportCoverage(coverage, profile);
  return TABLE_NAMES.flatMap((table) => tables[table].missing.map((row) => `${table} ${row}`));
}

/** What a program reaches. @throws as {@link cover} */
export function rowsOf(program: Program, profile: Profile): Set<RowId> {
  const coverage = newCoverage();
  cover(coverage, program, profile);
  return new Set(rowsIn(coverage));
}

/** Takes a step, and returns what it reaches. */
export function takeStep(state: State, step: Step, index: number): RowId[] {
  const coverage = newCoverage();
  const recorder = new CoverageRecorder(coverage, state);
  recorder.begin(step);
  recorder.end(step, apply(state, step, index));
  markObserved(state);
  return rowsIn(coverage);
}
