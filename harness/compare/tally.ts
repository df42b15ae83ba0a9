/** What was compared, where freedom was used, and what differed. */
import { GAUGES } from '../../model/meminfo.ts';
import { SMAPS_FIELDS } from '../../model/observation.ts';
import type { ProcessId, RegionId } from '../../model/program.ts';
import { VM_EVENT_NAMES } from '../../model/vm-events.ts';
import type { InvariantTally } from './invariant-tally.ts';

/** Everything that a transcript says is compared under one of these names. */
export const FIELDS = [
  'steps',
  'end',
  'outcome',
  'cpages',
  'faults',
  'messages',
  'data',
  'bytes',
  'processes',
  'regions',
  'pagemap.kind',
  'pagemap.frame',
  'pagemap.soft-dirty',
  'pagemap.exclusive',
  'pagemap.uffd',
  'pagemap.other-bits',
  'kpageflags',
  'kpageflags.free',
  'kpagecount',
  'words',
  'mincore',
  'scan',
  'scan.ranges',
  'status.rss-anon',
  'status.rss-file',
  'status.rss-shmem',
  'status.swap',
  'smaps.mappings',
  'smaps.VmFlags',
  ...SMAPS_FIELDS.map((name) => `smaps.${name}` as const),
  'snapshot.outcome',
  'snapshot.bytes',
  'trace.count',
  'trace.event',
  'trace.kind',
  'trace.frame',
  'trace.bits',
  'trace.fault',
  ...VM_EVENT_NAMES.map((name) => `vmstat.${name}` as const),
  ...GAUGES.map((name) => `meminfo.${name}` as const),
  /** Counted by {@link Comparison.invariants}. */
  'invariant',
] as const;

export type FieldName = (typeof FIELDS)[number];

/** What is checked of a kernel's observations without the model (invariants.ts), and of the model's state. */
export const INVARIANTS = [
  'content-is-kept',
  'one-writer',
  'page-once-per-process',
  'device-page-in-chunk',
  'device-entry-bits',
  'no-migration-entry',
  'rss-is-pagemap',
  'swap-is-pagemap',
  'smaps-is-pagemap',
  'rss-is-its-parts',
  'rollup-is-sum',
  'mincore-is-pagemap',
  'scan-is-pagemap',
  'kpagecount-is-pagemap',
  'snapshot-is-pagemap',
  'cpages-is-npages',
  'cpages-is-moved-pages',
  'migrated-pages-are-gone',
  'migration-entries-settle',
  'no-migrate-pages',
  'model-state',
] as const;

export type InvariantName = (typeof INVARIANTS)[number];

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
  /** The same by field. */
  slackByField: Partial<Record<FieldName, number>>;
  /** How often each invariant was checked. */
  invariants: Record<InvariantName, number>;
  /** All of the first step that differs; later steps are consequences and are not compared. */
  divergences: Divergence[];
  /** Steps that were compared, the differing one included. */
  steps: number;
}

export class Tally {
  readonly fieldsCompared: Record<FieldName, number>;
  readonly slack: Record<string, number> = {};
  readonly slackByField: Partial<Record<FieldName, number>> = {};
  readonly invariants: Record<InvariantName, number>;
  readonly divergences: Divergence[] = [];

  constructor() {
    this.invariants = Object.fromEntries(INVARIANTS.map((name) => [name, 0])) as Record<
      InvariantName,
      number
    >;
    this.fieldsCompared = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Record<FieldName, number>;
  }

  /** Counts comparisons in which all was as it must be. */
  same(field: FieldName, times: number): void {
    this.fieldsCompared[field] += times;
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

  /** Compares two values that are told in the same words. */
  equal<T>(
    expected: T,
    seen: T,
    place: Place,
    field: FieldName,
    rule: string,
    describe: (value: T) => string = String,
  ): boolean {
    this.fieldsCompared[field]++;
    if (expected === seen) return true;
    this.divergences.push({ ...place, field, rule, expected: describe(expected), seen: describe(seen) });
    return false;
  }

  /** Adds what was checked of invariants. */
  add({ checked, divergences }: InvariantTally): void {
    for (const [name, times] of checked) this.invariants[name] += times;
    this.divergences.push(...divergences);
  }

  /** Adds all that another has. */
  merge(other: Tally): void {
    addCounts(this.fieldsCompared, other.fieldsCompared);
    addCounts(this.slack, other.slack);
    addCounts(this.slackByField as Record<string, number>, other.slackByField as Record<string, number>);
    addCounts(this.invariants, other.invariants);
    this.divergences.push(...other.divergences);
  }

  /** Counts a comparison in which what was seen is taken as the truth. */
  adopt(field: FieldName, slack: string): void {
    this.fieldsCompared[field]++;
    this.slackByField[field] = (this.slackByField[field] ?? 0) + 1;
    this.note(slack);
  }

  note(slack: string, times = 1): void {
    this.slack[slack] = (this.slack[slack] ?? 0) + times;
  }
}

function addCounts(into: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(from)) into[name] = (into[name] ?? 0) + times;
}
