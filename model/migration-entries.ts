/**
 * Migration entries: what a page-table entry is while its page moves, or while its folio is split
 * (mm/rmap.c, try_to_migrate; mm/migrate.c, remove_migration_ptes; mm/huge_memory.c for PMDs).
 */
import {
  addMapping,
  addPmdMapping,
  addPteMappingsOfPmd,
  isMapped,
  removeMapping,
  removePmdMapping,
} from './folio.ts';
import { drainMlock, mlockFolio } from './lru.ts';
import { invalidate } from './notifier.ts';
import { hugeEntry, pmdEnd, setPmd } from './page-table.ts';
import { inherit, newPte, presentPte, pteOfPlace } from './pte.ts';
import { rmapWalk } from './rmap.ts';
import type { ExpectedMigration, Frame, Pte, Rule, State, Vma } from './state.ts';
import { countVmEvent } from './vm-events.ts';

/** order of a folio that 512 pages make. */
const PMD_ORDER = 9;

/** Fields of an entry that a migration keeps, whichever way it goes. */
export function migrationEntry(pte: Pte, readExclusive: boolean, rule: Rule): Pte {
  const entry = inherit(newPte('migration', pte.frame, pte.write, rule), pte);
  entry.huge = pte.huge;
  entry.readExclusive = !pte.write && readExclusive;
  // Only present entries have A and D bits to keep.
  const present = pte.kind === 'present';
  entry.young = present && pte.young;
  entry.dirty = present && pte.dirty;
  return entry;
}

/** Replaces the entry of one mapping by a migration entry; the mapping is no longer counted. */
export function unmapForMigration(state: State, vma: Vma, pte: Pte, rule: Rule): Pte {
  const { frame } = pte;
  if (pte.kind === 'present' && pte.dirty) frame.head.dirty = true;
  const entry = migrationEntry(pte, frame.exclusive, rule);
  // folio_try_share_anon_rmap_pte() and _pmd(); what is pinned was not selected (model/migrate-collect.ts).
  frame.exclusive = false;
  if (pte.huge) removePmdMapping(frame, vma.mm);
  else removeMapping(state, frame, vma);
  return entry;
}

function note(
  state: State,
  name: ExpectedMigration['name'],
  vma: Vma,
  page: number,
  entry: Pte,
  order: number,
): void {
  state.events.push({
    name,
    region: vma.region,
    page,
    // A copy: the entry lives on and may get other bits before it is looked at.
    entry: { ...entry },
    ...(vma.read || entry.kind !== 'present' ? {} : { inaccessible: true as const }),
    order,
    rule: entry.rule,
  });
}

/** set_migration_pmd_entry(): also migrate_vma_collect_huge_pmd() leaves a trace, unlike its sibling for PTEs. */
export function setPmdMigrationEntry(state: State, vma: Vma, page: number, pmd: Pte): void {
  const entry = unmapForMigration(state, vma, pmd, 'set_pmd_migration_entry');
  setPmd(vma.mm, vma.region, page, entry);
  note(state, 'set_migration_pmd', vma, page, entry, 0);
}

/**
 * __split_huge_pmd_locked() with `freeze`: 512 migration PTEs take the place of a PMD, or of its migration entry. No
 * trace event tells.
 */
export function freezePmd(state: State, vma: Vma, page: number, pmd: Pte): void {
  countVmEvent(state, 'thp_split_pmd');
  const entry =
    pmd.kind === 'migration' ? pmd : unmapForMigration(state, vma, pmd, '__split_huge_pmd_locked (freeze)');
  const ptes = vma.mm.ptes[vma.region]!;
  for (const [index, frame] of pmd.frame.pages!.entries()) {
    ptes[page + index] = { ...entry, huge: false, frame };
  }
  setPmd(vma.mm, vma.region, page, 'table');
}

/**
 * try_to_migrate(): walks the folio's vmas until nothing maps it any more. Each visit notifies MMU_NOTIFY_CLEAR for
 * the folio's addresses, also where the vma maps other pages there, or where migration has taken the entry already.
 *
 * @param split PMDs as well (TTU_SPLIT_HUGE_PMD)
 */
export function tryToMigrate(state: State, head: Frame, split = false): void {
  for (const { vma, first, end } of rmapWalk(head)) {
    invalidate(vma.mm, vma.region, first, end);
    for (let page = first; page < end; ) {
      const stop = pmdEnd(page, end);
      const pmd = hugeEntry(vma.mm, vma.region, page);
      if (pmd === null) unmapPtes(state, vma, head, page, stop);
      else if (pmd.frame === head && pmd.kind !== 'migration') {
        if (split) freezePmd(state, vma, page, pmd);
        else setPmdMigrationEntry(state, vma, page, pmd);
      }
      page = stop;
    }
    if (vma.locked) drainMlock(state);
    if (!isMapped(head)) return;
  }
}

