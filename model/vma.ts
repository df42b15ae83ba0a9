/** Mappings of one mm: look-up, split, map, unmap (mm/vma.c, mm/memory.c). */
import { dropMapping, dropPmdMapping } from './folio.ts';
import { freeHugetlbTable, isHugeAligned, isHugetlb, noteHugetlbZapped } from './hugetlb.ts';
import { drainLru } from './lru.ts';
import { invalidate } from './notifier.ts';
import { linkFile, noteZapped, setPageProt } from './page-cache.ts';
import { indexAt, moveStart } from './page-index.ts';
import { hugeEntry, pmdEnd, setPmd } from './page-table.ts';
import { PMD_PAGES, type Protection, type RegionId } from './program.ts';
import { newMarker } from './pte.ts';
import { anonVmaSplit, unlinkVma } from './rmap.ts';
import { splitPmd, splitPmdAt } from './split.ts';
import type { Frame, Mm, State, Vma } from './state.ts';
import { putSwap } from './swap.ts';

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
  const file = state.files[region]!;
  const shared = file?.isShared ?? false;
  const write = protection === 'read-write';
  const vma: Vma = {
    mm,
    region,
    first: 0,
    end: state.regions[region]!,
    pgoff: file && state.profile.anonIndexIsOfFile ? 0 : indexAt(state, region, 0),
    filePgoff: 0,
    read: protection !== 'none',
    write,
    // accountable_mapping()
    account: write && !shared && file?.kind !== 'hugetlb',
    locked: false,
    file,
    shared,
    madeWritable: false,
    softDirty: state.profile.softDirty,
    thp: null,
    uffdMissing: false,
    uffdWp: false,
    mergeable: false,
    anonVma: null,
    chain: [],
  };
  setPageProt(state, vma);
  mm.vmas[region] = [vma];
  linkFile(vma);
  return true;
}

/**
 * __split_vma(): the new vma is the lower part when `newBelow`, else the upper one.
 *
 * @returns false where hugetlb does not let it (hugetlb_vm_op_split), which is EINVAL
 */
export function splitVma(state: State, vma: Vma, at: number, newBelow: boolean): boolean {
  if (isHugetlb(vma) && !isHugeAligned(at)) return false;
  // vma_adjust_trans_huge()
  splitPmdAt(state, vma, at);
  const list = vma.mm.vmas[vma.region]!;
  const added: Vma = { ...vma, chain: [] };
  if (newBelow) added.end = at;
  else moveStart(added, at);
  anonVmaSplit(state.profile, vma, added, () => {
    if (newBelow) moveStart(vma, at);
    else vma.end = at;
  });
  list.splice(list.indexOf(vma) + (newBelow ? 0 : 1), 0, added);
  return true;
}

/**
 * do_vmi_munmap(): nothing happens, not even a notification, where nothing is mapped.
 *
 * @returns false for EINVAL, where a page of hugetlb would have to be cut; a vma stays split at the lower end then
 */
export function unmapRange(state: State, mm: Mm, region: RegionId, first: number, end: number): boolean {
  const overlaps = (vma: Vma) => vma.first < end && first < vma.end;
  if (!mm.vmas[region]!.some(overlaps)) return true;

  // vms_gather_munmap_vmas()
  const start = findVma(mm, region, first);
  if (start && start.first < first && !splitVma(state, start, first, true)) return false;
  const last = findVma(mm, region, end - 1);
  if (last && last.end > end && !splitVma(state, last, end, false)) return false;

  // unmap_vmas(): MMU_NOTIFY_UNMAP for the whole range that was asked for, holes included.
  invalidate(mm, region, first, end);
  const gone = mm.vmas[region]!.filter(overlaps);
  zapVmas(state, gone);
  mm.vmas[region] = mm.vmas[region]!.filter((vma) => !overlaps(vma));
  for (const vma of gone) freeTables(vma);
  freeHugetlbTable(mm, region);
  for (const vma of gone) unlinkVma(vma);
  return true;
}

/** free_pgtables(): the page tables of a vma that is gone, but for those that others have entries in. */
function freeTables(gone: Vma): void {
  const { mm, region } = gone;
  const pmds = mm.pmds[region]!;
  for (const index of pmds.keys()) {
    const first = index * PMD_PAGES;
    const end = first + PMD_PAGES;
    const overlaps = (vma: Vma) => vma.first < end && first < vma.end;
    if (overlaps(gone) && !mm.vmas[region]!.some(overlaps)) pmds[index] = null;
  }
}

/** unmap_vmas(), and tlb_finish_mmu() behind all of them. */
export function zapVmas(state: State, vmas: readonly Vma[]): void {
  const gather: Gathered[] = [];
  for (const vma of vmas) zapEntries(state, vma, vma.first, vma.end, true, gather);
  freeGathered(state, gather);
}

/** A page in a struct mmu_gather: it is freed with it. */
export interface Gathered {
  vma: Vma;
  frame: Frame;
}

/** tlb_batch_pages_flush(): what the batch of mlock holds goes in its turn only where the batches have been drained. */
export function freeGathered(state: State, gather: readonly Gathered[]): void {
  for (const { vma, frame } of gather) {
    dropMapping(state, vma, frame);
    if (state.profile.freeingDrains) drainLru(state);
  }
}

/**
 * zap_pmd_range(), which splits a PMD that it does not zap as a whole, and zap_pte_range(). Pages of present entries are freed
 * with the gather (zap_present_folio_ptes), those of others at once: of coherent devices that shows in what is free last.
 *
 * @param dropMarkers ZAP_FLAG_DROP_MARKER: else what userfaultfd protects in a mapping of a file stays protected
 * (zap_install_uffd_wp_if_needed)
 */
export function zapEntries(
  state: State,
  vma: Vma,
  first: number,
  end: number,
  dropMarkers: boolean,
  gather: Gathered[],
): void {
  const { mm, region } = vma;
  const keepsMarkers = !dropMarkers && vma.file !== null && vma.uffdWp;
  const ptes = mm.ptes[region]!;
  for (let page = first; page < end; ) {
    const stop = pmdEnd(page, end);
    const pmd = hugeEntry(mm, region, page);
    if (pmd !== null && stop - page === PMD_PAGES) {
      // zap_huge_pmd()
      setPmd(mm, region, page, null);
      if (isHugetlb(vma)) noteHugetlbZapped(pmd);
      dropPmdMapping(state, mm, pmd.frame);
      page = stop;
      continue;
    }
    if (pmd !== null) splitPmd(state, vma, page);
    // Dirty pages of files have the TLB flushed before the next vma, and lose their mapping then (tlb_flush_rmaps).
    const delayed: Gathered[] = [];
    for (; page < stop; page++) {
      const pte = ptes[page];
      if (!pte || (keepsMarkers && pte.kind === 'marker')) continue;
      const marks = keepsMarkers && pte.uffdWp;
      ptes[page] = marks ? newMarker('zap_install_uffd_wp_if_needed') : null;
      if (pte.frame.file && pte.kind === 'present') noteZapped(state, pte.frame, pte);
      // zap_nonpresent_ptes(): a migration entry is no mapping.
      if (pte.kind === 'swap') putSwap(state, pte.frame);
      else if (pte.kind === 'present' && pte.frame.kind === 'coherent')
        gather.push({ vma, frame: pte.frame });
      else if (pte.kind === 'present' && pte.frame.file && pte.dirty) delayed.push({ vma, frame: pte.frame });
      else if (pte.kind !== 'migration') dropMapping(state, vma, pte.frame);
    }
    if (delayed.length > 0) freeGathered(state, [...delayed, ...gather.splice(0)]);
  }
}
