/** move_page_tables() (mm/mremap.c): entries go to another place of the same mm, of whatever kind they are. */
import { invalidate } from './notifier.ts';
import { pmdEnd, pmdOf, setPmd, setTable } from './page-table.ts';
import { type PageRange, PMD_PAGES, type RegionId } from './program.ts';
import { splitPmd } from './split.ts';
import type { Mm, State, Vma } from './state.ts';
import { isRegistered } from './userfault.ts';

interface Place {
  region: RegionId;
  page: number;
}

/**
 * Moves the entries of `at` to the pages from `target` on. MMU_NOTIFY_UNMAP is for the source: a device that mirrors it
 * hears nothing of the target, and knows nothing of the device pages there.
 *
 * @param from the vma of the source
 * @param to the vma of the target, which may be the same
 */
export function moveTables(state: State, from: Vma, to: Vma, at: PageRange, target: Place): void {
  const { mm } = from;
  const end = at.first + at.count;
  const lower = realignment(from, to, at, target);
  let page = at.first - lower;
  let there = target.page - lower;
  invalidate(mm, at.region, page, end);
  while (page < end) {
    // get_extent(): up to the border of a PMD on either side.
    const extent = Math.min(pmdEnd(page, end) - page, pmdEnd(there, Number.POSITIVE_INFINITY) - there);
    moveExtent(state, from, { region: at.region, page }, { region: target.region, page: there }, extent);
    page += extent;
    there += extent;
  }
}

function moveExtent(state: State, vma: Vma, from: Place, to: Place, extent: number): void {
  const { mm } = vma;
  const pmd = pmdOf(mm, from.region, from.page);
  if (pmd === null) return;
  const registered = isRegistered(vma);
  // uffd_supports_page_table_move()
  if (extent === PMD_PAGES && !(pmd === 'table' && registered)) {
    // move_normal_pmd(): the table as a whole, with soft-dirty bits as they are.
    if (pmd === 'table') movePtes(mm, from, to, extent, { touch: false, registered });
    setPmd(mm, from.region, from.page, null);
    setPmd(mm, to.region, to.page, pmd);
    if (pmd === 'table') return;
    if (registered) pmd.uffdWp = false;
    // move_huge_pmd() and move_soft_dirty_pmd(): a device's entry does not become soft-dirty.
    if (pmd.kind === 'present') pmd.softDirty = true;
    pmd.rule = 'move_huge_pmd';
    return;
  }
  if (pmd !== 'table') splitPmd(state, vma, from.page);
  setTable(mm, to.region, to.page);
  movePtes(mm, from, to, extent, { touch: true, registered });
}

/**
 * move_ptes() and move_soft_dirty_pte(), which is for entries of all kinds. What is moved is not registered with
 * userfaultfd any more, so that markers go.
 */
function movePtes(
  mm: Mm,
  from: Place,
  to: Place,
  count: number,
  { touch, registered }: { touch: boolean; registered: boolean },
): void {
  const source = mm.ptes[from.region]!;
  const target = mm.ptes[to.region]!;
  for (let i = 0; i < count; i++) {
    const pte = source[from.page + i];
    if (!pte) continue;
    source[from.page + i] = null;
    if (pte.kind === 'marker') continue;
    target[to.page + i] = pte;
    if (registered) pte.uffdWp = false;
    if (!touch) continue;
    pte.softDirty = true;
    pte.rule = 'move_ptes';
  }
}

/**
 * try_realign_addr(): where both sides begin at the same place within their PMDs, and nothing is mapped before them
 * there, the PMD is moved as a whole, from its beginning.
 *
 * @returns by how many pages the move begins earlier
 */
function realignment(from: Vma, to: Vma, at: PageRange, target: Place): number {
  const lower = at.first % PMD_PAGES;
  if (lower === 0 || at.count < PMD_PAGES - lower || target.page % PMD_PAGES !== lower) return 0;
  // can_align_down()
  const free = (vma: Vma, page: number) =>
    vma.first === page &&
    !vma.mm.vmas[vma.region]!.some((other) => other.first < page && other.end > page - lower);
  return free(from, at.first) && free(to, target.page) ? lower : 0;
}