/** try_to_migrate_one(), PTEs of the folio `head`. */
function unmapPtes(state: State, vma: Vma, head: Frame, first: number, end: number): void {
  const ptes = vma.mm.ptes[vma.region]!;
  for (let page = first; page < end; page++) {
    const pte = ptes[page]!;
    if (pte === null || pte.frame.head !== head || pte.kind === 'migration') continue;
    const entry = unmapForMigration(state, vma, pte, 'try_to_migrate_one');
    ptes[page] = entry;
    note(state, 'set_migration_pte', vma, page, entry, head.pages ? PMD_ORDER : 0);
  }
}

/**
 * remove_migration_ptes(): every migration entry of the folio `from` becomes an entry of the folio `to` (which may be
 * the same), in the order of the reverse mapping.
 *
 * @param useZeroPage TTU_USE_SHARED_ZEROPAGE: a page of zeroes is not mapped again
 */
export function removeMigrationPtes(state: State, from: Frame, to: Frame, useZeroPage = false): void {
  for (const { vma, first, end } of rmapWalk(to)) {
    const ptes = vma.mm.ptes[vma.region]!;
    for (let page = first; page < end; ) {
      const stop = pmdEnd(page, end);
      const pmd = hugeEntry(vma.mm, vma.region, page);
      if (pmd?.kind === 'migration' && pmd.frame === from) removeMigrationPmd(state, vma, page, pmd, to);
      if (pmd !== null) page = stop;
      for (; page < stop; page++) {
        const old = ptes[page]!;
        if (old === null || old.kind !== 'migration' || old.frame.head !== from) continue;
        if (useZeroPage && from.word === 0) ptes[page] = unusedToZeroPage(state, old);
        else removeMigrationPte(state, vma, page, old, to);
      }
    }
    if (vma.locked) drainMlock(state);
  }
}

/** try_to_map_unused_to_zeropage() */
function unusedToZeroPage(state: State, old: Pte): Pte {
  return inherit(presentPte(state.zero, false, 'try_to_map_unused_to_zeropage'), old);
}

/** The entry of a page in its place, which has A and D bits again where it is present; D only if the page is dirty still. */
function restoredEntry(old: Pte, frame: Frame, write: boolean, rule: Rule): Pte {
  const entry = inherit(pteOfPlace(frame, write, rule), old);
  entry.huge = old.huge;
  const present = entry.kind === 'present';
  entry.young = present && old.young;
  entry.dirty = present && old.dirty && frame.head.dirty === true;
  return entry;
}

function removeMigrationPte(state: State, vma: Vma, page: number, old: Pte, to: Frame): void {
  const frame = to.pages ? to.pages[old.frame.offset]! : to;
  // mk_pte() with vm_page_prot
  const entry = restoredEntry(old, frame, old.write || vma.madeWritable, 'remove_migration_pte');
  if (!frame.file && (old.write || old.readExclusive)) frame.exclusive = true;
  addMapping(frame, vma.mm);
  // mlock_vma_folio()
  if (vma.locked && !to.pages) mlockFolio(state, frame);
  vma.mm.ptes[vma.region]![page] = entry;
  // compound_order() of a tail page is 0.
  note(state, 'remove_migration_pte', vma, page, entry, to.pages && frame === to ? PMD_ORDER : 0);
}

/** remove_migration_pmd(): pmd_mkdirty() makes the entry soft-dirty as well. */
function removeMigrationPmd(state: State, vma: Vma, page: number, old: Pte, to: Frame): void {
  const entry = restoredEntry(old, to, old.write, 'remove_migration_pmd');
  if (entry.dirty) entry.softDirty = true;
  if (old.write || old.readExclusive) to.exclusive = true;
  addPmdMapping(to, vma.mm);
  setPmd(vma.mm, vma.region, page, entry);
  note(state, 'remove_migration_pmd', vma, page, entry, 0);
}

/** __split_huge_pmd_locked() of a PMD that maps a folio: 512 PTEs that map the pages of the same folio. */
export function spreadPmd(vma: Vma, page: number, pmd: Pte): void {
  const head = pmd.frame;
  const device = pmd.kind === 'device';
  if (!device && pmd.dirty) head.dirty = true;
  const ptes = vma.mm.ptes[vma.region]!;
  for (const [index, frame] of head.pages!.entries()) {
    if (head.exclusive) frame.exclusive = true;
    ptes[page + index] = {
      ...pmd,
      huge: false,
      frame,
      // pte_mkdirty() makes an entry soft-dirty.
      softDirty: pmd.softDirty || (!device && pmd.dirty),
      rule: '__split_huge_pmd_locked',
    };
  }
  addPteMappingsOfPmd(head, vma.mm);
  setPmd(vma.mm, vma.region, page, 'table');
}
