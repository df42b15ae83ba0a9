/** migrate_vma_setup() (mm/migrate_device.c): which pages of a range are to migrate. What PMDs map: model/huge-migrate.ts. */
import { isPinned } from './folio.ts';
import { collectPmd } from './huge-migrate.ts';
import { unmapForMigration } from './migration-entries.ts';
import { pmdEnd } from './page-table.ts';
import { type DeviceMinor, isCoherent, type RegionId } from './program.ts';
import { splitFolio } from './split.ts';
import type { Frame, Pte, State, VmaRange } from './state.ts';

/** One entry of migrate->src that has MIGRATE_PFN_MIGRATE. */
export interface Source {
  region: RegionId;
  page: number;
  /** MIGRATE_PFN_COMPOUND: all that a PMD covers, in one piece. */
  huge: boolean;
  /** Null: a hole or the zero page, in whose place a new page is inserted. */
  frame: Frame | null;
  /** MIGRATE_PFN_WRITE: the collected entry was writable. */
  write: boolean;
}

/**
 * What migrate_vma_collect_pmd() takes: everything in RAM and holes, or the device pages of one minor. Pages of a coherent
 * device are not taken for pages in RAM, though their entries are present.
 */
export type Selection = { kind: 'system' } | { kind: 'device'; minor: DeviceMinor };

/**
 * Pages that are left where they are, since somebody else has them at the moment (model/together.ts): locked by another when
 * they are to be collected, or referenced by another when they are to be unmapped.
 */
export type Refused = ReadonlyMap<number, 'locked' | 'busy'>;

/** What one migrate_vma_setup() is told (struct migrate_vma). */
export interface MigrateVma extends VmaRange {
  /** fault_page is set: a CPU fault, which has a reference to the page. */
  isFault?: boolean;
  refused?: Refused;
}

/** migrate_vma_collect(): by PMD. */
export function collect(state: State, migrate: MigrateVma, select: Selection): Source[] {
  const sources: Source[] = [];
  for (let first = migrate.first; first < migrate.end; ) {
    const end = pmdEnd(first, migrate.end);
    const covered = { ...migrate, first, end };
    if (!collectPmd(state, covered, select, sources)) collectPtes(state, covered, select, sources);
    first = end;
  }
  return sources;
}

function collectPtes(state: State, migrate: MigrateVma, select: Selection, sources: Source[]): void {
  const { vma, first, end, isFault, refused } = migrate;
  const { region } = vma;
  const ptes = vma.mm.ptes[region]!;
  for (let page = first; page < end; page++) {
    let pte = ptes[page]!;
    if (pte?.frame.head.large && isSelected(pte, select)) {
      // migrate_vma_split_folio(), after which the loop begins again at this page. 6.12: not migrated.
      if (!state.profile.deviceFolios) continue;
      // Nor can it be split then, and migrate_vma_collect_skip() leaves out the rest of what the PMD covers.
      if (pte.frame.head.pinned) return;
      const { offset } = pte.frame;
      splitFolio(state, pte.frame.head);
      // The page that a fault is for is locked anew, unless it was the head, and so is not had: the access faults again.
      if (isFault && offset > 0) continue;
      pte = ptes[page]!;
    }
    if (pte === null) {
      // Collected whatever is selected; the device's callbacks leave a hole alone on the way to RAM.
      if (!vma.file) sources.push({ region, page, huge: false, frame: null, write: false });
    } else if (pte.frame === state.zero) {
      if (select.kind === 'system') sources.push({ region, page, huge: false, frame: null, write: false });
    } else if (
      isSelected(pte, select) &&
      !isPinned(pte) &&
      !pte.frame.ksm &&
      refused?.get(page) !== 'locked'
    ) {
      sources.push({ region, page, huge: false, frame: pte.frame, write: pte.write });
      ptes[page] = unmapForMigration(state, vma, pte, 'migrate_vma_collect_pmd');
    }
  }
}

export function isSelected(pte: Pte, select: Selection): boolean {
  if (select.kind === 'system') return pte.kind === 'present' && pte.frame.kind !== 'coherent';
  return pte.kind === (isCoherent(select.minor) ? 'present' : 'device') && pte.frame.minor === select.minor;
}
