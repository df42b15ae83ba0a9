/**
 * Counters of /proc/vmstat (include/linux/vm_event_item.h) that only what programs do moves in a guest, and by amounts that
 * are known.
 */
import type { State } from './state.ts';

/** Each with the kernel function that counts. */
export const VM_EVENTS = {
  // Neither migrate_vma_*() nor migrate_device_*() goes through there.
  pgmigrate_success: 'migrate_pages',
  pgmigrate_fail: 'migrate_pages',
  thp_migration_success: 'migrate_pages',
  thp_fault_alloc: 'map_anon_folio_pmd_pf, migrate_vma_insert_huge_pmd_page',
  // Not by folio_split_unmapped(), which migrate_vma_pages() uses.
  thp_split_page: '__folio_split',
  thp_split_pmd: '__split_huge_pmd_locked',
  thp_swpout: '__swap_writepage',
  pswpin: 'swap_read_folio',
  pswpout: '__swap_writepage',
  // Pages of zeroes are not written (swap_zeromap_folio_set).
  swpin_zero: 'swap_read_folio_zeromap',
  swpout_zero: 'swap_writeout',
} as const;

export type VmEvent = keyof typeof VM_EVENTS;
export const VM_EVENT_NAMES = Object.keys(VM_EVENTS) as VmEvent[];
export type VmEvents = Record<VmEvent, number>;

export function noVmEvents(): VmEvents {
  return Object.fromEntries(VM_EVENT_NAMES.map((name) => [name, 0])) as VmEvents;
}

/** count_vm_events() */
export function countVmEvent({ vmEvents }: State, name: VmEvent, count = 1): void {
  vmEvents[name] += count;
}
