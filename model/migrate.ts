/**
 * migrate_vma_*() and migrate_device_*() (mm/migrate_device.c) with the callbacks of lib/test_hmm.c: how pages move
 * between RAM and a private device. Order 0 only.
 */
import { allocationFails } from './device-memory.ts';
import { addToLru, drainLru } from './lru.ts';
import { invalidate } from './notifier.ts';
import type { DeviceMinor, RegionId } from './program.ts';
import { addNewAnonRmap, anonVmaPrepare, rmapWalk } from './rmap.ts';
import {
  type DeviceFile,
  type Frame,
  freeFrame,
  hasChunk,
  newDeviceFrame,
  newRamFrame,
  type Pte,
  type Rule,
  type State,
  tableOf,
  type Vma,
} from './state.ts';

/** One entry of migrate->src that has MIGRATE_PFN_MIGRATE. */
interface Source {
  region: RegionId;
  page: number;
  /** Null: a hole or the zero page, in whose place a new page is inserted. */
  frame: Frame | null;
  /** MIGRATE_PFN_WRITE: the collected entry was writable. */
  write: boolean;
}

/** What migrate_vma_collect_pmd() takes: everything in RAM and holes, or the device pages of one minor. */
type Selection = { kind: 'system' } | { kind: 'device'; minor: DeviceMinor };

/** Fields of an entry that a migration keeps, whichever way it goes. */
function migrationEntry(pte: Pte, readExclusive: boolean, rule: Rule): Pte {
  const present = pte.kind === 'present';
  return {
    kind: 'migration',
    frame: pte.frame,
    write: pte.write,
    readExclusive: !pte.write && readExclusive,
    // Only present entries have A and D bits to keep.
    young: present && pte.young,
    dirty: present && pte.dirty,
    softDirty: pte.softDirty,
    rule,
  };
}

/** Replaces the entry of one mapping by a migration entry; the mapping is no longer counted. */
function unmapForMigration(pte: Pte, rule: Rule): Pte {
  const { frame } = pte;
  if (pte.kind === 'present' && pte.dirty) frame.dirty = true;
  const entry = migrationEntry(pte, frame.exclusive, rule);
  // folio_try_share_anon_rmap_pte(); cannot fail, since nothing pins pages here.
  frame.exclusive = false;
  frame.mapcount--;
  return entry;
}

/** migrate_vma_collect_pmd() and migrate_vma_collect_hole() */
function collect(state: State, vma: Vma, first: number, end: number, select: Selection): Source[] {
  const { region } = vma;
  const ptes = vma.mm.ptes[region]!;
  const sources: Source[] = [];
  for (let page = first; page < end; page++) {
    const pte = ptes[page]!;
    if (pte === null) {
      // Collected whatever is selected; the device's callbacks leave a hole alone on the way to RAM.
      sources.push({ region, page, frame: null, write: false });
    } else if (pte.frame === state.zero) {
      if (select.kind === 'system') sources.push({ region, page, frame: null, write: false });
    } else if (isSelected(pte, select)) {
      sources.push({ region, page, frame: pte.frame, write: pte.write });
      ptes[page] = unmapForMigration(pte, 'migrate_vma_collect_pmd');
    }
  }
  return sources;
}

function isSelected(pte: Pte, select: Selection): boolean {
  return select.kind === 'system'
    ? pte.kind === 'present'
    : pte.kind === 'device' && pte.frame.minor === select.minor;
}

/**
 * try_to_migrate(): walks the page's vmas until nothing maps it any more. Each visit notifies MMU_NOTIFY_CLEAR for
 * the page's address, also where the vma maps another page there, or where migration has taken the entry already.
 */
function tryToMigrate(state: State, frame: Frame, region: RegionId, page: number): void {
  for (const vma of rmapWalk(frame, page)) {
    invalidate(vma.mm, region, page, page + 1);
    const ptes = vma.mm.ptes[region]!;
    const pte = ptes[page]!;
    if (pte !== null && pte.frame === frame && pte.kind !== 'migration') {
      const entry = unmapForMigration(pte, 'try_to_migrate_one');
      ptes[page] = entry;
      state.events.push({ name: 'set_migration_pte', region, page, entry, rule: 'try_to_migrate_one' });
    }
    if (frame.mapcount === 0) return;
  }
}

