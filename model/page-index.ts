/**
 * Page indices (folio->index and vma->vm_pgoff of anonymous memory): the number of the page that the address had where
 * the page was born. mremap() moves pages and leaves their index.
 */
import { PAGE_SIZE, pageAddress, type RegionId } from './program.ts';
import type { State, Vma } from './state.ts';

/** The index that a page has by its address: of vmas that nothing was moved to. */
export function indexAt({ regions }: Pick<State, 'regions'>, region: RegionId, page: number): number {
  return pageAddress(region, page, regions[region]) / PAGE_SIZE;
}

/** linear_page_index() of page `page` of the vma's region. */
export function linearIndex(vma: Pick<Vma, 'pgoff' | 'first'>, page: number): number {
  return vma.pgoff + page - vma.first;
}

/** The index behind the vma's last page. */
export function endIndex(vma: Pick<Vma, 'pgoff' | 'first' | 'end'>): number {
  return linearIndex(vma, vma.end);
}

/** Moves the lower border of a vma; its pages keep their indices (vma_add_pgoff). */
export function moveStart(vma: Vma, first: number): void {
  vma.pgoff = linearIndex(vma, first);
  vma.first = first;
}
