/**
 * What a migration begins and ends with once pages are collected: they leave all their mappings, and those go to the new pages,
 * or back (mm/migrate_device.c).
 */
import { isMapped } from './folio.ts';
import { freeFrame } from './frame.ts';
import { addToLru, drainLru } from './lru.ts';
import type { Refused, Source } from './migrate-collect.ts';
import { removeMigrationPtes, tryToMigrate } from './migration-entries.ts';
import type { Frame, State } from './state.ts';

/** What is needed of a source once it is collected; all that there is of one that is evicted. */
export type Moving = Pick<Source, 'frame'> & { page?: number };

/**
 * migrate_device_unmap(): what else maps the pages. A page that others hold references to is put back at once.
 *
 * @returns those that were not
 */
export function unmap<T extends Moving>(
  state: State,
  sources: readonly T[],
  refused?: Refused,
): readonly T[] {
  drainLru(state);
  for (const { frame } of sources) {
    if (frame === null) continue;
    // folio_isolate_lru()
    frame.onLru = false;
    if (isMapped(frame)) tryToMigrate(state, frame);
  }
  // migrate_vma_check_page(): of anonymous pages, pinned ones were not selected.
  const isBusy = ({ frame, page }: T) =>
    frame !== null && ((frame.file && frame.pinned) || (page !== undefined && refused?.get(page) === 'busy'));
  const busy = sources.filter(isBusy);
  if (busy.length === 0) return sources;
  putBack(state, busy);
  return sources.filter((source) => !isBusy(source));
}

/**
 * migrate_vma_finalize(): page by page, the entries are put back and the old page goes. One without a target stays, and so
 * does one of a file, whose target goes; a page of RAM was taken off the LRU and waits for it again.
 */
export function finalize(state: State, sources: readonly Moving[], targets: readonly (Frame | null)[]): void {
  sources.forEach(({ frame }, i) => {
    if (frame === null) return;
    const given = targets[i]!;
    if (given && frame.file) freeFrame(state, given);
    const target = frame.file ? null : given;
    const kept = target ?? frame;
    if (kept.kind === 'ram') addToLru(state, kept);
    removeMigrationPtes(state, frame, kept);
    if (target) freeFrame(state, frame);
    // Unmapped by others meanwhile.
    if (!isMapped(kept) && !kept.file) freeFrame(state, kept);
  });
}

/** They stay where they are. */
export function putBack(state: State, sources: readonly Moving[]): void {
  finalize(
    state,
    sources,
    sources.map(() => null),
  );
}
