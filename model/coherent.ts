/**
 * Pages of coherent devices (MEMORY_DEVICE_COHERENT): memory that CPUs reach as well, so that its entries are present ones
 * and nothing faults on it. What happens to such an entry is what happens to a page in RAM, but for:
 *
 * - migrate_vma: they are selected by the device alone (model/migrate-collect.ts, isSelected); one device does not take them from
 *   another, nor does a private one
 * - they are on no LRU list, and pass for offline in /proc/kpageflags and kpagecount
 * - MADV_FREE, COLD, PAGEOUT, and mlock() of a page that is there, leave them alone (folio_is_zone_device)
 * - a pin for long has them moved to RAM first
 */
import { evictFrames } from './migrate.ts';
import type { Profile } from './profile.ts';
import type { Frame, State } from './state.ts';

/** kpage_read(): what /proc/kpagecount shows where pfn_to_online_page() finds nothing, if it goes so far. */
export function coherentCount({ showsCoherentPages }: Profile): number | undefined {
  return showsCoherentPages ? 0 : undefined;
}

/**
 * folio_mark_accessed() of a page that is neither on the LRU nor in a batch: the second time, PG_referenced goes, and it
 * becomes active nowhere.
 */
export function markCoherentAccessed(frame: Frame): void {
  if (frame.referenced === false) frame.referenced = true;
  else if (frame.unevictable || frame.active === true) return;
  else frame.referenced = frame.active === false && frame.referenced ? false : undefined;
}

/** migrate_device_coherent_folio(), for GUP with FOLL_LONGTERM: to RAM in all processes, whatever devices know of it. */
export function migrateCoherentFolio(state: State, frame: Frame): void {
  for (const _phase of evictFrames(state, [frame]));
}
