/**
 * migrate_vma_*() and migrate_device_*() (mm/migrate_device.c) with the callbacks of lib/test_hmm.c: how pages move
 * between RAM and a private device. What is collected, model/migrate-collect.ts says, and model/migrate-pages.ts where it goes.
 */
import { CHUNK_PAGES, newDeviceFolio, newDeviceFrame } from './device-allocator.ts';
import { allocationFails } from './device-memory.ts';
import { copyFolio, newRamFolio } from './folio.ts';
import { newRamFrame } from './frame.ts';
import { inSmallPieces, splitUnmappedPmd } from './huge-migrate.ts';
import { collect, type MigrateVma, type Source } from './migrate-collect.ts';
import { migrateFlags, migratePages } from './migrate-pages.ts';
import { finalize, type Moving, putBack, unmap } from './migrate-unmap.ts';
import { removeMigrationPtes } from './migration-entries.ts';
import { invalidate } from './notifier.ts';
import { type DeviceMinor, PMD_PAGES } from './program.ts';
import type { DeviceFile, Frame, State, Vma } from './state.ts';

/** Runs what can be interrupted without an interruption. */
function atOnce<T>(phases: Generator<void, T, unknown>): T {
  for (;;) {
    const { done, value } = phases.next();
    if (done) return value;
  }
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

  migratePages(state, migrate, minor, sources, targets);

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
