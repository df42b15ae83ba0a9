/** The mremap, and the UFFDIO_MOVE, that comes nearest to a wish. */
import { isHugeRegion, type PageRange, PMD_PAGES, type ProcessId, type Step } from '../../model/program.ts';
import type { State } from '../../model/state.ts';
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
 * Most places that pages move to are missing ones of a registered mapping, as far as there are any; most have what is missing
 * left out.
 */
export function moves(state: State, wish: Wish, by: ProcessId, at: PageRange): Step[] {
  const holes = wish.length % 3 > 0;
  const { mm } = state.processes[by]!;
  const region = (wish.target >> 2) % state.regions.length;
  return [region, at.region].flatMap((region): Step[] => {
    const pages = state.regions[region]!;
    const count = Math.min(at.count, pages);
    const most = pages - count + 1;
    const isFree = (first: number) => {
      const isNone = mm.ptes[region]!.slice(first, first + count).every((pte) => pte === null);
      return (
        isNone &&
        mm.vmas[region]!.some((vma) => isRegistered(vma) && vma.first <= first && first + count <= vma.end)
      );
    };
    const places = Array.from({ length: Math.min(most, 64) }, (_, i) => (wish.target + i) % most);
    const first = (wish.length < 7 ? places.find(isFree) : undefined) ?? places[0]!;
    return [{ op: 'uffd-move', by, at: { ...at, count }, to: { region, first, count }, holes }];
  });
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