/** migrate_device_unmap(): what else maps the pages. No page is refused, since nothing else holds references. */
function unmap(state: State, sources: readonly Source[]): void {
  drainLru(state);
  for (const { frame, region, page } of sources) {
    if (frame !== null && frame.mapcount > 0) tryToMigrate(state, frame, region, page);
  }
}

/**
 * remove_migration_ptes(): every migration entry of `from` becomes an entry of `to` (which may be the same), in the
 * order of the reverse mapping.
 */
function removeMigrationPtes(state: State, from: Frame, to: Frame, region: RegionId, page: number): void {
  for (const vma of rmapWalk(to, page)) {
    const ptes = vma.mm.ptes[region]!;
    const old = ptes[page]!;
    if (old === null || old.kind !== 'migration' || old.frame !== from) continue;
    const device = to.kind === 'device';
    const entry: Pte = {
      kind: device ? 'device' : 'present',
      frame: to,
      write: old.write,
      readExclusive: false,
      young: !device && old.young,
      dirty: !device && old.dirty && to.dirty === true,
      softDirty: old.softDirty,
      rule: 'remove_migration_pte',
    };
    if (old.write || old.readExclusive) to.exclusive = true;
    to.mapcount++;
    ptes[page] = entry;
    state.events.push({
      name: 'remove_migration_pte',
      region,
      page,
      // A copy: the entry lives on and may get other bits before it is looked at.
      entry: { ...entry },
      ...(vma.read || device ? {} : { inaccessible: true as const }),
      rule: 'remove_migration_pte',
    });
  }
}

/** folio_migrate_mapping() and folio_migrate_flags() */
function migrateFlags(state: State, from: Frame, to: Frame): void {
  to.anonVma = from.anonVma;
  // Flags are added to those that the page has.
  const stale = to.kind === 'device' && !state.profile.devicePageFlagsCleared;
  to.dirty = stale && !from.dirty ? undefined : from.dirty;
  to.referenced = stale && !from.referenced ? undefined : from.referenced;
  to.active = from.active || (to.active === false ? from.active : to.active);
  from.active = false;
  // folio_migrate_mapping()
  to.swapBacked = from.swapBacked || (to.kind === 'device' ? to.swapBacked : from.swapBacked);
}

/**
 * migrate_vma_insert_page(): a device page in the place of a hole or of the zero page. The entry is writable as far
 * as the vma is, and never soft-dirty by itself.
 */
function insertPage(state: State, vma: Vma, page: number, frame: Frame): void {
  anonVmaPrepare(state, vma);
  addNewAnonRmap(frame, vma);
  if (!state.profile.devicePageFlagsCleared) frame.dirty = frame.referenced = undefined;
  vma.mm.tables.add(tableOf(vma.region, page));
  vma.mm.ptes[vma.region]![page] = {
    kind: 'device',
    frame,
    write: vma.write,
    readExclusive: false,
    young: false,
    dirty: false,
    softDirty: false,
    rule: 'migrate_vma_insert_page',
  };
}

/**
 * One migrate_vma() of dmirror_migrate_to_device(): pages `first` to `end` (exclusive) of one vma go to the device
 * of `file`, whose page table gets them.
 */
