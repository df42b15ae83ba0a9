/** Splits of PMDs and of folios of order 9 (mm/huge_memory.c). */
import { breakUp } from './folio.ts';
import { freeFrame } from './frame.ts';
import { removeMigrationPtes, spreadPmd, tryToMigrate } from './migration-entries.ts';
import { invalidate } from './notifier.ts';
import { hugeEntry, pmdStart, setPmd } from './page-table.ts';
import { PMD_PAGES, type RegionId } from './program.ts';
import { presentPte } from './pte.ts';
import type { Frame, Mm, Pte, State, Vma } from './state.ts';
import { countVmEvent } from './vm-events.ts';

/** __split_huge_pmd(): MMU_NOTIFY_CLEAR for all that the PMD covers, and PTEs if it maps memory itself. */
export function splitPmd(state: State, vma: Vma, page: number): void {
  const first = pmdStart(page);
  invalidate(vma.mm, vma.region, first, first + PMD_PAGES);
  const pmd = hugeEntry(vma.mm, vma.region, first);
  if (pmd === null) return;
  countVmEvent(state, 'thp_split_pmd');
  if (pmd.frame.kind === 'zero') spreadZero(state, vma, first, pmd);
  else spreadPmd(vma, first, pmd);
}

/** __split_huge_zero_page_pmd(): PTEs of the small zero page, without the PMD's soft-dirty bit. */
function spreadZero(state: State, vma: Vma, first: number, { uffdWp }: Pte): void {
  const ptes = vma.mm.ptes[vma.region]!;
  for (let page = first; page < first + PMD_PAGES; page++) {
    const pte = presentPte(state.zero, false, '__split_huge_zero_page_pmd');
    pte.uffdWp = uffdWp;
    ptes[page] = pte;
  }
  setPmd(vma.mm, vma.region, first, 'table');
}

/**
 * split_huge_pmd_if_needed(), where a vma is to be cut at `page`: nothing to do at the border of a PMD, or where the
 * vma does not reach over all that the PMD covers. It notifies whatever the PMD is.
 */
export function splitPmdAt(state: State, vma: Vma, page: number): void {
  const first = pmdStart(page);
  if (vma.mm.pmds[vma.region]!.length === 0 || page === first) return;
  if (vma.first <= first && first + PMD_PAGES <= vma.end) splitPmd(state, vma, page);
}

/**
 * split_folio(): unmap_folio(), 512 folios of order 0, remap_page(). The caller has the one further reference, so it
 * cannot fail. In RAM, pages of zeroes give way to the zero page. Pages that nothing maps are free then, the former
 * head last, whose reference the caller drops.
 */
export function splitFolio(state: State, head: Frame): void {
  countVmEvent(state, 'thp_split_page');
  tryToMigrate(state, head, true);
  const pages = breakUp(state, head);
  for (const frame of pages) removeMigrationPtes(state, frame, frame, head.kind === 'ram');
  const [, ...tails] = pages;
  for (const frame of [...tails, head]) if (frame.mapcount === 0) freeFrame(state, frame);
}

/** The vma of `mm` need not cover all of what the PMD of `page` covers; true when it does. */
export function coversPmd(vma: Vma, page: number): boolean {
  const first = pmdStart(page);
  return vma.first <= first && first + PMD_PAGES <= vma.end;
}

/** Whether `mm` has no memory and no table where the PMD of `page` is (pmd_none). */
export function isPmdNone(mm: Mm, region: RegionId, page: number): boolean {
  const pmds = mm.pmds[region]!;
  return pmds.length > 0 && pmds[pmdStart(page) / PMD_PAGES] === null;
}
