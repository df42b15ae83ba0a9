/** migrate_vma_collect_huge_pmd() (mm/migrate_device.c): what a PMD as a whole is collected as. */
import { breakUp } from './folio.ts';
import { isSelected, type Selection, type Source } from './migrate-collect.ts';
import { freezePmd, setPmdMigrationEntry } from './migration-entries.ts';
import { invalidate } from './notifier.ts';
import { hugeEntry, pmdOf } from './page-table.ts';
import { PMD_PAGES } from './program.ts';
import { splitFolio, splitPmd } from './split.ts';
import type { Pte, State, Vma, VmaRange } from './state.ts';

/** Collects pages that one PMD covers, unless that is a table, or becomes one: false then. */
export function collectPmd(state: State, covered: VmaRange, select: Selection, sources: Source[]): boolean {
  const { vma, first } = covered;
  const pmd = pmdOf(vma.mm, vma.region, first);
  if (pmd === 'table') return false;
  if (pmd === null) {
    collectHole(state, covered, sources);
    return true;
  }
  return state.profile.deviceFolios
    ? collectEntry(state, covered, pmd, select, sources)
    : splitForMigration(state, vma, first, pmd);
}

/** All that a PMD covers goes in one piece. */
function isWhole({ profile }: State, { first, end }: VmaRange): boolean {
  return profile.deviceFolios && end - first === PMD_PAGES;
}

/** migrate_vma_collect_hole(): of anonymous memory only. */
function collectHole(state: State, covered: VmaRange, sources: Source[]): void {
  const { vma, first, end } = covered;
  if (vma.file) return;
  const hole = { region: vma.region, frame: null, write: false };
  if (isWhole(state, covered)) sources.push({ ...hole, page: first, huge: true });
  else for (let page = first; page < end; page++) sources.push({ ...hole, page, huge: false });
}

function collectEntry(
  state: State,
  covered: VmaRange,
  pmd: Pte,
  select: Selection,
  sources: Source[],
): boolean {
  const { vma, first } = covered;
  const { region } = vma;
  const { frame, write } = pmd;
  // What is pinned is put back by set_pmd_migration_entry(), and split_folio() fails.
  if (!isSelected(pmd, select) || pmd.frame.pinned) return true;
  if (frame.kind === 'zero') {
    collectHole(state, covered, sources);
    return true;
  }
  if (!isWhole(state, covered)) {
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
