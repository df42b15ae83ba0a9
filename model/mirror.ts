/**
 * HMM_DMIRROR_READ and HMM_DMIRROR_WRITE (lib/test_hmm.c, dmirror_read and dmirror_write), and the
 * hmm_range_fault() (mm/hmm.c) under them.
 */

import { handleFault } from './fault.ts';
import { isBusError } from './file-fault.ts';
import { copyOut } from './ioctl.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { entryAt, frameAt, pmdEnd } from './page-table.ts';
import type { Profile } from './profile.ts';
import type { Flaw, PageRange, RegionId } from './program.ts';
import type { DeviceFile, DevicePte, Mm, State } from './state.ts';
import { tokenNumber } from './token.ts';
import { USERFAULT_RULE } from './userfault.ts';
import { findVma } from './vma.ts';

/**
 * The step would make test_hmm use a device page as if it were its backing page, which oopses, or store a read-only
 * page for a write, which warns. Programs must not do it (model/safe.ts).
 */
export class HazardError extends Error {
  override readonly name = 'HazardError';
}

interface Manner {
  rule: string;
  /** Its faults may drop mmap_lock (hmm_range_fault_unlocked_timeout), and wait for a userfaultfd. */
  mayWait: boolean;
}

/** READ, and READ_UNLOCKED. */
export function read(state: State, file: DeviceFile, at: PageRange, manner: Manner, flaw?: Flaw): Expected {
  const data: number[] = [];
  return copyOut(
    mirrored(state, file, at, false, manner, ({ frame }) => data.push(frame.word), data),
    flaw,
  );
}

/** Pages that were written before a failing fault stay written. */
export function write(state: State, file: DeviceFile, at: PageRange, step: number, flaw?: Flaw): Expected {
  if (flaw === 'bad-buffer') return failWith('EFAULT', 'dmirror_write (copy_from_user)');
  return mirrored(state, file, at, true, { rule: 'dmirror_write', mayWait: false }, ({ frame }, page) => {
    frame.word = tokenNumber(step, at.region, page);
  });
}

/**
 * Pages are copied while the device's own page table has them (for a write: tagged writable). At the first that it
 * lacks, everything from there to the end is faulted in and entered, and the copy goes on.
 */
function mirrored(
  state: State,
  file: DeviceFile,
  { region, first, count }: PageRange,
  write: boolean,
  { rule, mayWait }: Manner,
  copy: (entry: DevicePte, page: number) => void,
  data?: number[],
): Expected {
  const end = first + count;
  let faults = 0;
  let page = first;
  for (;;) {
    for (; page < end; page++) {
      const entry = file.pt[region]![page];
      if (!entry || (write && !entry.write)) break;
      copy(entry, page);
    }
    if (page === end) return succeed(rule, { cpages: count, faults, ...(data && { data }) });

    const error = fault(state, file, region, page, end, write, mayWait);
    if (error) return error;
    faults++;
  }
}

/** dmirror_fault(): pieces that were done before a failing one stay entered. */
export function fault(
  state: State,
  file: DeviceFile,
  region: RegionId,
  first: number,
  end: number,
  write: boolean,
  mayWait = false,
): Expected | null {
  if (!file.mm.alive) return failWith('EFAULT', 'dmirror_fault (mmget_not_zero)');
  const { faultPieces } = state.profile;
  for (let start = first; start < end; start += faultPieces) {
    const stop = Math.min(start + faultPieces, end);
    const error = rangeFault(state, file, region, start, stop, write, mayWait);
    if (error) return error;
    enter(file, region, start, stop, write);
  }
  return null;
}

/** dmirror_do_fault(): the result of hmm_range_fault() into the device's own page table. */
function enter(file: DeviceFile, region: RegionId, first: number, end: number, write: boolean): void {
  for (let page = first; page < end; page++) {
    const pte = entryAt(file.mm, region, page)!;
    if (pte.kind === 'device') {
      throw new HazardError(
        `page ${page} of region ${region} is on device ${file.minor}, which would enter the device page itself`,
      );
    }
    file.pt[region]![page] = { frame: frameAt(pte, page), write: pte.write, atomic: false };
    if (write && !pte.write)
      throw new Error('hmm_range_fault() granted a write that the page does not allow');
  }
}

