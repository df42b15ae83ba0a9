/** What mincore(2) and PAGEMAP_SCAN say of the pages of a region. */
import { MINCORE_UNMAPPED, type RegionObservation, type ScanRange } from '../../model/observation.ts';
import type { ExpectedRegion } from '../../model/observe.ts';
import { SCAN_CATEGORIES, scanRanges } from '../../model/page-scan.ts';
import type { Context } from './compare.ts';
import type { Place } from './tally.ts';

export function comparePageScans(
  { tally }: Context,
  place: Place,
  expected: ExpectedRegion,
  seen: RegionObservation,
): void {
  const ranges = seen.scan ?? [];
  const categories = spread(ranges, expected.pages.length);
  expected.pages.forEach((page, index) => {
    const here = { ...place, page: index };
    const mincore = seen.mincore?.[index];
    tally.check(
      mincore === page.mincore,
      here,
      'mincore',
      'mincore_pte_range',
      () => describeMincore(page.mincore),
      () => describeMincore(mincore),
    );
    tally.check(
      categories[index] === page.categories,
      here,
      'scan',
      'pagemap_page_category',
      () => describeCategories(page.categories),
      () => describeCategories(categories[index]),
    );
  });
  const expectedRanges = scanRanges(expected.pages);
  tally.check(
    describeRanges(expectedRanges) === describeRanges(ranges),
    place,
    'scan.ranges',
    'pagemap_scan_push_range',
    () => describeRanges(expectedRanges),
    () => describeRanges(ranges),
  );
}

/** The categories of each page; undefined for pages in no range, which are not mapped. */
function spread(ranges: readonly ScanRange[], pages: number): (number | undefined)[] {
  const categories = new Array<number | undefined>(pages);
  for (const range of ranges) categories.fill(range.categories, range.first, range.end);
  return categories;
}

function describeRanges(ranges: readonly ScanRange[]): string {
  return ranges.map(({ first, end }) => `${first}..${end - 1}`).join(' ') || 'none';
}

function describeMincore(value: number | undefined): string {
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
