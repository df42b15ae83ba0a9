/** What comparing programs gave, summed up as it comes: the transcripts of thousands do not fit into memory. */
import { z } from 'zod';
import type { Comparison, Divergence } from '../compare/compare.ts';

const count = z.int().nonnegative();
const counts = z.record(z.string(), count);

export const tallySchema = z.strictObject({
  programs: count,
  steps: count,
  /** Comparisons by field, and uses of freedom by its name. */
  fields: counts,
  slack: counts,
  /** How many of `fields` were slack; how often each invariant was checked. */
  slackByField: counts,
  invariants: counts,
  /** Programs that diverge, by their names. */
  diverged: z.array(
    z.strictObject({
      program: z.string(),
      divergences: z.array(z.custom<Divergence>((value) => typeof value === 'object' && value !== null)),
    }),
  ),
});

export type Tally = z.output<typeof tallySchema>;

export function emptyTally(): Tally {
  return { programs: 0, steps: 0, fields: {}, slack: {}, slackByField: {}, invariants: {}, diverged: [] };
}

/** Adds one program's comparison. */
export function addComparison(tally: Tally, program: string, comparison: Comparison): void {
  tally.programs++;
  tally.steps += comparison.steps;
  addCounts(tally.fields, comparison.fieldsCompared);
  addCounts(tally.slack, comparison.slack);
  addCounts(tally.slackByField, comparison.slackByField);
  addCounts(tally.invariants, comparison.invariants);
  const { divergences } = comparison;
  if (divergences.length > 0) tally.diverged.push({ program, divergences });
}

/** Adds what another tally has. */
export function addTally(tally: Tally, other: Tally): void {
  tally.programs += other.programs;
  tally.steps += other.steps;
  addCounts(tally.fields, other.fields);
  addCounts(tally.slack, other.slack);
  addCounts(tally.slackByField, other.slackByField);
  addCounts(tally.invariants, other.invariants);
  tally.diverged.push(...other.diverged);
}

function addCounts(into: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(from)) into[name] = (into[name] ?? 0) + number;
}
