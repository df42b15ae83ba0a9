/** What mincore(2) and PAGEMAP_SCAN say of the pages of a region. */
import { MINCORE_UNMAPPED, type ScanRange } from '../../model/observation.ts';
import type { ExpectedRegion } from '../../model/observe.ts';
import { SCAN_CATEGORIES, scanRanges } from '../../model/page-scan.ts';
import type { Context } from './compare.ts';
import { NOTHING, type SeenRegion } from './seen-region.ts';
import type { Place, Tally } from './tally.ts';

export function comparePageScans(
  { tally }: Context,
  place: Place,
  expected: ExpectedRegion,
  seen: SeenRegion,
): void {
  const { pages } = expected;
  let residents = 0;
  let categorized = 0;
  for (let page = 0; page < pages.length; page++) {
    const { mincore, categories } = pages[page]!;
    if (seen.mincore[page] === mincore) residents++;
    else checkMincore(tally, { ...place, page }, mincore, seen.mincore[page]!);
    if (seen.categories[page] === (categories ?? NOTHING)) categorized++;
    else checkCategories(tally, { ...place, page }, categories, seen.categories[page]!);
  }
  tally.same('mincore', residents);
  tally.same('scan', categorized);
  const ranges = seen.observation.scan ?? [];
  const expectedRanges = scanRanges(pages);
  tally.check(
    sameRanges(expectedRanges, ranges),
    place,
    'scan.ranges',
    'pagemap_scan_push_range',
    () => describeRanges(expectedRanges),
    () => describeRanges(ranges),
  );
}

function checkMincore(tally: Tally, place: Place, expected: number, seen: number): void {
  tally.check(
    false,
    place,
    'mincore',
    'mincore_pte_range',
    () => describeMincore(expected),
    () => describeMincore(seen),
  );
}

function checkCategories(tally: Tally, place: Place, expected: number | undefined, seen: number): void {
  tally.check(
    false,
    place,
    'scan',
    'pagemap_page_category',
    () => describeCategories(expected),
    () => describeCategories(seen === NOTHING ? undefined : seen),
  );
}

function sameRanges(a: readonly ScanRange[], b: readonly ScanRange[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ first, end }, index) => first === b[index]!.first && end === b[index]!.end)
  );
}

function describeRanges(ranges: readonly ScanRange[]): string {
  return ranges.map(({ first, end }) => `${first}..${end - 1}`).join(' ') || 'none';
}

function describeMincore(value: number): string {
  if (value === NOTHING) return 'not told';
  return value === MINCORE_UNMAPPED ? 'not mapped' : `${value}`;
}

function describeCategories(categories: number | undefined): string {
  if (categories === undefined) return 'not mapped';
  const names = Object.entries(SCAN_CATEGORIES).filter(([, bit]) => categories & bit);
  const rest = names.reduce((bits, [, bit]) => bits & ~bit, categories);
  return (
    [...names.map(([name]) => name), ...(rest === 0 ? [] : [`bits 0x${rest.toString(16)}`])].join(' ') ||
    'none'
  );
}
