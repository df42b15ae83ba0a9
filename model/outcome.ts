import type { Outcome } from './observation.ts';
import type { Rule } from './state.ts';

/** What a step must yield, beside its trace events and what can be observed afterwards. */
export interface Expected {
  outcome: Outcome;
  /** hmm_dmirror_cmd.cpages and .faults, of an ioctl that returns 0. */
  cpages?: number;
  faults?: number;
  /** The word that fills each page that the call reads, in order; when the call succeeds. */
  data?: number[];
  /** What SNAPSHOT returns, one byte per page of its range; when the call succeeds. */
  bytes?: Uint8Array;
  /** How often a userfaultfd was asked. */
  messages?: number;
  /** The kernel function that decides the outcome. */
  rule: Rule;
}

export function succeed(
  rule: Rule,
  rest: Pick<Expected, 'cpages' | 'faults' | 'data' | 'bytes'> = {},
): Expected {
  return { outcome: { kind: 'ok' }, rule, ...rest };
}

export function failWith(errno: string, rule: Rule): Expected {
  return { outcome: { kind: 'errno', errno }, rule };
}
