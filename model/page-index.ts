/**
 * Page indices. Of anonymous pages (folio->index), the number of the page that the address had where the page was born,
 * which mremap() leaves as it is; 7.3 has it so in private mappings of files too, where 6.12 has the place in the file. Of
 * pages of a file, their place in it.
 */
import { PAGE_SIZE, pageAddress, type RegionId } from './program.ts';
import type { State, Vma } from './state.ts';

/** The index that a page has by its address: of vmas that nothing was moved to. */
export function indexAt({ regions }: Pick<State, 'regions'>, region: RegionId, page: number): number {
  return pageAddress(region, page, regions[region]) / PAGE_SIZE;
}

/** linear_page_index() of page `page` of the vma's region: where it is in the file. */
export function fileIndex(vma: Pick<Vma, 'filePgoff' | 'first'>, page: number): number {
  return vma.filePgoff + page - vma.first;
}

/** linear_anon_page_index() of page `page` of the vma's region (6.12: linear_page_index). */
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
  if (vma.file) vma.filePgoff = fileIndex(vma, first);
  vma.first = first;
}
