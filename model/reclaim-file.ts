/** MADV_PAGEOUT of pages of files (mm/madvise.c, mm/vmscan.c), that nobody else maps. */
import { dropMapping } from './folio.ts';
import { freeFrame } from './frame.ts';
import { addToLru } from './lru.ts';
import { invalidate } from './notifier.ts';
import { fileIndex } from './page-index.ts';
import { newMarker } from './pte.ts';
import { rmapWalk } from './rmap.ts';
import type { PageCache, Pte, State, Vma } from './state.ts';
import { swapOutOfCache } from './swap-shmem.ts';

/**
 * shrink_folio_list(): a page of shmem is unmapped, and then written to swap; without swap (shmem_writeout), or pinned, it is
 * kept, and active. One that nothing was ever written to goes. Pages of ramfs are unevictable, and do not come here.
 */
export function pageOutOfFile(state: State, vma: Vma, page: number, pte: Pte, file: PageCache): void {
  const { frame } = pte;
  unmap(state, vma, page, pte);
  if (!frame.dirty && !frame.pinned) {
    // __remove_mapping()
    file.pages[fileIndex(vma, page)] = null;
    freeFrame(state, frame);
    return;
  }
  if (state.swap && !frame.pinned) {
    swapOutOfCache(state, file, frame);
    return;
  }
  frame.active = true;
  addToLru(state, frame);
}

/**
 * try_to_unmap(): MMU_NOTIFY_CLEAR in each vma that may map the page, up to the one that does. What userfaultfd protects
 * stays so (pte_install_uffd_wp_if_needed).
 */
function unmap(state: State, vma: Vma, page: number, pte: Pte): void {
  if (pte.dirty) pte.frame.dirty = true;
  for (const other of rmapWalk(pte.frame)) {
    invalidate(other.vma.mm, other.vma.region, other.first, other.end);
    if (other.vma === vma) break;
  }
  const marks = pte.uffdWp && vma.uffdWp;
  vma.mm.ptes[vma.region]![page] = marks ? newMarker('try_to_unmap_one') : null;
  dropMapping(state, vma, pte.frame);
}
