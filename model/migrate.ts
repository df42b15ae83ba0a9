/**
 * migrate_vma_*() and migrate_device_*() (mm/migrate_device.c) with the callbacks of lib/test_hmm.c: how pages move
 * between RAM and a private device.
 */
import { markDirty } from './access-flags.ts';
import { allocationFails } from './device-memory.ts';
import { copyFolio, isMapped, isPinned, newDeviceFolio, newRamFolio } from './folio.ts';
import { addNewFolioRmap } from './huge-fault.ts';
import { collectPmd, inSmallPieces, splitUnmappedPmd } from './huge-migrate.ts';
import { addToLru, drainLru } from './lru.ts';
import { removeMigrationPtes, tryToMigrate, unmapForMigration } from './migration-entries.ts';
import { invalidate } from './notifier.ts';
import { hugeEntry, pmdEnd, setPmd, setPte, setTable } from './page-table.ts';
import { type DeviceMinor, isCoherent, PMD_PAGES, type RegionId } from './program.ts';
import { presentPte, pteOfPlace } from './pte.ts';
import { addNewAnonRmap, anonVmaPrepare } from './rmap.ts';
import { splitFolio, splitPmd } from './split.ts';
import {
  CHUNK_PAGES,
  type DeviceFile,
  type Frame,
  freeFrame,
  newDeviceFrame,
  newRamFrame,
  type Pte,
  type Rule,
  type State,
  type Vma,
  type VmaRange,
} from './state.ts';
import { freeSwap } from './swap.ts';

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

/** What is needed of a source once it is collected; all that there is of one that is evicted. */
type Moving = Pick<Source, 'frame'> & { page?: number };

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

/** Runs what can be interrupted without an interruption. */
function atOnce<T>(phases: Generator<void, T, unknown>): T {
  for (;;) {
    const { done, value } = phases.next();
    if (done) return value;
  }
}

