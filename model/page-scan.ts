/** The ioctl PAGEMAP_SCAN (fs/proc/task_mmu.c) and mincore(2) (mm/mincore.c): what they say of one page. */
import { isHugetlb } from './hugetlb.ts';
import { MINCORE_UNMAPPED, type ScanRange } from './observation.ts';
import { fileIndex } from './page-index.ts';
import { pmdIndex, pmdOf } from './page-table.ts';
import type { Profile } from './profile.ts';
import type { Pte, Vma } from './state.ts';
import { cachedPage } from './swap-shmem.ts';

/** PAGE_IS_* of include/uapi/linux/fs.h. */
export const SCAN_CATEGORIES = {
  WPALLOWED: 1 << 0,
  WRITTEN: 1 << 1,
  FILE: 1 << 2,
  PRESENT: 1 << 3,
  SWAPPED: 1 << 4,
  PFNZERO: 1 << 5,
  HUGE: 1 << 6,
  SOFT_DIRTY: 1 << 7,
  GUARD: 1 << 8,
  ACCESSED: 1 << 9,
} as const;

/** What PAGEMAP_SCAN returns of a page when it is asked for all; undefined where nothing is mapped. */
export function scanCategories(
  profile: Profile,
  vma: Vma | undefined,
  page: number,
  pte: Pte | null,
): number | undefined {
  if (!vma) return undefined;
  // pagemap_scan_test_walk()
  const ofVma = vma.softDirty ? SCAN_CATEGORIES.SOFT_DIRTY : 0;
  // PAGE_IS_WRITTEN is the opposite of protected by userfaultfd.
  if (pte !== null) {
    const tracked = profile.scanWrittenEverywhere || vma.uffdWp;
    return ofVma | entryCategories(profile, pte) | (tracked && !pte.uffdWp ? SCAN_CATEGORIES.WRITTEN : 0);
  }
  // pagemap_hugetlb_category()
  if (isHugetlb(vma)) return ofVma | (vma.mm.hugetlbTables[vma.region] ? SCAN_CATEGORIES.HUGE : 0);
  // pagemap_scan_pte_hole() tells where there is no page table to have an empty entry.
  const empty = profile.scanWrittenEverywhere && pmdOf(vma.mm, vma.region, page) !== null;
  return ofVma | (empty || vma.uffdWp ? SCAN_CATEGORIES.WRITTEN : 0);
}

/** The ranges that PAGEMAP_SCAN makes of the categories of pages (pagemap_scan_push_range). */
export function scanRanges(pages: readonly { categories: number | undefined }[]): ScanRange[] {
  const ranges: ScanRange[] = [];
  let last: ScanRange | undefined;
  for (let page = 0; page < pages.length; page++) {
    const { categories } = pages[page]!;
    if (categories === undefined) continue;
    if (last?.end === page && last.categories === categories) last.end++;
    else {
      last = { first: page, end: page + 1, categories };
      ranges.push(last);
    }
  }
  return ranges;
}

/** pagemap_page_category() and pagemap_thp_category() */
function entryCategories(profile: Profile, pte: Pte): number {
  const softDirty = profile.softDirty && pte.softDirty ? SCAN_CATEGORIES.SOFT_DIRTY : 0;
  const present = pte.kind === 'present' ? SCAN_CATEGORIES.PRESENT : SCAN_CATEGORIES.SWAPPED;
  const zero = pte.frame.kind === 'zero' ? SCAN_CATEGORIES.PFNZERO : 0;
  const huge = pte.huge ? SCAN_CATEGORIES.HUGE : 0;
  const file = pte.kind === 'present' && pte.frame.file ? SCAN_CATEGORIES.FILE : 0;
  return softDirty | present | zero | huge | file;
}

/**
 * mincore_pte_range() and mincore_swap(): entries of devices count as resident, what is in the swap cache too; where there is no
 * entry, or a marker, what counts is whether the file has the page (__mincore_unmapped_range).
 */
export function mincore(vma: Vma | undefined, page: number, pte: Pte | null): number {
  if (!vma) return MINCORE_UNMAPPED;
  if (pte?.kind === 'swap') return pte.frame.cached ? 1 : 0;
  if (pte !== null && pte.kind !== 'marker') return 1;
  if (isHugetlb(vma)) {
    // mincore_hugetlb(), where there is a table.
    return !vma.mm.hugetlbTables[vma.region] && vma.file!.pages[pmdIndex(fileIndex(vma, page))] ? 1 : 0;
  }
  // A page of shmem that is in swap is not in the swap cache.
  return vma.file && cachedPage(vma.file, fileIndex(vma, page)) ? 1 : 0;
}
