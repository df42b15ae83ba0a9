/** Invariants of trace events. */
import type { TraceEvent } from '../../model/observation.ts';
import { isHugeRegion, type Program } from '../../model/program.ts';
import type { ComparableTranscript } from './compare.ts';
import type { InvariantTally } from './invariant-tally.ts';

/** Events of migrate_pages(), through which no device page goes: compaction, or something else that pollutes the run. */
const FOREIGN: readonly TraceEvent['name'][] = ['mm_migrate_pages', 'mm_migrate_pages_start'];

export function checkTrace(tally: InvariantTally, program: Program, transcript: ComparableTranscript): void {
  // When a folio falls apart, its pages that are all zeroes give way to the zero page without an event
  // (mm/migrate.c, try_to_map_unused_to_zeropage).
  const settles = !program.regions.some(({ pages }) => isHugeRegion(pages));
  const steps = [
    ...transcript.steps.map(({ step, events }) => ({ step, events })),
    { step: transcript.steps.length, events: transcript.finalEvents },
  ];
  for (const { step, events } of steps) {
    const foreign = events.filter(({ name }) => FOREIGN.includes(name)).length;
    tally.check('no-migrate-pages', foreign === 0, { step }, () => `${foreign} events of migrate_pages()`);
    // Somebody may unmap a page while it migrates.
    if (!settles || events.length === 0 || program.steps[step]?.op === 'together') continue;
    for (const level of ['pte', 'pmd'] as const) checkBalance(tally, step, events, level);
  }
}

/** Every migration entry that is set is removed in the same step; one that migrate_vma() places itself fires no event. */
function checkBalance(
  tally: InvariantTally,
  step: number,
  events: readonly TraceEvent[],
  level: 'pte' | 'pmd',
): void {
  const balance = new Map<bigint, number>();
  for (const { name, addr } of events) {
    if (name === `set_migration_${level}`) balance.set(addr, (balance.get(addr) ?? 0) + 1);
    if (name === `remove_migration_${level}`) balance.set(addr, (balance.get(addr) ?? 0) - 1);
  }
  for (const [addr, left] of balance) {
    tally.check(
      'migration-entries-settle',
      left <= 0,
      { step },
      () => `${left} migration entries more set than removed at 0x${addr.toString(16)}`,
    );
  }
}