export function migrateToDevice(state: State, file: DeviceFile, vma: Vma, first: number, end: number): void {
  const { region } = vma;
  const { minor } = file;
  // migrate_vma_collect()
  invalidate(vma.mm, region, first, end, minor);
  const sources = collect(state, vma, first, end, { kind: 'system' });
  if (sources.length > 0) unmap(state, sources);

  // dmirror_migrate_alloc_and_copy(): a page for which there is no memory stays where it is.
  const targets = sources.map(({ frame }) =>
    allocationFails(file) ? null : newDeviceFrame(state, file, frame?.word ?? 0),
  );

  // migrate_vma_pages(). It notifies once more for holes, which repeats a part of the notification above.
  sources.forEach(({ frame, page }, i) => {
    const target = targets[i]!;
    if (target === null) return;
    if (frame === null) insertPage(state, vma, page, target);
    else migrateFlags(state, frame, target);
  });

  // dmirror_migrate_finalize_and_map(): writable as the source entry was, which a hole is not.
  sources.forEach(({ frame, page, write }, i) => {
    const target = targets[i]!;
    if (target === null) return;
    const hole = frame === null && state.profile.holeGetsWriteTag && vma.write;
    file.pt[region]![page] = { frame: target, write: write || hole, atomic: false };
  });

  finalize(state, sources, targets);
}

/**
 * migrate_vma_finalize(): page by page, the entries are put back and the old page goes. One without a target stays; a
 * page of RAM was taken off the LRU and waits for it again.
 */
function finalize(state: State, sources: readonly Source[], targets: readonly (Frame | null)[]): void {
  sources.forEach(({ frame, region, page }, i) => {
    if (frame === null) return;
    const target = targets[i]!;
    removeMigrationPtes(state, frame, target ?? frame, region, page);
    if (target) freeFrame(state, frame);
    else if (frame.kind === 'ram') addToLru(state, frame);
  });
}

/**
 * migrate_vma() towards RAM, of dmirror_migrate_to_system() and dmirror_devmem_fault(): device pages of the minor of
 * `file` among pages `first` to `end` (exclusive) of one vma.
 *
 * @param file whose entries are erased at the addresses that move
 * @returns how many pages moved; null when there was no memory for the first of them (VM_FAULT_OOM), and none did
 */
export function migrateToSystem(
  state: State,
  file: DeviceFile,
  vma: Vma,
  first: number,
  end: number,
): number | null {
  const { region } = vma;
  invalidate(vma.mm, region, first, end, file.minor);
  const collected = collect(state, vma, first, end, { kind: 'device', minor: file.minor });
  if (collected.length > 0) unmap(state, collected);
  const sources = collected.filter(({ frame }) => frame !== null);

  // dmirror_devmem_fault_alloc_and_copy()
  if (sources.length > 0 && allocationFails(file)) {
    finalize(
      state,
      sources,
      sources.map(() => null),
    );
    return null;
  }
  const targets = sources.map(({ frame, page }) => {
    file.pt[region]![page] = null;
    return newRamFrame(state, frame!.word);
  });
  sources.forEach(({ frame }, i) => {
    migrateFlags(state, frame!, targets[i]!);
  });
  finalize(state, sources, targets);
  return sources.length;
}

/**
 * dmirror_device_evict_chunk() of all chunks: every page of the minor, of all processes, goes to RAM, in the order of
 * the pages of the device. No file's page table is touched but through MMU_NOTIFY_CLEAR.
 */
export function evictDevice(state: State, minor: DeviceMinor): void {
  const device = state.devices[minor]!;
  if (!hasChunk(device)) return;
  const frames = [...device.live].sort((a, b) => a.position - b.position);
  const sources = frames.map((frame): Source => ({ ...placeOf(state, frame), frame, write: false }));
  // migrate_device_range()
  unmap(state, sources);
  const targets = frames.map((frame) => newRamFrame(state, frame.word));
  frames.forEach((frame, i) => {
    migrateFlags(state, frame, targets[i]!);
  });
  finalize(state, sources, targets);
}

/** folio->index: the address of a page is the same in all processes. */
function placeOf(state: State, frame: Frame): { region: RegionId; page: number } {
  for (const process of state.processes) {
    if (!process) continue;
    for (const [region, ptes] of process.mm.ptes.entries()) {
      const page = ptes.findIndex((pte) => pte?.frame === frame);
      if (page >= 0) return { region, page };
    }
  }
  throw new Error(`device frame ${frame.id} is live and not mapped`);
}
