/**
 * madvise(2) with advice about what memory is still needed: MADV_DONTNEED, FREE, COLD and PAGEOUT (mm/madvise.c). The
 * agent drains the LRU batches after each, so that what they wait to do is done when it looks.
 */
import { dropMapping } from './folio.ts';
import { pageOutFolios } from './huge-reclaim.ts';
import { isHugeAligned, isHugetlb } from './hugetlb.ts';
import { addToLru, drainLru } from './lru.ts';
import { invalidate } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { hugeEntry, pmdEnd, pmdStart, setPmd } from './page-table.ts';
import { type PageRange, PMD_PAGES, type ReclaimAdvice } from './program.ts';
import { pageOutOfFile } from './reclaim-file.ts';
import type { Process, Pte, State, Vma } from './state.ts';
import { freeSwap, notifyMappings, putSwap, swapOut } from './swap.ts';
import { freeGathered, type Gathered, zapEntries } from './vma.ts';

export function adviseReclaim(
  state: State,
  process: Process,
  at: PageRange,
  advice: ReclaimAdvice,
): Expected {
  // madvise_init_tlb()
  const gather: Gathered[] = [];
  const expected = walkVmas(state, process, at, advice, gather);
  freeGathered(state, gather);
  drainLru(state);
  return expected;
}

/**
 * madvise_walk_vmas(): holes are passed over, and make it ENOMEM in the end; a locked vma ends it with EINVAL, and one of a
 * file for FREE.
 */
function walkVmas(
  state: State,
  { mm }: Process,
  at: PageRange,
  advice: ReclaimAdvice,
  gather: Gathered[],
): Expected {
  const { rule, locked, apply } = ADVISE[advice];
  const end = at.first + at.count;
  let mapped = 0;
  for (const vma of mm.vmas[at.region]!) {
    const first = Math.max(vma.first, at.first);
    const stop = Math.min(vma.end, end);
    if (first >= stop) continue;
    mapped += stop - first;
    if (vma.locked || (isHugetlb(vma) && !isForHugetlb(advice, first))) return failWith('EINVAL', locked);
    if (vma.file && advice === 'free') return failWith('EINVAL', 'madvise_free_single_vma');
    drainLru(state);
    // madvise_dontneed_free_valid_vma() rounds down what is not a whole page of hugetlb.
    const whole = isHugetlb(vma) ? pmdStart(stop) : stop;
    if (first < whole) apply(state, vma, first, whole, gather);
  }
  return mapped === at.count ? succeed(rule) : failWith('ENOMEM', 'madvise_walk_vmas');
}

/** madvise_dontneed_free_valid_vma() and can_madv_lru_vma(): hugetlb takes no other advice, and no part of a page is begun with. */
function isForHugetlb(advice: ReclaimAdvice, first: number): boolean {
  return advice === 'dontneed' && isHugeAligned(first);
}

interface Advised {
  rule: string;
  locked: string;
  apply: (state: State, vma: Vma, first: number, end: number, gather: Gathered[]) => void;
}

const ADVISE: Readonly<Record<ReclaimAdvice, Advised>> = {
  dontneed: { rule: 'zap_page_range_single', locked: 'madvise_dontneed_free_valid_vma', apply: dontNeed },
  free: { rule: 'madvise_free_single_vma', locked: 'madvise_dontneed_free_valid_vma', apply: free },
  cold: { rule: 'madvise_cold', locked: 'can_madv_lru_vma', apply: cold },
  pageout: { rule: 'madvise_pageout', locked: 'can_madv_lru_vma', apply: pageOut },
};

/**
 * zap_page_range_single(): MMU_NOTIFY_CLEAR, and every entry goes, that of a device page too. 7.3 then frees page tables
 * that are empty (zap_empty_pte_table).
 */
function dontNeed(state: State, vma: Vma, first: number, end: number, gather: Gathered[]): void {
  const { mm, region } = vma;
  invalidate(mm, region, first, end);
  zapEntries(state, vma, first, end, false, gather);
  if (!state.profile.freesEmptyTables) return;
  for (let page = first; page < end; page = pmdEnd(page, end)) {
    if (pmdEnd(page, end) - page === PMD_PAGES) setPmd(mm, region, page, null);
  }
}

