/**
 * The page tables of an mm, two levels of them: PMDs of huge regions, and PTEs. A PMD is none, points to a table of
 * PTEs, or is an entry itself that maps 512 pages. Small regions have one table that is always there.
 */
import { PMD_PAGES, type RegionId } from './program.ts';
import type { Frame, Mm, Pmd, Pte } from './state.ts';

/** Index of the PMD that covers `page`. */
export function pmdIndex(page: number): number {
  return Math.trunc(page / PMD_PAGES);
}

/** The first page that the PMD of `page` covers. */
export function pmdStart(page: number): number {
  return pmdIndex(page) * PMD_PAGES;
}

/** pmd_addr_end(): the end of the PMD of `page` or `end`, whichever comes first. */
export function pmdEnd(page: number, end: number): number {
  return Math.min(pmdStart(page) + PMD_PAGES, end);
}

/** The PMD that covers `page`; a small region has a table. */
export function pmdOf(mm: Mm, region: RegionId, page: number): Pmd {
  const pmds = mm.pmds[region]!;
  return pmds.length === 0 ? 'table' : pmds[pmdIndex(page)]!;
}

/** The PMD of `page` when it maps memory itself; null when it is none or a table. */
export function hugeEntry(mm: Mm, region: RegionId, page: number): Pte | null {
  const pmd = pmdOf(mm, region, page);
  return pmd === 'table' ? null : pmd;
}

export function setPmd(mm: Mm, region: RegionId, page: number, pmd: Pmd): void {
  mm.pmds[region]![pmdIndex(page)] = pmd;
}

/** The entry that maps `page`, of either level; null where nothing does. */
export function entryAt(mm: Mm, region: RegionId, page: number): Pte | null {
  return hugeEntry(mm, region, page) ?? mm.ptes[region]![page]!;
}

/** The page behind `entry` at `page`. */
export function frameAt(entry: Pte, page: number): Frame {
  return entry.huge ? entry.frame.pages![page % PMD_PAGES]! : entry.frame;
}

/** pte_alloc(): there is a table for `page` now. */
export function setTable(mm: Mm, region: RegionId, page: number): void {
  const pmds = mm.pmds[region]!;
  if (pmds.length > 0) pmds[pmdIndex(page)] = 'table';
}

/** Sets a PTE, in a new table if there was none. */
export function setPte(mm: Mm, region: RegionId, page: number, pte: Pte | null): void {
  mm.ptes[region]![page] = pte;
  setTable(mm, region, page);
}
