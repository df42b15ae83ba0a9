/** do_fault(): faults of mappings of files (mm/memory.c, mm/filemap.c). */
import { markDirty } from './access-flags.ts';
import { mapNewPage, protect } from './fault.ts';
import { addMapping } from './folio.ts';
import { mlockFolio } from './lru.ts';
import { pageOf } from './page-cache.ts';
import { fileIndex } from './page-index.ts';
import { setPte } from './page-table.ts';
import { PMD_PAGES, REGION_OFFSET_PAGES } from './program.ts';
import { presentPte } from './pte.ts';
import { anonVmaPrepare } from './rmap.ts';
import type { Frame, PageCache, Pte, Rule, State, Vma } from './state.ts';
import { cachedPage } from './swap-shmem.ts';
import { type FaultResult, handleUserfault, type Wanted } from './userfault.ts';

/** fault_around_bytes, in pages. */
const FAULT_AROUND = 16;

/**
 * A fault at a page of `vma` that is in the file (isBusError), and where there is no entry, or a marker. In the place of a
 * marker it is protected (vmf_orig_pte_uffd_wp), so that a write faults once more.
 */
export function fileFault(
  state: State,
  vma: Vma,
  file: PageCache,
  wanted: Wanted,
  write: boolean,
): FaultResult {
  const { page } = wanted;
  const ptes = vma.mm.ptes[vma.region]!;
  const marked = ptes[page]?.kind === 'marker';
  if (!write) mapAround(state, vma, file, page);
  else if (!vma.shared) anonVmaPrepare(state, vma);
  if (!marked && ptes[page]) return 'done';
  // shmem_get_folio_gfp(): of holes of the file, and not of those in the page table.
  if (vma.uffdMissing && !file.pages[fileIndex(vma, page)]) {
    return handleUserfault(state, vma, wanted, 'missing');
  }
  const frame = pageOf(state, file, fileIndex(vma, page));
  if (!write) mapFilePage(state, vma, page, frame, { write: false, young: true, rule: 'do_read_fault' });
  else if (vma.shared) sharedFault(state, vma, page, frame);
  else mapNewPage(state, vma, page, frame.word, 'do_cow_fault');
  if (marked) protect(ptes[page]!);
  return 'done';
}

/**
 * Whether a fault at `page` is VM_FAULT_SIGBUS, since that is behind the end of the file. What comes before it is done then:
 * pages around are mapped for a read, and a private mapping that would be written to has an anon_vma.
 */
export function isBusError(state: State, vma: Vma, page: number, write: boolean): boolean {
  const { file } = vma;
  if (!file || file.kind === 'hugetlb' || fileIndex(vma, page) < file.pages.length) return false;
  if (!write) mapAround(state, vma, file, page);
  else if (!vma.shared) anonVmaPrepare(state, vma);
  return true;
}

/** should_fault_around() and filemap_map_pages(): pages around that are in the page cache. */
function mapAround(state: State, vma: Vma, file: PageCache, page: number): void {
  // uffd_disable_fault_around()
  if (vma.uffdWp) return;
  const ptes = vma.mm.ptes[vma.region]!;
  for (const around of faultAround(vma, page)) {
    const cached = cachedPage(file, fileIndex(vma, around));
    if (!cached || ptes[around]) continue;
    const young = around === page || !state.profile.prefaultsOld;
    mapFilePage(state, vma, around, cached, { write: false, young, rule: 'filemap_map_pages' });
  }
}

/** do_fault_around(): within the vma, and within a window of the page table that is a multiple of its size. */
function faultAround(vma: Vma, page: number): number[] {
  const inTable = page + REGION_OFFSET_PAGES;
  const from = Math.max(inTable - (inTable % FAULT_AROUND), inTable - (page - vma.first));
  const to = Math.min(from + FAULT_AROUND, PMD_PAGES, inTable + vma.end - page);
  return Array.from({ length: to - from }, (_, i) => from + i - REGION_OFFSET_PAGES);
}

/** do_shared_fault(), and fault_dirty_shared_page() */
function sharedFault(state: State, vma: Vma, page: number, frame: Frame): void {
  mapFilePage(state, vma, page, frame, { write: true, young: true, rule: 'do_shared_fault' });
  frame.dirty = true;
}

/**
 * mfill_atomic_install_pte() of a new page of shared shmem: dirty, and writable wherever the mapping is. It is not mlocked.
 */
export function mapFilledPage(vma: Vma, page: number, frame: Frame): void {
  addMapping(frame, vma.mm);
  const pte = presentPte(frame, vma.write, 'mfill_atomic_install_pte');
  markDirty(pte);
  setPte(vma.mm, vma.region, page, pte);
}

/** set_pte_range(), of a page of the page cache. */
function mapFilePage(
  state: State,
  vma: Vma,
  page: number,
  frame: Frame,
  { write, young, rule }: { write: boolean; young: boolean; rule: Rule },
): void {
  addMapping(frame, vma.mm);
  if (vma.locked) mlockFolio(state, frame);
  const writable = write || vma.madeWritable;
  const dirty = write || (writable && frame.dirty === true && state.profile.readFaultMarksDirty);
  const pte = presentPte(frame, writable, rule);
  pte.young = young;
  if (dirty) markDirty(pte);
  setPte(vma.mm, vma.region, page, pte);
}

/** wp_page_shared(), by which the page becomes dirty. */
export function sharedWriteFault(pte: Pte): void {
  pte.write = true;
  pte.young = true;
  markDirty(pte);
  pte.rule = 'wp_page_shared';
  pte.frame.dirty = true;
}
