/** What to look for: rows that nothing reaches, as an operation and the state of a page that it is to meet. */
import { type Coverage, reportCoverage } from '../../model/coverage/coverage.ts';
import type { Profile } from '../../model/profile.ts';
import type { OrdinaryStep } from '../../model/program.ts';

export interface Target {
  op: OrdinaryStep['op'];
  from: string;
}

/** Of the rows of transitions that `coverage` lacks. */
export function targetsOf(coverage: Coverage, profile: Profile): Target[] {
  return reportCoverage(coverage, profile).transitions.missing.map(parseTransition);
}

export function parseTransition(row: string): Target & { to: string } {
  const [, op, from, to] = /^(\S+)(?: \S+)?: (\S+) > (\S+)$/.exec(row)!;
  return { op: op as OrdinaryStep['op'], from: from!, to: to! };
}