/**
 * madvise_free_pte_range(): pages become clean, and are taken back under pressure only (folio_mark_lazyfree,
 * lru_lazyfree). A page that is dirty or in the swap cache is left alone where others map it, and so are entries of devices:
 * but the notification, MMU_NOTIFY_CLEAR, is for all. Swap entries go at once.
 */
function free(state: State, vma: Vma, first: number, end: number): void {
  invalidate(vma.mm, vma.region, first, end);
  const ptes = vma.mm.ptes[vma.region]!;
  for (let page = first; page < end; page++) {
    const pte = ptes[page];
    if (pte?.kind !== 'swap') continue;
    ptes[page] = null;
    putSwap(state, pte.frame);
  }
  for (const { pte } of ramPages(vma, first, end)) {
    const { frame } = pte;
    if ((frame.dirty !== false || frame.cached) && frame.mapcount !== 1) continue;
    if (!freeSwap(frame)) continue;
    frame.dirty = false;
    pte.young = false;
    pte.dirty = false;
    if (frame.swapBacked === false || frame.unevictable) continue;
    frame.swapBacked = false;
    frame.active = false;
    frame.referenced = false;
  }
}

/** madvise_cold_or_pageout_pte_range(): pages that nobody else maps leave the active list (lru_deactivate). */
function cold(_state: State, vma: Vma, first: number, end: number): void {
  for (const { pte } of ramPages(vma, first, end)) {
    if (pte.frame.mapcount !== 1) continue;
    pte.young = false;
    pte.frame.referenced = false;
    pte.frame.active = false;
  }
}

/**
 * The same for MADV_PAGEOUT, and reclaim_pages() (mm/vmscan.c). A page goes to swap; without swap it stays, and is active
 * afterwards (shrink_folio_list, activate_locked). One that MADV_FREE made clean goes. An unevictable one is put back at once:
 * a page of ramfs, or one that was on a device or exclusive when its mapping was munlocked.
 */
function pageOut(state: State, vma: Vma, first: number, end: number): void {
  for (let page = first; page < end; page = pmdEnd(page, end)) {
    const stop = pmdEnd(page, end);
    pageOutFolios(state, vma, page, stop);
    if (hugeEntry(vma.mm, vma.region, page) === null) pageOutPages(state, vma, page, stop);
  }
}

function pageOutPages(state: State, vma: Vma, first: number, end: number): void {
  for (const { page, pte } of ramPages(vma, first, end)) {
    const { frame } = pte;
    if (frame.head.large || frame.mapcount !== 1) continue;
    frame.referenced = false;
    if (frame.unevictable) {
      // folio_putback_lru()
      addToLru(state, frame);
      continue;
    }
    if (frame.file) {
      pageOutOfFile(state, vma, page, pte, frame.file);
      continue;
    }
    const swapBacked = frame.swapBacked !== false;
    if (!swapBacked && tryToUnmap(state, vma, page, pte)) continue;
    if (swapBacked && state.swap && !frame.pinned) {
      notifyMappings(vma, frame);
      swapOut(state, vma, page, pte);
      continue;
    }
    // shrink_folio_list(): a pinned page is kept where it is (keep_locked).
    frame.active = !(frame.pinned && swapBacked);
    addToLru(state, frame);
  }
}

/** try_to_unmap(): a lazily freed page goes, unless it was written to since; then it is an ordinary one again. */
function tryToUnmap(state: State, vma: Vma, page: number, pte: Pte): boolean {
  const { frame } = pte;
  if (pte.dirty) frame.dirty = true;
  const gone = !frame.dirty && !frame.pinned;
  notifyMappings(vma, frame);
  if (!gone) {
    if (frame.dirty || !state.profile.lazyFreeLasts) frame.swapBacked = true;
    return false;
  }
  vma.mm.ptes[vma.region]![page] = null;
  dropMapping(state, vma, frame);
  return true;
}

/** vm_normal_folio(): present pages of RAM, the zero page not. */
function ramPages(vma: Vma, first: number, end: number): { page: number; pte: Pte }[] {
  const found: { page: number; pte: Pte }[] = [];
  for (let page = first; page < end; page++) {
    const pte = vma.mm.ptes[vma.region]![page];
    if (pte?.kind === 'present' && pte.frame.kind === 'ram') found.push({ page, pte });
  }
  return found;
}
