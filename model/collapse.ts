/**
 * madvise(2) with MADV_COLLAPSE (mm/khugepaged.c), which takes private anonymous memory: what a page table of PTEs maps is copied to
 * a folio of order 9, which a PMD maps then. What devices have of it comes back first.
 */
import { handleFault } from './fault.ts';
import { dropMapping, newRamFolio } from './folio.ts';
import { mapFolio } from './huge-fault.ts';
import { drainLru } from './lru.ts';
import { invalidate } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { pmdOf, pmdStart } from './page-table.ts';
import { type PageRange, PMD_PAGES } from './program.ts';
import type { Process, Pte, State, Vma } from './state.ts';
import { isRegistered } from './userfault.ts';

/** What came of one PMD (enum scan_result), as far as the rules tell them apart. */
type Scan =
  /** SCAN_SUCCEED, or SCAN_PMD_MAPPED: a PMD maps the memory already. */
  | 'done'
  /** SCAN_PAGE_COUNT: somebody else has a reference to a page. */
  | 'page-count'
  /** SCAN_NO_PTE_TABLE, SCAN_PTE_NON_PRESENT, SCAN_PTE_UFFD, SCAN_PAGE_NULL, SCAN_PAGE_RO: it goes on with the next PMD. */
  | 'unfit'
  /** SCAN_EXCEED_NONE_PTE: a hole, of which userfaultfd is to hear. It does not go on. */
  | 'hole'
  /** SCAN_FAIL, SCAN_PMD_NONE: nor then. */
  | 'fail';

/** madvise_walk_vmas(): the first error ends it; holes are passed over, and make it ENOMEM in the end. */
export function collapse(state: State, { mm }: Process, { region, first, count }: PageRange): Expected {
  let mapped = 0;
  for (const vma of mm.vmas[region]!) {
    const start = Math.max(vma.first, first);
    const end = Math.min(vma.end, first + count);
    if (start >= end) continue;
    mapped += end - start;
    const errno = collapseVma(state, vma, start, end);
    if (errno) return failWith(errno, 'madvise_collapse');
  }
  return mapped === count ? succeed('madvise_collapse') : failWith('ENOMEM', 'madvise_walk_vmas');
}

/** madvise_collapse(): the PMDs that are wholly in the range; the last failure tells. */
function collapseVma(
  state: State,
  vma: Vma,
  first: number,
  end: number,
): 'EAGAIN' | 'EBUSY' | 'EINVAL' | null {
  if (!isPossible(vma)) return 'EINVAL';
  const start = Math.ceil(first / PMD_PAGES) * PMD_PAGES;
  const stop = pmdStart(end);
  if (start >= stop) return start > stop && state.profile.collapseIsStrict ? 'EINVAL' : null;
  drainLru(state);
  let last: Scan = 'done';
  for (let page = start; page < stop && last !== 'fail' && last !== 'hole'; page += PMD_PAGES) {
    const result = collapsePmd(state, vma, page);
    if (result !== 'done') last = result;
  }
  // madvise_collapse_errno()
  if (last === 'done') return null;
  return last === 'page-count' ? 'EAGAIN' : last === 'hole' ? 'EBUSY' : 'EINVAL';
}

/**
 * thp_vma_allowable_orders() for TVA_FORCED_COLLAPSE: whatever sysfs says. No mapping of a file can have a PMD but those of
 * hugetlb, which has them already (VM_NO_KHUGEPAGED): others are not long enough, or not aligned as their file.
 */
function isPossible({ file, thp, anonVma, first, end }: Vma): boolean {
  if (file) return false;
  return thp !== 'nohugepage' && anonVma !== null && end >= PMD_PAGES && pmdStart(end - PMD_PAGES) >= first;
}

/** collapse_scan_pmd() and collapse_huge_page() */
function collapsePmd(state: State, vma: Vma, first: number): Scan {
  const { mm, region } = vma;
  const strict = state.profile.collapseIsStrict;
  const pmd = pmdOf(mm, region, first);
  // find_pmd_or_thp_or_none(): a PMD of a device is not present.
  if (pmd === null) return strict ? 'fail' : 'unfit';
  if (pmd !== 'table') return pmd.kind === 'present' ? 'done' : 'unfit';

  const scanned = scan(state, vma, first, false);
  if (scanned !== 'done') return scanned;
  if (!swapIn(state, vma, first)) return 'fail';
  // MMU_NOTIFY_CLEAR
  invalidate(mm, region, first, first + PMD_PAGES);
  // __collapse_huge_page_isolate()
  const isolated = scan(state, vma, first, true);
  if (isolated === 'done') copyToFolio(state, vma, first);
  return isolated;
}

/** Where userfaultfd has no say, holes and the zero page are as good as any other; so are pages that others map too. */
function scan(state: State, vma: Vma, first: number, isolate: boolean): Scan {
  let writable = false;
  for (const pte of tableOf(vma, first)) {
    if (pte === null || pte.frame === state.zero) {
      // collapse_max_ptes_none()
      if (isRegistered(vma)) return 'hole';
      continue;
    }
    if (pte.uffdWp) return 'unfit';
    if (pte.kind !== 'present') {
      if (isolate) return 'unfit';
      continue;
    }
    // SCAN_PAGE_NULL (is_zone_device_page)
    if (pte.frame.kind === 'coherent') return 'unfit';
    // folio_expected_ref_count()
    if (pte.frame.head.pinned) return 'page-count';
    writable ||= pte.write;
  }
  return writable || !state.profile.collapseIsStrict ? 'done' : 'unfit';
}

function tableOf({ mm, region }: Vma, first: number): (Pte | null)[] {
  return mm.ptes[region]!.slice(first, first + PMD_PAGES);
}

/** __collapse_huge_page_swapin(): a fault on each entry that is not present. False for VM_FAULT_OOM. */
function swapIn(state: State, vma: Vma, first: number): boolean {
  const ptes = vma.mm.ptes[vma.region]!;
  let swapped = false;
  for (let page = first; page < first + PMD_PAGES; page++) {
    const pte = ptes[page]!;
    if (pte === null || pte.kind === 'present') continue;
    if (handleFault(state, vma, page, false) !== 'done') return false;
    swapped = true;
  }
  if (swapped) drainLru(state);
  return true;
}

/** __collapse_huge_page_copy(), and the new PMD: dirty, whatever the pages were. */
function copyToFolio(state: State, vma: Vma, first: number): void {
  const folio = newRamFolio(state);
  const ptes = vma.mm.ptes[vma.region]!;
  for (const [index, frame] of folio.pages!.entries()) frame.word = ptes[first + index]?.frame.word ?? 0;
  for (let page = first; page < first + PMD_PAGES; page++) {
    const pte = ptes[page]!;
    ptes[page] = null;
    if (pte !== null) dropMapping(state, vma, pte.frame);
  }
  mapFolio(state, vma, first, folio, 'collapse_huge_page');
}
