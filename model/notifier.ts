/**
 * MMU notifiers as test_hmm hears them (lib/test_hmm.c, dmirror_interval_invalidate and dmirror_do_update): what
 * drops entries of a device's own page table.
 */
import type { DeviceMinor, RegionId } from './program.ts';
import { type DeviceFile, emptyTables, type Mm, type State } from './state.ts';

/**
 * Invalidation of pages `first` to `end` (exclusive) of a region in every file that mirrors `mm`.
 *
 * One page too many goes: dmirror_do_update() gives the exclusive end to xa_for_each_range(), whose last index is
 * inclusive.
 *
 * @param owner minor that migrates (MMU_NOTIFY_MIGRATE); its own files ignore the event. Undefined for all other
 * events: MMU_NOTIFY_UNMAP, CLEAR, PROTECTION_PAGE.
 */
export function invalidate(mm: Mm, region: RegionId, first: number, end: number, owner?: DeviceMinor): void {
  for (const file of mm.mirrors) {
    if (file.minor === owner) continue;
    const table = file.pt[region]!;
    for (let page = first; page <= end && page < table.length; page++) table[page] = null;
  }
}

/** mmu_notifier_release() when the mm goes: MMU_NOTIFY_RELEASE over everything. */
export function release(state: State, mm: Mm): void {
  for (const file of mm.mirrors) file.pt = emptyTables(state);
}

/** mmu_interval_notifier_insert() and _remove() of dmirror_fops_open() and _release(). */
export function register(file: DeviceFile): void {
  file.mm.mirrors.push(file);
}

export function unregister(file: DeviceFile): void {
  file.mm.mirrors.splice(file.mm.mirrors.indexOf(file), 1);
}