/** hmm_range_fault(): walks, faults from the first page that needs it to the end of its PMD or vma, walks on. */
function rangeFault(
  state: State,
  file: DeviceFile,
  region: RegionId,
  first: number,
  end: number,
  write: boolean,
  mayWait: boolean,
): Expected | null {
  const { mm } = file;
  let page = first;
  while (page < end) {
    const vma = findVma(mm, region, page);
    if (!vma) return failWith('EFAULT', 'hmm_vma_walk_hole');
    if (!vma.read) return failWith('EFAULT', 'hmm_vma_walk_test');
    const stop = pmdEnd(page, Math.min(vma.end, end));
    while (page < stop && !needsFault(mm, region, page, file, write)) page++;
    if (page === stop) continue;
    // hmm_do_fault()
    if (write && !vma.write) return failWith('EPERM', 'hmm_do_fault');
    for (let at = page; at < stop; at++) {
      if (isBusError(state, vma, at, write)) return failWith('EFAULT', 'hmm_do_fault (VM_FAULT_SIGBUS)');
      const result = handleFault(state, vma, at, write, mayWait);
      if (result === 'oom') return failWith('ENOMEM', 'hmm_do_fault');
      if (result === 'sigbus') return failWith('EFAULT', USERFAULT_RULE);
    }
  }
  return null;
}

/** hmm_vma_handle_pte() and _pmd(): a page on the device itself is taken as it is, even for a write. */
function needsFault(mm: Mm, region: RegionId, page: number, file: DeviceFile, write: boolean): boolean {
  const pte = entryAt(mm, region, page);
  if (pte === null || pte.kind === 'marker') return true;
  if (pte.kind === 'device') return pte.frame.minor !== file.minor;
  if (pte.kind === 'exclusive' || pte.kind === 'swap') return true;
  return write && !pte.write;
}

/**
 * Whether {@link read} or {@link write} of these pages would enter a page of the device itself: the state is not
 * changed.
 */
export function isHazardous(
  { faultPieces, deadMirrorFails }: Profile,
  file: DeviceFile,
  { region, first, count }: PageRange,
  write: boolean,
): boolean {
  const end = first + count;
  const table = file.pt[region]!;
  let page = first;
  while (page < end && table[page] && (!write || table[page]!.write)) page++;
  if (!file.mm.alive) return page < end && !deadMirrorFails;
  for (let start = page; start < end; start += faultPieces) {
    const verdict = pieceEntersDevicePage(file, region, start, Math.min(start + faultPieces, end), write);
    if (verdict !== 'fine') return verdict === 'hazard';
  }
  return false;
}

/** What one hmm_range_fault() would come to: pages from a faulting one on return to RAM, those before it stay. */
function pieceEntersDevicePage(
  file: DeviceFile,
  region: RegionId,
  first: number,
  end: number,
  write: boolean,
): 'fine' | 'fails' | 'hazard' {
  const { mm } = file;
  let hazard = false;
  let page = first;
  while (page < end) {
    const vma = findVma(mm, region, page);
    if (!vma?.read) return 'fails';
    const stop = pmdEnd(page, Math.min(vma.end, end));
    for (; page < stop && !needsFault(mm, region, page, file, write); page++) {
      if (entryAt(mm, region, page)!.kind === 'device') hazard = true;
    }
    if (page < stop && write && !vma.write) return 'fails';
    for (; page < stop; page++) if (isSplitOnly(mm, region, page, file)) hazard = true;
  }
  return hazard ? 'hazard' : 'fine';
}

/**
 * A fault on a page of a folio of order 9 that PTEs map splits the folio, and leaves the page on the device
 * (model/migrate-collect.ts, collectPtes). For a device of its own it is not faulted again.
 */
function isSplitOnly(mm: Mm, region: RegionId, page: number, file: DeviceFile): boolean {
  const pte = entryAt(mm, region, page);
  if (pte?.kind !== 'device' || pte.huge || pte.frame.minor !== file.minor) return false;
  return pte.frame.head.large !== null && pte.frame.offset > 0;
}
