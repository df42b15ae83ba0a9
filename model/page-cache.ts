/**
 * Files, their page cache and who maps them (mm/filemap.c, mm/shmem.c, mm/interval_tree.c). The agent makes a file for
 * each region that has one before the first step, and drains the LRU batches then and after each step.
 */
import { newRamFrame } from './frame.ts';
import { addToLru, markAccessed } from './lru.ts';
import { fileWord, PMD_PAGES, type Region, type RegionId } from './program.ts';
import type { Frame, PageCache, State, Vma } from './state.ts';
import { ACTIVE_PAGES } from './swap.ts';
import { swapIntoCache } from './swap-shmem.ts';

/** The file of a region; null for anonymous memory. */
export function newPageCache(
  state: State,
  { pages, backing = 'anonymous' }: Pick<Region, 'pages' | 'backing'>,
  region: RegionId,
): PageCache | null {
  if (backing === 'anonymous') return null;
  const kind = backing.endsWith('file') ? 'file' : backing.endsWith('shmem') ? 'shmem' : 'hugetlb';
  const isShared = backing.startsWith('shared');
  const length = kind === 'hugetlb' ? pages / PMD_PAGES : pages;
  const file: PageCache = { region, kind, isShared, pages: new Array(length).fill(null), mappings: [] };
  if (kind === 'file' || backing === 'private-filled-shmem') fill(state, file);
  return file;
}

/** write(2), by simple_write_end() or shmem_write_end(). */
function fill(state: State, file: PageCache): void {
  for (const index of file.pages.keys()) {
    const page = addPage(state, file, index);
    page.word = Number(fileWord(file.region, index));
    page.dirty = true;
    // shmem_get_folio_gfp(SGP_WRITE)
    page.referenced = file.kind === 'shmem';
    page.onLru = true;
  }
}

/** filemap_add_folio() and shmem_add_to_page_cache() */
function addPage(state: State, file: PageCache, index: number): Frame {
  const page = newRamFrame(state, 0);
  page.file = file;
  page.index = index;
  page.swapBacked = file.kind === 'shmem';
  // mapping_unevictable(), as ramfs_get_inode() makes it; known when the page comes to an LRU list (lru_add).
  page.unevictable = file.kind === 'file';
  file.pages[index] = page;
  return page;
}

/** vm_ops->fault: filemap_fault() finds the page, and shmem_fault() has it back from swap, or makes one of zeroes in a hole. */
export function pageOf(state: State, file: PageCache, index: number): Frame {
  const known = file.pages[index];
  if (known?.kind === 'swap') return swapIntoCache(state, file, index, ACTIVE_PAGES);
  if (known) return known;
  const page = addPage(state, file, index);
  addToLru(state, page);
  return page;
}

/** shmem_mfill_filemap_add() (6.12: shmem_mfill_atomic_pte): a page in a hole of shmem, with contents. */
export function fillHole(state: State, file: PageCache, index: number, word: number): Frame {
  const page = addPage(state, file, index);
  page.word = word;
  addToLru(state, page);
  return page;
}

/** An entry of the page is zapped (zap_present_folio_ptes): what it knew of accesses goes to the page. */
export function noteZapped(state: State, frame: Frame, entry: { young: boolean; dirty: boolean }): void {
  if (entry.dirty) frame.dirty = true;
  if (entry.young) markAccessed(state, frame);
}

/** mapping_rmap_tree_insert(): equal starts go behind those that are there. */
export function linkFile(vma: Vma): void {
  const mappings = vma.file?.mappings;
  if (!mappings) return;
  let at = mappings.length;
  while (at > 0 && mappings[at - 1]!.filePgoff > vma.filePgoff) at--;
  mappings.splice(at, 0, vma);
}

/** mapping_rmap_tree_insert_after(), of a copy that fork makes: behind its original. */
export function linkFileAfter(copy: Vma, original: Vma): void {
  const mappings = copy.file?.mappings;
  mappings?.splice(mappings.indexOf(original) + 1, 0, copy);
}

/** unlink_file_vma() */
export function unlinkFile(vma: Vma): void {
  const mappings = vma.file?.mappings;
  mappings?.splice(mappings.indexOf(vma), 1);
}

/**
 * vma_set_page_prot() and vma_wants_writenotify(): of a shared mapping, entries can be made writable at once, unless the
 * file wants to know of the first write (page_mkwrite), or soft-dirty bits or userfaultfd have to.
 */
export function setPageProt({ profile }: State, vma: Vma): void {
  const tracked = profile.softDirty && !vma.softDirty && vma.file?.kind !== 'hugetlb';
  const notified = vma.file?.kind === 'file' || tracked || vma.uffdWp;
  vma.madeWritable = vma.shared && vma.write && !notified;
}
