/** What to look for: rows that nothing reaches, as an operation and the state of a page that it is to meet. */
import { type Coverage, reportCoverage } from '../../model/coverage/coverage.ts';
import type { Profile } from '../../model/profile.ts';
import type { OrdinaryStep } from '../../model/program.ts';

export interface Target {
  op: OrdinaryStep['op'];
  from: string;
}

/** A row of the transitions: what the operation makes of a page, in its range or `elsewhere`. */
export interface Transition extends Target {
  to: string;
  elsewhere: boolean;
}

/** The rows of transitions that `coverage` lacks. */
export function targetsOf(coverage: Coverage, profile: Profile): Transition[] {
  return reportCoverage(coverage, profile).transitions.missing.map(parseTransition);
}

export function parseTransition(row: string): Transition {
  const [, op, where, from, to] = /^(\S+?)(?: (\S+))?: (\S+) > (\S+)$/.exec(row)!;
  return { op: op as OrdinaryStep['op'], from: from!, to: to!, elsewhere: where === 'elsewhere' };
}