/** migrate_vma_collect(): by PMD. */
function collect(state: State, migrate: MigrateVma, select: Selection): Source[] {
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

/**
 * migrate_device_unmap(): what else maps the pages. A page that others hold references to is put back at once.
 *
 * @returns those that were not
 */
function unmap<T extends Moving>(state: State, sources: readonly T[], refused?: Refused): readonly T[] {
  drainLru(state);
  for (const { frame } of sources) {
    if (frame === null) continue;
    // folio_isolate_lru()
    frame.onLru = false;
    if (isMapped(frame)) tryToMigrate(state, frame);
  }
  // migrate_vma_check_page(): of anonymous pages, pinned ones were not selected.
  const isBusy = ({ frame, page }: T) =>
    frame !== null && ((frame.file && frame.pinned) || (page !== undefined && refused?.get(page) === 'busy'));
  const busy = sources.filter(isBusy);
  if (busy.length === 0) return sources;
  putBack(state, busy);
  return sources.filter((source) => !isBusy(source));
}

/** folio_migrate_mapping() and folio_migrate_flags() */
function migrateFlags(state: State, from: Frame, to: Frame): void {
  to.anonVma = from.anonVma;
  to.index = from.index;
  // PG_mappedtodisk, which PG_anon_exclusive is for anonymous pages: of a head page that nothing maps any more.
  if (from.exclusive) to.exclusive = true;
  // Flags are added to those that the page has.
  const stale = to.minor >= 0 && !state.profile.devicePageFlagsCleared;
  to.dirty = stale && !from.dirty ? undefined : from.dirty;
  to.referenced = stale && !from.referenced ? undefined : from.referenced;
  to.active = from.active || (to.active === false ? from.active : to.active);
  from.active = false;
  // PG_unevictable, which stays with a page that was munlocked off the LRU.
  if (from.unevictable) to.unevictable = true;
  from.unevictable = false;
  // folio_migrate_mapping()
  to.swapBacked = from.swapBacked || (to.minor >= 0 ? to.swapBacked : from.swapBacked);
}

/**
 * migrate_vma_insert_page() and migrate_vma_insert_huge_pmd_page() where missing pages are userfaultfd's: nothing is
 * inserted, when all is prepared for it.
 */
function backOff(state: State, vma: Vma, page: number, huge: boolean): void {
  anonVmaPrepare(state, vma);
  if (huge) return;
  if (hugeEntry(vma.mm, vma.region, page)) splitPmd(state, vma, page);
  setTable(vma.mm, vma.region, page);
}

/**
 * migrate_vma_insert_page(): a device page in the place of a hole or of the zero page. The entry is writable as far
 * as the vma is, and never soft-dirty by itself.
 */
function insertPage(state: State, vma: Vma, page: number, frame: Frame): void {
  // The huge zero page.
  if (hugeEntry(vma.mm, vma.region, page)) splitPmd(state, vma, page);
  anonVmaPrepare(state, vma);
  addNewAnonRmap(frame, vma, page);
  if (!state.profile.devicePageFlagsCleared) frame.dirty = frame.referenced = undefined;
  setPte(vma.mm, vma.region, page, insertedEntry(vma, frame, 'migrate_vma_insert_page'));
}

function isFilled(state: State, vma: Vma, page: number): boolean {
  const pte = vma.mm.ptes[vma.region]![page]!;
  return pte !== null && pte.frame !== state.zero;
}

/** migrate_vma_insert_huge_pmd_page(), whatever THP settings say. */
function insertFolio(state: State, vma: Vma, page: number, head: Frame): void {
  anonVmaPrepare(state, vma);
  addNewFolioRmap(head, vma, page);
  const pmd = insertedEntry(vma, head, 'migrate_vma_insert_huge_pmd_page');
  pmd.huge = true;
  setPmd(vma.mm, vma.region, page, pmd);
}

/** A coherent page is entered as do_anonymous_page() would: with pte_mkdirty(), which makes it soft-dirty, if writable. */
function insertedEntry({ write }: Vma, frame: Frame, rule: Rule): Pte {
  if (frame.kind !== 'coherent') return pteOfPlace(frame, write, rule);
  const pte = presentPte(frame, write, rule);
  if (write) markDirty(pte);
  return pte;
}

/**
 * One migrate_vma() of dmirror_migrate_to_device(): pages of one vma go to the device of `file`, whose page table gets
 * them.
 */
export function migrateToDevice(state: State, file: DeviceFile, migrate: MigrateVma): void {
  atOnce(toDevicePhases(state, file, migrate));
}

/** The same, with an interruption where pages are unmapped, and holes are not locked. */
export function* toDevicePhases(
  state: State,
  file: DeviceFile,
  migrate: MigrateVma,
): Generator<void, void, unknown> {
  const { vma, first, end, refused } = migrate;
  const { region } = vma;
  const { minor } = file;
  // migrate_vma_collect()
  invalidate(vma.mm, region, first, end, minor);
  const all = collect(state, migrate, { kind: 'system' });
  const collected = all.length > 0 ? unmap(state, all, refused) : all;
  yield;

  // dmirror_migrate_alloc_and_copy(): a page for which there is no memory stays where it is; a folio goes in pages.
  const sources: Source[] = [];
  const targets: (Frame | null)[] = [];
  for (const source of collected) {
    const fails = allocationFails(file);
    for (const piece of fails && source.huge ? inSmallPieces(state, vma, source) : [source]) {
      sources.push(piece);
      const { frame, huge } = piece;
      if (huge) targets.push(newDeviceFolio(state, file, frame));
      else targets.push(fails && !source.huge ? null : newDeviceFrame(state, file, frame?.word ?? 0));
    }
  }

  // migrate_vma_pages(). It notifies once more from the first hole on.
  const hole = sources.find(({ frame }) => frame === null);
  if (hole) invalidate(vma.mm, region, hole.page, end, minor);
  sources.forEach(({ frame, page, huge }, i) => {
    const target = targets[i]!;
    // Only anonymous pages go to a device: another stays, though there is a place for it.
    if (target === null || frame?.file) return;
    if (frame !== null) {
      // __migrate_device_pages(): what is in the swap cache must leave it.
      if (freeSwap(frame)) {
        migrateFlags(state, frame, target);
      } else {
        targets[i] = null;
        freeFrame(state, target);
      }
    } else if (vma.uffdMissing) {
      backOff(state, vma, page, huge);
      targets[i] = null;
      freeFrame(state, target);
    } else if (huge) {
      insertFolio(state, vma, page, target);
    } else if (isFilled(state, vma, page)) {
      // migrate_vma_insert_page(), abort: it is no hole any more.
      targets[i] = null;
      freeFrame(state, target);
    } else {
      insertPage(state, vma, page, target);
    }
  });

  // dmirror_migrate_finalize_and_map(): writable as the source entry was, which a hole is not.
  sources.forEach(({ frame, page, write }, i) => {
    const target = targets[i]!;
    if (target === null || frame?.file) return;
    const hole = frame === null && state.profile.holeGetsWriteTag && vma.write;
    for (const [index, frame] of (target.pages ?? [target]).entries()) {
      file.pt[region]![page + index] = { frame, write: write || hole, atomic: false };
    }
  });

  finalize(state, sources, targets);
}

/**
 * migrate_vma_finalize(): page by page, the entries are put back and the old page goes. One without a target stays, and so
 * does one of a file, whose target goes; a page of RAM was taken off the LRU and waits for it again.
 */
function finalize(state: State, sources: readonly Moving[], targets: readonly (Frame | null)[]): void {
  sources.forEach(({ frame }, i) => {
    if (frame === null) return;
    const given = targets[i]!;
    if (given && frame.file) freeFrame(state, given);
    const target = frame.file ? null : given;
    const kept = target ?? frame;
    if (kept.kind === 'ram') addToLru(state, kept);
    removeMigrationPtes(state, frame, kept);
    if (target) freeFrame(state, frame);
    // Unmapped by others meanwhile.
    if (!isMapped(kept) && !kept.file) freeFrame(state, kept);
  });
}

/** They stay where they are. */
function putBack(state: State, sources: readonly Moving[]): void {
  finalize(
    state,
    sources,
    sources.map(() => null),
  );
}

/**
 * migrate_vma() towards RAM, of dmirror_migrate_to_system() and dmirror_devmem_fault(): device pages of the minor of
 * `file` among pages of one vma.
 *
 * @param file whose entries are erased at the addresses that move
 * @returns how many folios moved; null when there was no memory for the first of them (VM_FAULT_OOM), and none did
 */
export function migrateToSystem(state: State, file: DeviceFile, migrate: MigrateVma): number | null {
  return atOnce(toSystemPhases(state, file, migrate));
}

/** The same, with an interruption where pages are unmapped. */
export function* toSystemPhases(
  state: State,
  file: DeviceFile,
  migrate: MigrateVma,
): Generator<void, number | null, unknown> {
  const { vma, first, end, isFault = false, refused } = migrate;
  const { region } = vma;
  invalidate(vma.mm, region, first, end, file.minor);
  const all = collect(state, migrate, { kind: 'device', minor: file.minor });
  const collected = all.length > 0 ? unmap(state, all, refused) : all;
  yield;
  const sources = collected.filter(({ frame }) => frame !== null);

  // dmirror_devmem_fault_alloc_and_copy()
  const fails = sources.length > 0 && allocationFails(file);
  if (fails && !sources[0]!.huge) {
    putBack(state, sources);
    return null;
  }
  for (const { page, huge } of sources) file.pt[region]!.fill(null, page, page + (huge ? PMD_PAGES : 1));
  if (fails) return migrateInPieces(state, vma, sources[0]!, isFault);
  moveToRam(state, sources);
  return sources.length;
}

/**
 * There is no memory for a folio of order 9: it goes in 512 pages. In a CPU fault it does not, since a folio with a
 * further reference is not split (folio_split_unmapped), but its PMD is.
 */
function migrateInPieces(state: State, vma: Vma, source: Source, isFault: boolean): number {
  if (isFault) {
    splitUnmappedPmd(state, vma, source);
    removeMigrationPtes(state, source.frame!, source.frame!);
    return 0;
  }
  const sources = inSmallPieces(state, vma, source);
  moveToRam(state, sources);
  return sources.length;
}

/** migrate_vma_pages() and migrate_vma_finalize() of what was unmapped, with new pages. None is a hole. */
function moveToRam(state: State, sources: readonly Moving[]): void {
  const targets = sources.map(({ frame }) => copyToRam(state, frame!));
  sources.forEach(({ frame }, i) => {
    migrateFlags(state, frame!, targets[i]!);
  });
  finalize(state, sources, targets);
}

/** A page, or a folio of order 9, in RAM with the content of `frame`. */
function copyToRam(state: State, frame: Frame): Frame {
  if (!frame.pages) return newRamFrame(state, frame.word);
  const folio = newRamFolio(state);
  copyFolio(frame, folio);
  return folio;
}

/**
 * dmirror_device_evict_chunk() of one chunk after the other: every page of the minor, of all processes, goes to RAM, in
 * the order of the pages of the device. A folio of order 9 stays one, however it is mapped. No file's page table is
 * touched but through MMU_NOTIFY_CLEAR.
 */
export function evictDevice(state: State, minor: DeviceMinor): void {
  atOnce(evictPhases(state, minor));
}

/** The same, with an interruption for each chunk, where its pages are unmapped. */
export function* evictPhases(state: State, minor: DeviceMinor): Generator<void, void, unknown> {
  const device = state.devices[minor]!;
  for (let chunk = 0; chunk < device.chunks; chunk++) {
    const frames = [...device.live].filter(({ position }) => Math.trunc(position / CHUNK_PAGES) === chunk);
    yield* evictFrames(
      state,
      frames.sort((a, b) => a.position - b.position),
    );
  }
}

export function* evictFrames(state: State, frames: readonly Frame[]): Generator<void, void, unknown> {
  // What only the batch of mlock holds is evicted as well, since it is held now; it goes with the others.
  for (const frame of frames) state.freeing.delete(frame);
  const sources = frames.map((frame): Moving => ({ frame }));
  // migrate_device_range()
  unmap(state, sources);
  yield;
  moveToRam(state, sources);
}
