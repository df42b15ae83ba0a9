/** Mappings of one mm: look-up, split, map, unmap (mm/vma.c, mm/memory.c). */
import { invalidate } from './notifier.ts';
import type { Protection, RegionId } from './program.ts';
import { anonVmaSplit, unlinkAnonVmas } from './rmap.ts';
import { dropMapping, type Mm, type State, tableOf, type Vma } from './state.ts';

/** vma_lookup() */
export function findVma(mm: Mm, region: RegionId, page: number): Vma | undefined {
  for (const vma of mm.vmas[region]!) if (vma.first <= page && page < vma.end) return vma;
  return undefined;
}

/**
 * mmap() of a whole region with MAP_FIXED_NOREPLACE; false when something is in its way. A new vma is soft-dirty as
 * a whole (__mmap_complete).
 */
export function mapRegion(state: State, mm: Mm, region: RegionId, protection: Protection): boolean {
  if (mm.vmas[region]!.length > 0) return false;
  mm.vmas[region] = [
    {
      mm,
      region,
      first: 0,
      end: state.regions[region]!,
      read: protection !== 'none',
      write: protection === 'read-write',
      account: protection === 'read-write',
      locked: false,
      softDirty: state.profile.softDirty,
      anonVma: null,
      chain: [],
    },
  ];
  return true;
}

/** __split_vma(): the new vma is the lower part when `newBelow`, else the upper one. */
export function splitVma(state: State, vma: Vma, at: number, newBelow: boolean): void {
  const list = vma.mm.vmas[vma.region]!;
  const added: Vma = { ...vma, chain: [] };
  if (newBelow) added.end = at;
  else added.first = at;
  anonVmaSplit(state.profile, vma, added, () => {
    if (newBelow) vma.first = at;
    else vma.end = at;
  });
  list.splice(list.indexOf(vma) + (newBelow ? 0 : 1), 0, added);
}

/** do_vmi_munmap(): nothing happens, not even a notification, where nothing is mapped. */
export function unmapRange(state: State, mm: Mm, region: RegionId, first: number, end: number): void {
  const overlaps = (vma: Vma) => vma.first < end && first < vma.end;
  if (!mm.vmas[region]!.some(overlaps)) return;

  // vms_gather_munmap_vmas()
  const start = findVma(mm, region, first);
  if (start && start.first < first) splitVma(state, start, first, true);
  const last = findVma(mm, region, end - 1);
  if (last && last.end > end) splitVma(state, last, end, false);

  // unmap_vmas(): MMU_NOTIFY_UNMAP for the whole range that was asked for, holes included.
  invalidate(mm, region, first, end);
  const gone = mm.vmas[region]!.filter(overlaps);
  for (const vma of gone) zapVma(state, vma);
  mm.vmas[region] = mm.vmas[region]!.filter((vma) => !overlaps(vma));
  for (const vma of gone) freeTables(vma);
  for (const vma of gone) unlinkAnonVmas(vma);
}

/** free_pgtables(): the page tables of a vma that is gone, but for those that others have entries in. */
function freeTables({ mm, region, first, end }: Vma): void {
  for (let table = tableOf(region, first); table <= tableOf(region, end - 1); table++) {
    const used = mm.vmas[region]!.some(
      (vma) => tableOf(region, vma.first) <= table && table <= tableOf(region, vma.end - 1),
    );
    if (!used) mm.tables.delete(table);
  }
}

/** zap_pte_range() over a whole vma. */
export function zapVma(state: State, vma: Vma): void {
  const ptes = vma.mm.ptes[vma.region]!;
  for (let page = vma.first; page < vma.end; page++) {
    const pte = ptes[page];
    if (!pte) continue;
    ptes[page] = null;
    dropMapping(state, pte.frame);
  }
}
