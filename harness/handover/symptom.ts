/** What a program shows: what its stand-alone form must show by itself. */
import type { Program } from '../../model/program.ts';
import type { Divergence } from '../compare/tally.ts';
import type { Finding } from '../divergence/keep.ts';

export type Symptom =
  /** Fields that differ, all of one step as a rule; the first is the one to be shown. None: all is as expected. */
  | { kind: 'divergence'; fields: readonly Divergence[] }
  /** The kernel complained in its log. */
  | {
      kind: 'splat';
      /** Such as "WARNING in folio_add_anon_rmap_ptes (mm/rmap.c:1508)". */
      title: string;
      /** Unless it came at some point until the end of the program. */
      step?: number;
    }
  /** The guest was lost: the kernel panicked, or nothing moved any more. */
  | { kind: 'lost'; reason: string; step?: number };

/** What a finding that was kept shows with its smallest program. */
export function symptomOf(
  { fingerprint, divergences, lost }: Pick<Finding, 'fingerprint' | 'divergences' | 'lost'>,
  { steps }: Program,
): Symptom {
  // Of steps that are alike, it takes the last.
  const found = steps.findLastIndex(({ op }) => op === fingerprint.operation);
  const step = found < 0 ? {} : { step: found };
  switch (fingerprint.kind) {
    case 'divergence':
      return { kind: 'divergence', fields: divergences as Divergence[] };
    case 'splat':
      return { kind: 'splat', title: fingerprint.seen, ...step };
    case 'lost':
      return { kind: 'lost', reason: lost ?? fingerprint.seen, ...step };
  }
}

/** The last step that matters; the number of steps: the end of the program, when its processes end. */
export function lastStep(symptom: Symptom, steps: number): number {
  if (symptom.kind !== 'divergence') return symptom.step ?? steps;
  return symptom.fields.length > 0 ? Math.max(...symptom.fields.map(({ step }) => step)) : steps - 1;
}
