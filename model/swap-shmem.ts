/**
 * Swap of shmem (mm/shmem.c). A page that goes out is in no page table, and the page cache has its slot in its place, so that
 * a process sees a hole; it comes back into the page cache when somebody wants it.
 */
import { freeFrame } from './frame.ts';
import { fileIndex } from './page-index.ts';
import type { Frame, PageCache, State, Vma } from './state.ts';
import { newSlot, readSlot } from './swap.ts';

/** What the page cache has of a page, unless that is in swap (xa_is_value). */
export function cachedPage(file: PageCache, index: number): Frame | null {
  const entry = file.pages[index];
  return entry?.kind === 'swap' ? null : (entry ?? null);
}

/** Whether page `page` of the vma's region is a page of shmem that is in swap. */
export function isInSwap(vma: Vma, page: number): boolean {
  return vma.file?.pages[fileIndex(vma, page)]?.kind === 'swap';
}

/** shmem_writeout(), and __remove_mapping(): of a page that nothing maps any more. */
export function swapOutOfCache(state: State, file: PageCache, frame: Frame): void {
  const slot = newSlot(state, frame);
  slot.mapcount = 1;
  file.pages[frame.index] = slot;
  freeFrame(state, frame);
}

/**
 * shmem_swapin_folio(): a page that is dirty from the start, and not in the swap cache any more.
 *
 * @param least as readSlot() has it
 */
export function swapIntoCache(state: State, file: PageCache, index: number, least: number): Frame {
  const frame = readSlot(state, file.pages[index]!, true, least);
  frame.file = file;
  frame.index = index;
  frame.dirty = true;
  file.pages[index] = frame;
  return frame;
}

/** shmem_unuse(): all pages of all files come back. */
export function swapFilesIn(state: State): void {
  for (const file of state.files) {
    if (file?.kind !== 'shmem') continue;
    for (const [index, entry] of file.pages.entries()) {
      if (entry?.kind === 'swap') swapIntoCache(state, file, index, 0);
    }
  }
}
