/**
 * Folios of order 9: how many entries map them (mm/rmap.c, include/linux/rmap.h), and how they fall apart
 * (mm/huge_memory.c). A page of order 0 is its own head; what belongs to a whole folio is kept in its head.
 */
import { freeFrame, newFrame } from './frame.ts';
import { freeUnmapped, munlockFolio } from './lru.ts';
import { type DeviceMinor, PMD_PAGES } from './program.ts';
import type { Frame, FrameKind, LargeMapcount, Mm, Pte, State, Vma } from './state.ts';
import { freeSwap } from './swap.ts';

/** The head of a folio of order 9. */
export function newFolio(state: State, kind: FrameKind, minor: DeviceMinor): Frame {
  const pages = Array.from({ length: PMD_PAGES }, () => newFrame(state.nextId++, kind, minor));
  const head = pages[0]!;
  head.pages = pages;
  for (const [offset, page] of pages.entries()) {
    page.head = head;
    page.offset = offset;
  }
  if (kind !== 'zero') head.large = { entries: 0, owners: [null, null], counts: [0, 0], shared: false };
  return head;
}

/** mm_get_huge_zero_folio() */
export function hugeZero(state: State): Frame {
  state.hugeZero ??= newFolio(state, 'zero', -1);
  return state.hugeZero;
}

/** A folio of order 9 in RAM, filled with zeroes. */
export function newRamFolio(state: State): Frame {
  return newFolio(state, 'ram', -1);
}

export function copyFolio(from: Frame, to: Frame): void {
  for (const [index, page] of to.pages!.entries()) page.word = from.pages![index]!.word;
}

/** folio_add_return_large_mapcount() */
function addEntries(large: LargeMapcount, count: number, mm: Mm): void {
  large.entries += count;
  const own = large.owners.indexOf(mm);
  if (own >= 0) {
    large.counts[own]! += count;
    return;
  }
  const free = large.owners.indexOf(null);
  if (free < 0) return;
  large.owners[free] = mm;
  large.counts[free] = count;
  if (free === 1 || large.entries !== count) large.shared = true;
}

/** folio_sub_return_large_mapcount() */
function removeEntries(large: LargeMapcount, count: number, mm: Mm): void {
  large.entries -= count;
  const own = large.owners.indexOf(mm);
  if (own >= 0) {
    large.counts[own]! -= count;
    if (large.counts[own]! > 0) return;
    large.counts[own] = 0;
    large.owners[own] = null;
  }
  if (large.counts.includes(large.entries)) large.shared = false;
}

/** How many entries map a page (folio_precise_page_mapcount): PTEs, and PMDs of its folio. */
export function mapcountOf(frame: Frame): number {
  return frame.mapcount + frame.head.entireMapcount;
}

/** A mapping that must not be shared, in a fork or for a migration: folio_maybe_dma_pinned() of a PageAnonExclusive page. */
export function isPinned({ frame }: Pte): boolean {
  return frame.head.pinned && frame.exclusive;
}

/** folio_mapped() */
export function isMapped({ head }: Frame): boolean {
  return head.large ? head.large.entries > 0 : head.mapcount > 0;
}

/** folio_try_dup_anon_rmap_pte(), and the part of folio_add_anon_rmap_pte() that is like it. */
export function addMapping(frame: Frame, mm: Mm): void {
  frame.mapcount++;
  if (frame.head.large) addEntries(frame.head.large, 1, mm);
}

/** folio_remove_rmap_pte(), with munlock_vma_folio(). */
export function removeMapping(state: State, frame: Frame, { mm, locked }: Vma): void {
  frame.mapcount--;
  if (frame.head.large) removeEntries(frame.head.large, 1, mm);
  if (locked) munlockFolio(state, frame.head);
}

/** folio_add_anon_rmap_pmd() */
export function addPmdMapping(head: Frame, mm: Mm): void {
  head.entireMapcount++;
  addEntries(head.large!, 1, mm);
}

/** folio_remove_rmap_pmd() */
export function removePmdMapping(head: Frame, mm: Mm): void {
  head.entireMapcount--;
  removeEntries(head.large!, 1, mm);
}

/** A PMD becomes 512 PTEs (__split_huge_pmd_locked): they are added before it goes. */
export function addPteMappingsOfPmd(head: Frame, mm: Mm): void {
  for (const page of head.pages!) page.mapcount++;
  addEntries(head.large!, PMD_PAGES, mm);
  removePmdMapping(head, mm);
}

/** Removes one mapping of a page; its folio is freed with the last. Zero pages are not counted, and markers have no page. */
export function dropMapping(state: State, vma: Vma, frame: Frame): void {
  if (frame.kind === 'zero' || frame.kind === 'none') return;
  removeMapping(state, frame, vma);
  // The page cache has a reference to its own; free_swap_cache() gives up that of the swap cache.
  if (!isMapped(frame) && !frame.file && freeSwap(frame)) freeUnmapped(state, frame.head);
}

/** As {@link dropMapping}, of a PMD. */
export function dropPmdMapping(state: State, mm: Mm, head: Frame): void {
  if (head.kind === 'zero') return;
  removePmdMapping(head, mm);
  // A page of hugetlb that is pinned goes back to the pool when it is unpinned (model/pin.ts).
  if (!isMapped(head) && !head.file && !(head.hugetlb && head.pinned)) freeFrame(state, head);
}

/**
 * __split_folio_to_order(): 512 folios of order 0 with the flags of the large one, which nothing maps at this time.
 * PG_anon_exclusive of tail pages is dropped.
 *
 * @returns the pages, the former head first
 */
export function breakUp(state: State, head: Frame): Frame[] {
  const pages = head.pages!;
  head.pages = null;
  head.large = null;
  for (const [index, page] of pages.entries()) {
    if (index === 0) continue;
    page.head = page;
    page.offset = 0;
    page.anonVma = head.anonVma;
    page.index = head.index + index;
    page.exclusive = false;
    page.dirty = head.dirty;
    page.referenced = head.referenced;
    page.active = head.active;
    page.swapBacked = head.swapBacked;
    page.onLru = head.onLru;
    page.migrator = head.migrator;
    page.position = head.position + index;
    page.positionKnown = head.positionKnown;
    if (page.kind === 'device') state.devices[page.minor]!.live.add(page);
  }
  return pages;
}
