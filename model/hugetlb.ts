/**
 * Mappings of hugetlb (mm/hugetlb.c): of a memfd with pages of 2 MiB, which the agent reserves enough of. A private mapping
 * has pages of its own from the first access on, since the file has none; there is no zero page, and nothing of it migrates.
 */
import { markDirty } from './access-flags.ts';
import { addPmdMapping, copyFolio, dropPmdMapping, isPinned, newRamFolio } from './folio.ts';
import { addNewFolioRmap } from './huge-fault.ts';
import { invalidate } from './notifier.ts';
import { fileIndex } from './page-index.ts';
import { hugeEntry, pmdIndex, pmdStart, setPmd } from './page-table.ts';
import { type PageRange, PMD_PAGES } from './program.ts';
import { presentPmd } from './pte.ts';
import { anonVmaPrepare } from './rmap.ts';
import type { Frame, Mm, PageCache, Pte, Rule, State, Vma } from './state.ts';

export function isHugetlb({ file }: Pick<Vma, 'file'>): boolean {
  return file?.kind === 'hugetlb';
}

/** Whether a page of hugetlb may begin at `page` of a region, or end before it (huge_page_mask). */
export function isHugeAligned(page: number): boolean {
  return page % PMD_PAGES === 0;
}

/** hugetlb_fault() */
export function hugetlbFault(state: State, vma: Vma, file: PageCache, page: number, write: boolean): void {
  const { mm, region } = vma;
  const first = pmdStart(page);
  const pmd = mm.pmds[region]![pmdIndex(page)] as Pte | null;
  // huge_pte_alloc()
  mm.hugetlbTables[region] = true;
  if (pmd === null) {
    noPage(state, vma, file, first);
    if (write && !vma.shared) makeWritable(mm.pmds[region]![pmdIndex(page)] as Pte, 'hugetlb_no_page');
  } else if (write && !pmd.write) {
    writeProtected(state, vma, first, pmd);
  } else {
    pmd.young = true;
    if (write) markDirty(pmd);
  }
}

/** hugetlb_no_page(): only entries of shared mappings are writable at once (make_huge_pte). */
function noPage(state: State, vma: Vma, file: PageCache, first: number): void {
  const head = vma.shared ? cachedPage(state, file, fileIndex(vma, first)) : newHugePage(state);
  if (vma.shared) {
    addPmdMapping(head, vma.mm);
  } else {
    anonVmaPrepare(state, vma);
    addNewFolioRmap(head, vma, first);
  }
  setPmd(vma.mm, vma.region, first, makeHugePte(head, vma.shared && vma.write, 'hugetlb_no_page'));
}

/** hugetlb_wp(): a page that nobody else maps is our own, another is copied. */
function writeProtected(state: State, vma: Vma, first: number, pmd: Pte): void {
  const { frame } = pmd;
  if (vma.shared || frame.entireMapcount === 1) {
    if (!vma.shared) {
      frame.exclusive = true;
      // folio_move_anon_rmap()
      frame.anonVma = vma.anonVma;
    }
    makeWritable(pmd, 'hugetlb_wp');
    return;
  }
  anonVmaPrepare(state, vma);
  invalidate(vma.mm, vma.region, first, first + PMD_PAGES);
  const copy = newHugePage(state);
  copyFolio(frame, copy);
  dropPmdMapping(state, vma.mm, frame);
  addNewFolioRmap(copy, vma, first);
  setPmd(vma.mm, vma.region, first, makeHugePte(copy, true, 'hugetlb_wp'));
}

/** hugetlb_add_to_page_cache(): such a page is dirty from the start. */
function cachedPage(state: State, file: PageCache, index: number): Frame {
  const known = file.pages[index / PMD_PAGES];
  if (known) return known;
  const head = newHugePage(state);
  head.file = file;
  head.index = index;
  head.dirty = true;
  file.pages[index / PMD_PAGES] = head;
  return head;
}

/** dequeue_hugetlb_folio_node_exact(): the page that was given back last, with PG_dirty if it had it. */
function newHugePage(state: State): Frame {
  const head = newRamFolio(state);
  head.hugetlb = true;
  head.swapBacked = false;
  head.dirty = state.freeHugetlb.pop() ?? false;
  return head;
}

/** make_huge_pte(): a writable one is dirty. */
function makeHugePte(head: Frame, write: boolean, rule: Rule): Pte {
  const entry = presentPmd(head, write, rule);
  if (write) markDirty(entry);
  return entry;
}

/** set_huge_ptep_writable() */
function makeWritable(pmd: Pte, rule: Rule): void {
  pmd.write = true;
  pmd.rule = rule;
  markDirty(pmd);
}

/** copy_hugetlb_page_range() of a private mapping: MMU_NOTIFY_CLEAR, and entries that neither may write to. */
export function copyHugetlb(state: State, from: Vma, to: Vma): void {
  invalidate(from.mm, from.region, from.first, from.end);
  for (let page = from.first; page < from.end; page += PMD_PAGES) {
    const pmd = from.mm.pmds[from.region]![pmdIndex(page)] as Pte | null;
    if (from.mm.hugetlbTables[from.region]) to.mm.hugetlbTables[to.region] = true;
    if (pmd === null) continue;
    // hugetlb_try_dup_anon_rmap()
    if (isPinned(pmd)) {
      setPmd(to.mm, to.region, page, copyPinned(state, to, page, pmd.frame));
      continue;
    }
    addPmdMapping(pmd.frame, to.mm);
    pmd.frame.exclusive = false;
    pmd.write = false;
    pmd.rule = 'copy_hugetlb_page_range';
    setPmd(to.mm, to.region, page, { ...pmd });
  }
}

/** hugetlb_install_folio(): the child has a copy of a pinned page from the start. */
function copyPinned(state: State, to: Vma, page: number, frame: Frame): Pte {
  const copy = newHugePage(state);
  copyFolio(frame, copy);
  addNewFolioRmap(copy, to, page);
  return makeHugePte(copy, to.write, 'hugetlb_install_folio');
}

/** move_hugetlb_page_tables(): MMU_NOTIFY_CLEAR, and entries as they are. */
export function moveHugetlb(from: Vma, to: Vma, at: PageRange, target: number): void {
  const { mm } = from;
  invalidate(mm, at.region, at.first, at.first + at.count);
  for (let offset = 0; offset < at.count; offset += PMD_PAGES) {
    const pmd = hugeEntry(mm, at.region, at.first + offset);
    if (pmd === null) continue;
    // huge_pte_alloc()
    mm.hugetlbTables[to.region] = true;
    setPmd(mm, at.region, at.first + offset, null);
    setPmd(mm, to.region, target + offset, pmd);
  }
}

/** An entry is zapped (__unmap_hugepage_range). */
export function noteHugetlbZapped({ frame, dirty }: Pte): void {
  if (dirty) frame.dirty = true;
}

/** free_pgtables(): the table of a region goes with its last mapping. */
export function freeHugetlbTable(mm: Mm, region: number): void {
  if (mm.vmas[region]!.length === 0) mm.hugetlbTables[region] = false;
}
