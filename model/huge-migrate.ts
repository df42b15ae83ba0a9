/** migrate_vma_collect_huge_pmd() (mm/migrate_device.c): what a PMD as a whole is collected as. */
import { breakUp } from './folio.ts';
import type { Selection, Source } from './migrate.ts';
import { isSelected } from './migrate.ts';
import { freezePmd, setPmdMigrationEntry } from './migration-entries.ts';
import { invalidate } from './notifier.ts';
import { hugeEntry, pmdOf } from './page-table.ts';
import { PMD_PAGES } from './program.ts';
import { splitFolio, splitPmd } from './split.ts';
import type { Pte, State, Vma } from './state.ts';

/**
 * Collects pages `first` to `end` (exclusive), which one PMD covers, unless that is a table, or becomes one: false
 * then.
 */
export function collectPmd(
  state: State,
  vma: Vma,
  first: number,
  end: number,
  select: Selection,
  sources: Source[],
): boolean {
  const pmd = pmdOf(vma.mm, vma.region, first);
  if (pmd === 'table') return false;
  const whole = state.profile.deviceFolios && end - first === PMD_PAGES;
  if (pmd === null) {
    collectHole(vma, first, end, whole, sources);
    return true;
  }
  return state.profile.deviceFolios
    ? collectEntry(state, vma, first, end, pmd, select, whole, sources)
    : splitForMigration(state, vma, first, pmd);
}

/** migrate_vma_collect_hole(): of anonymous memory only. */
function collectHole(vma: Vma, first: number, end: number, whole: boolean, sources: Source[]): void {
  if (vma.file) return;
  const hole = { region: vma.region, frame: null, write: false };
  if (whole) sources.push({ ...hole, page: first, huge: true });
  else for (let page = first; page < end; page++) sources.push({ ...hole, page, huge: false });
}

function collectEntry(
  state: State,
  vma: Vma,
  first: number,
  end: number,
  pmd: Pte,
  select: Selection,
  whole: boolean,
  sources: Source[],
): boolean {
  const { region } = vma;
  const { frame, write } = pmd;
  // What is pinned is put back by set_pmd_migration_entry(), and split_folio() fails.
  if (!isSelected(pmd, select) || pmd.frame.pinned) return true;
  if (frame.kind === 'zero') {
    collectHole(vma, first, end, whole, sources);
    return true;
  }
  if (!whole) {
    splitFolio(state, frame);
    return false;
  }
  sources.push({ region, page: first, huge: true, frame, write });
  setPmdMigrationEntry(state, vma, first, pmd);
  return true;
}

/** migrate_vma_collect_pmd() of 6.12: split before anything is selected, or left alone if it cannot be. */
function splitForMigration(state: State, vma: Vma, first: number, pmd: Pte): boolean {
  if (pmd.frame.pinned) return true;
  if (pmd.frame.kind === 'zero') splitPmd(state, vma, first);
  else splitFolio(state, pmd.frame);
  return false;
}

/** split_huge_pmd_address() of a PMD migration entry: MMU_NOTIFY_CLEAR, and 512 migration PTEs. */
export function splitUnmappedPmd(state: State, vma: Vma, { region, page }: Source): void {
  invalidate(vma.mm, region, page, page + PMD_PAGES);
  freezePmd(state, vma, page, hugeEntry(vma.mm, region, page)!);
}

/**
 * What a folio, or a hole of its size, is migrated as when there is no memory for a folio
 * (migrate_vma_split_unmapped_folio): 512 pages.
 */
export function inSmallPieces(state: State, vma: Vma, source: Source): Source[] {
  const { frame, region, page, write } = source;
  if (frame) splitUnmappedPmd(state, vma, source);
  const frames = frame && breakUp(state, frame);
  return Array.from({ length: PMD_PAGES }, (_, index) => ({
    region,
    page: page + index,
    huge: false,
    frame: frames && frames[index]!,
    write,
  }));
}
