/** The mremap, and the UFFDIO_MOVE, that comes nearest to a wish. */
import { isHugeRegion, type PageRange, PMD_PAGES, type ProcessId, type Step } from '../../model/program.ts';
import type { Mm, State, Vma } from '../../model/state.ts';
import { isRegistered } from '../../model/userfault.ts';
import type { Wish } from './wishes.ts';

/**
 * Moves to another region and within one, that fit and that do not; most keep their size. In huge regions most keep their
 * place in the PMD.
 */
export function remaps(state: State, wish: Wish, by: ProcessId, at: PageRange): Step[] {
  const { how, remapFlaw: flaw, target, length } = wish;
  const room = state.regions[at.region]! - at.first;
  if (how === 'resize') {
    return [{ op: 'mremap', by, at, to: { ...at, count: Math.min(room, target % (at.count + 3)) }, how }];
  }
  const region = (target >> 2) % state.regions.length;
  return [region, at.region].map((region): Step => {
    const pages = state.regions[region]!;
    // Within a region, there is room for both in most cases.
    const most = region === at.region && target > 7 ? Math.max(1, pages >> 1) : pages;
    const from = { ...at, count: Math.min(at.count, most) };
    const count = Math.min(most, length > 0 || how === 'keep' ? from.count : 1 + (target % 4));
    let first = Math.min(pages - count, placeFor(state, wish, at, region));
    if (most < pages && overlap(first, count, from)) {
      first = from.first >= count ? from.first - count : Math.min(pages - count, from.first + from.count);
    }
    return { op: 'mremap', by, at: from, to: { region, first, count }, how, ...(flaw && { flaw }) };
  });
}

/**
 * Most moves are of pages that are there to missing ones of a registered mapping; where there are none of these, a region is
 * registered instead, for the next. Most pass over what is missing.
 */
export function moves(state: State, wish: Wish, by: ProcessId, at: PageRange): Step[] {
  const holes = wish.length % 3 > 0;
  const move = (from: PageRange, { region, first }: PageRange): Step => ({
    op: 'uffd-move',
    by,
    at: from,
    to: { region, first, count: from.count },
    holes,
  });
  const region = (wish.target >> 2) % state.regions.length;
  const pages = state.regions[region]!;
  const count = Math.min(at.count, pages);
  const anywhere = move({ ...at, count }, { region, first: wish.target % (pages - count + 1), count });
  if (wish.length > 7) return [anywhere];

  const { mm } = state.processes[by]!;
  const source = pagesThere(mm, at);
  const places = mm.vmas.flat().flatMap((vma) => (isRegistered(vma) ? placesIn(vma, source.count) : []));
  if (places.length > 0) return [move(source, places[wish.target % places.length]!)];
  return [{ op: 'uffd-register', by, at: { region, first: 0, count: pages }, kind: wish.kind }, anywhere];
}

/** The pages that are there from the first one at or behind the beginning of a range, at most as many as it has. */
function pagesThere({ ptes }: Mm, at: PageRange): PageRange {
  const table = ptes[at.region]!;
  const first = table.findIndex((pte, page) => page >= at.first && pte?.kind === 'present');
  if (first < 0) return { ...at, count: 1 };
  const end = table.findIndex((pte, page) => page > first && pte === null);
  return { ...at, first, count: Math.min(at.count, (end < 0 ? table.length : end) - first) };
}

/** Every run of `count` missing pages of a mapping. */
function placesIn({ mm, region, first, end }: Vma, count: number): PageRange[] {
  const places: PageRange[] = [];
  for (let page = first; page + count <= end; page++) {
    const isFree = mm.ptes[region]!.slice(page, page + count).every((pte) => pte === null);
    if (isFree) places.push({ region, first: page, count });
  }
  return places;
}

function overlap(first: number, count: number, other: PageRange): boolean {
  return first < other.first + other.count && other.first < first + count;
}

function placeFor(state: State, { target, length }: Wish, at: PageRange, region: number): number {
  const pages = state.regions[region]!;
  if (!isHugeRegion(pages)) return target % pages;
  const border = (target % (pages / PMD_PAGES)) * PMD_PAGES;
  return length < 7 ? border + (at.first % PMD_PAGES) : target * 8;
}
