/** What was compared, where freedom was used, and what differed. */
import type { ProcessId, RegionId } from '../../model/program.ts';

/** Everything that a transcript says is compared under one of these names. */
export const FIELDS = [
  'steps',
  'end',
  'outcome',
  'cpages',
  'faults',
  'data',
  'bytes',
  'processes',
  'regions',
  'pagemap.kind',
  'pagemap.frame',
  'pagemap.soft-dirty',
  'pagemap.exclusive',
  'pagemap.other-bits',
  'kpageflags',
  'kpageflags.free',
  'kpagecount',
  'words',
  'mincore',
  'scan',
  'scan.ranges',
  'status.rss-anon',
  'status.swap',
  'snapshot.outcome',
  'snapshot.bytes',
  'trace.count',
  'trace.event',
  'trace.kind',
  'trace.frame',
  'trace.bits',
  'trace.fault',
] as const;

export type FieldName = (typeof FIELDS)[number];

/** Where in a transcript something stands. */
export interface Place {
  /** 0-based; the number of steps for the end of the program. */
  step: number;
  process?: ProcessId;
  region?: RegionId;
  page?: number;
}

export interface Divergence extends Place {
  field: FieldName;
  /** Both decoded, for people. */
  expected: string;
  seen: string;
  /** The kernel function that the expectation stands for. */
  rule: string;
}

export interface Comparison {
  fieldsCompared: Record<FieldName, number>;
  /** How often the model allowed more than one outcome and took the one that was seen, by the name of the freedom. */
  slack: Record<string, number>;
  /** All of the first step that differs; later steps are consequences and are not compared. */
  divergences: Divergence[];
  /** Steps that were compared, the differing one included. */
  steps: number;
}

export class Tally {
  readonly fieldsCompared: Record<FieldName, number>;
  readonly slack: Record<string, number> = {};
  readonly divergences: Divergence[] = [];

  constructor() {
    this.fieldsCompared = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Record<FieldName, number>;
  }

  /** Counts a comparison; the texts are made only when it failed. */
  check(
    same: boolean,
    place: Place,
    field: FieldName,
    rule: string,
    expected: () => string,
    seen: () => string,
  ): boolean {
    this.fieldsCompared[field]++;
    if (!same) this.divergences.push({ ...place, field, rule, expected: expected(), seen: seen() });
    return same;
  }

  /** Counts `times` comparisons that all went well, where one look told so. */
  count(field: FieldName, times: number): void {
    this.fieldsCompared[field] += times;
  }

  /** Counts a comparison in which what was seen is taken as the truth. */
  adopt(field: FieldName, slack: string): void {
    this.fieldsCompared[field]++;
    this.note(slack);
  }

  note(slack: string, times = 1): void {
    this.slack[slack] = (this.slack[slack] ?? 0) + times;
  }
}
