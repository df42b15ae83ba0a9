/** Invariants of a page of one process by itself: pagemap, mincore and PAGEMAP_SCAN tell the same. */
import { MINCORE_UNMAPPED } from '../../model/observation.ts';
import { PAGE_FLAG_BITS } from '../../model/page-flags.ts';
import { SCAN_CATEGORIES } from '../../model/page-scan.ts';
import type { InvariantTally } from './invariant-tally.ts';
import { type FoundOut, NOTHING, SEEN_KINDS, SeenBits, SeenKind, type SeenRegion } from './seen-region.ts';

/** Bits that no entry of a device has. */
const NOT_OF_DEVICES = SeenBits.file | SeenBits.exclusive | SeenBits.unused | SeenBits.present;
const { PRESENT, SWAPPED, SOFT_DIRTY, FILE, PFNZERO } = SCAN_CATEGORIES;
const COMPARED = PRESENT | SWAPPED | SOFT_DIRTY | FILE | PFNZERO;

export function checkPages(tally: InvariantTally, step: number, region: SeenRegion): void {
  region.foundOut.pages ??= checkEach(tally, step, region);
  const { pages } = region.foundOut;
  if (!pages) return;
  tally.held('no-migration-entry', pages.settled);
  tally.held('device-entry-bits', pages.clean);
  tally.held('mincore-is-pagemap', pages.resident);
  tally.held('scan-is-pagemap', pages.scanned);
}

/** Undefined when an invariant is broken: then what held of the others does not matter. */
function checkEach(tally: InvariantTally, step: number, region: SeenRegion): FoundOut['pages'] {
  const { length } = region;
  let clean = 0;
  let isBroken = false;
  for (let page = 0; page < length; page++) {
    const kind = region.kind[page]!;
    const isDevice = region.isDevice(page);
    if (isDevice) clean++;
    if (
      kind < SeenKind.firstMigration &&
      !(isDevice && (region.bits[page]! & NOT_OF_DEVICES) !== 0) &&
      mincoreAgrees(region, page) &&
      scanAgrees(region, page)
    )
      continue;
    isBroken = true;
    tellBroken(tally, step, region, page);
  }
  return isBroken ? undefined : { settled: length, clean, resident: length, scanned: length };
}

function tellBroken(tally: InvariantTally, step: number, region: SeenRegion, page: number): void {
  const place = placeOf(step, region, page);
  const kind = region.kind[page]!;
  if (kind >= SeenKind.firstMigration)
    tally.broken('no-migration-entry', place, `a ${SEEN_KINDS[kind]} entry at rest`);
  if (region.isDevice(page) && (region.bits[page]! & NOT_OF_DEVICES) !== 0)
    tally.broken('device-entry-bits', place, 'an entry of a device with bits of present pages');
  if (!mincoreAgrees(region, page)) tally.broken('mincore-is-pagemap', place, describeMincore(region, page));
  if (!scanAgrees(region, page)) tally.broken('scan-is-pagemap', place, describeScan(region, page));
}

/** Of hugetlb, PAGEMAP_SCAN looks at the soft-dirty bit of the entry as well, and pagemap does not (pagemap_hugetlb_range). */
function scanAgrees(region: SeenRegion, page: number): boolean {
  const expected = expectedCategories(region, page);
  const seen = Math.max(region.categories[page]!, 0) & COMPARED;
  if (seen === expected) return true;
  return region.hasFlag(page, PAGE_FLAG_BITS.HUGE) && seen === (expected | SOFT_DIRTY);
}

export function placeOf(step: number, { process, region }: SeenRegion, page: number) {
  return { step, process, region, page };
}

function mincoreAgrees(region: SeenRegion, page: number): boolean {
  const mincore = region.mincore[page]!;
  const kind = region.kind[page]!;
  const resident = kind >= SeenKind.present && kind <= SeenKind.deviceExclusive;
  return (
    (mincore === MINCORE_UNMAPPED) === (region.categories[page] === NOTHING) && (mincore === 1 || !resident)
  );
}

/**
 * The huge zero page is a file to pagemap of 6.12 (pagemap_pmd_range takes pmd_page), and to no PAGEMAP_SCAN
 * (vm_normal_page_pmd has no page for it).
 */
function expectedCategories(region: SeenRegion, page: number): number {
  const zero = region.hasFlag(page, PAGE_FLAG_BITS.ZERO_PAGE);
  const kind = region.kind[page]!;
  const bits = region.bits[page]!;
  const place = kind === SeenKind.present ? PRESENT : kind === SeenKind.none ? 0 : SWAPPED;
  return (
    place | (bits & SeenBits.softDirty ? SOFT_DIRTY : 0) | (zero ? PFNZERO : bits & SeenBits.file ? FILE : 0)
  );
}

function describeMincore(region: SeenRegion, page: number): string {
  const unmapped = region.categories[page] === NOTHING;
  return `mincore ${region.mincore[page]}, ${SEEN_KINDS[region.kind[page]!]} in pagemap, ${unmapped ? 'not ' : ''}mapped`;
}

function describeScan(region: SeenRegion, page: number): string {
  const categories = Math.max(region.categories[page]!, 0);
  return `categories 0x${categories.toString(16)}, ${SEEN_KINDS[region.kind[page]!]} in pagemap`;
}
