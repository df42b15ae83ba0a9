/**
 * MADV_PAGEOUT of folios of order 9 (mm/madvise.c, madvise_cold_or_pageout_pte_range; mm/vmscan.c, shrink_folio_list): one that
 * a single mm maps whole, within what is advised, goes out as it is; of another one, what is not shared is split first.
 */
import { isFolded } from './folded-ptes.ts';
import { addToLru } from './lru.ts';
import { spreadPmd } from './migration-entries.ts';
import { entryAt, hugeEntry } from './page-table.ts';
import { PMD_PAGES } from './program.ts';
import { splitFolio } from './split.ts';
import type { Frame, State, Vma } from './state.ts';
import { notifyMappings, swapOutFolio } from './swap.ts';
import { countVmEvent } from './vm-events.ts';

/**
 * Pages `first` to `end` (exclusive), which one PMD covers. Pages of order 0 are left, also those that were split now.
 */
export function pageOutFolios(state: State, vma: Vma, first: number, end: number): void {
  const pmd = hugeEntry(vma.mm, vma.region, first);
  if (pmd) {
    const { frame: head } = pmd;
    if (pmd.kind !== 'present' || head.kind !== 'ram' || isMappedShared(state, head)) return;
    if (end - first === PMD_PAGES) reclaimFolio(state, vma, first, head);
    else if (!head.pinned) splitFolio(state, head);
    // One that is still mapped as a whole has no PTEs.
    return;
  }
  for (let page = first; page < end; ) {
    const pte = vma.mm.ptes[vma.region]![page];
    const head = pte?.kind === 'present' && pte.frame.kind === 'ram' ? pte.frame.head : null;
    if (!head?.large) {
      page++;
      continue;
    }
    const length = batch(vma, page, end);
    if (length === PMD_PAGES) {
      if (head.large.entries === PMD_PAGES) reclaimFolio(state, vma, page, head);
    } else if (!isMappedShared(state, head) && !head.pinned) {
      splitFolio(state, head);
    }
    page += length;
  }
}

/**
 * madvise_folio_pte_batch(): how many pages of one folio are mapped from `page` on, one after the other, by entries that are
 * the same but for what folio_pte_batch_flags() leaves out, which PTE_CONT is not.
 */
function batch(vma: Vma, page: number, end: number): number {
  const ptes = vma.mm.ptes[vma.region]!;
  const folded = isFolded(ptes, page);
  const { head, offset } = ptes[page]!.frame;
  let length = 1;
  while (page + length < end) {
    const pte = ptes[page + length];
    if (pte?.kind !== 'present' || pte.frame !== head.pages![offset + length]) break;
    if (isFolded(ptes, page + length) !== folded) break;
    length++;
  }
  return length;
}

/** folio_maybe_mapped_shared(); folio_likely_mapped_shared() of 6.12 asks the first page. */
function isMappedShared({ profile }: State, { large, entireMapcount, mapcount }: Frame): boolean {
  const { entries, shared } = large!;
  if (entries <= 1) return false;
  if (profile.largeFolioIsReused) return shared;
  return entireMapcount > 0 || entries > PMD_PAGES || mapcount > 1;
}

/** shrink_folio_list(): to swap as a whole (CONFIG_THP_SWAP); without swap, it is split, and its pages are active. */
function reclaimFolio(state: State, vma: Vma, first: number, head: Frame): void {
  head.referenced = false;
  head.active = false;
  if (head.pinned || head.unevictable) {
    addToLru(state, head);
    return;
  }
  if (state.swap) {
    notifyMappings(vma, head);
    const pmd = hugeEntry(vma.mm, vma.region, first);
    // try_to_unmap_one(), TTU_SPLIT_HUGE_PMD
    if (pmd) {
      countVmEvent(state, 'thp_split_pmd');
      spreadPmd(vma, first, pmd);
    }
    swapOutFolio(state, vma, first, head);
    return;
  }
  head.onLru = false;
  splitFolio(state, head);
  for (let page = first; page < first + PMD_PAGES; page++) {
    const frame = entryAt(vma.mm, vma.region, page)!.frame;
    if (frame.kind !== 'ram') continue;
    frame.active = true;
    addToLru(state, frame);
  }
}
