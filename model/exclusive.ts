/**
 * Device-exclusive entries: HMM_DMIRROR_EXCLUSIVE and CHECK_EXCLUSIVE (lib/test_hmm.c, dmirror_exclusive and
 * dmirror_check_atomic), make_device_exclusive() (mm/rmap.c), and how such an entry becomes present again
 * (mm/memory.c, restore_exclusive_pte).
 */
import { setAlone } from './folded-ptes.ts';
import { getUserPage } from './gup.ts';
import { copyOut } from './ioctl.ts';
import { mlockFolio, munlockFolio } from './lru.ts';
import { invalidate } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { Flaw, PageRange, RegionId } from './program.ts';
import { tracksWrites } from './protect.ts';
import { rmapWalk } from './rmap.ts';
import type { DeviceFile, Pte, State, Vma } from './state.ts';
import { findVma } from './vma.ts';

/** Page by page (6.12: all at once); pages before a failing one stay exclusive. Then they are read back. */
export function exclusive(state: State, file: DeviceFile, at: PageRange, flaw?: Flaw): Expected {
  const rule = 'dmirror_exclusive';
  if (!file.mm.alive) return failWith('EINVAL', `${rule} (mmget_not_zero)`);
  const error = state.profile.exclusiveInGroups ? makeGroup(state, file, at) : makeEach(state, file, at);
  if (error) return error;

  const data: number[] = [];
  for (let page = at.first; page < at.first + at.count; page++) {
    const entry = file.pt[at.region]![page];
    if (!entry) return failWith('ENOENT', 'dmirror_do_read');
    data.push(entry.frame.word);
  }
  return copyOut(succeed(rule, { cpages: at.count, faults: 0, data }), flaw);
}

/** dmirror_check_atomic(): looks at nothing but the device's own page table. */
export function checkExclusive(file: DeviceFile, { region, first, count }: PageRange): Expected {
  const entries = file.pt[region]!.slice(first, first + count);
  return entries.some((entry) => entry?.atomic)
    ? failWith('EPERM', 'dmirror_check_atomic')
    : succeed('dmirror_check_atomic', { cpages: 0, faults: 0 });
}

/** make_device_exclusive(), then dmirror_atomic_map(). */
function makeEach(state: State, file: DeviceFile, { region, first, count }: PageRange): Expected | null {
  for (let page = first; page < first + count; page++) {
    const gotten = getUserPage(state, file.mm, region, page, 'exclusive');
    if ('errno' in gotten) return failWith(gotten.errno, gotten.rule);
    if (gotten.pte.frame.file) return failWith('EOPNOTSUPP', 'make_device_exclusive');
    // MMU_NOTIFY_EXCLUSIVE without an owner: this file hears it as well.
    invalidate(file.mm, region, page, page + 1);
    setExclusive(gotten.pte, false, 'make_device_exclusive');
    enter(file, region, page, gotten.pte);
  }
  return null;
}

/**
 * make_device_exclusive_range() of 6.12, which takes up to 64 pages: all are faulted in first; those before one that
 * cannot be become exclusive even so, but the device does not enter them then.
 */
function makeGroup(state: State, file: DeviceFile, { region, first, count }: PageRange): Expected | null {
  let got = 0;
  while (got < count && !('errno' in getUserPage(state, file.mm, region, first + got, 'exclusive'))) got++;
  const ptes = file.mm.ptes[region]!;
  for (let page = first; page < first + got; page++) {
    const pte = ptes[page]!;
    // folio_make_device_exclusive(): anonymous pages only.
    if (pte.frame.file) continue;
    // The walk of folio_make_device_exclusive() ends with the vma that maps the page.
    for (const { vma, first, end } of rmapWalk(pte.frame)) {
      invalidate(vma.mm, vma.region, first, end);
      if (vma.mm.ptes[vma.region]![first] === pte) break;
    }
    setExclusive(pte, true, 'page_make_device_exclusive_one');
    // Such an entry is no mapping for 6.12 (folio_remove_rmap_pte).
    if (findVma(file.mm, region, page)!.locked) munlockFolio(state, pte.frame);
  }
  if (got < count) return failWith('EBUSY', 'dmirror_exclusive (make_device_exclusive_range)');
  let entered = 0;
  for (let page = first; page < first + count; page++) {
    if (ptes[page]!.frame.file) continue;
    enter(file, region, page, ptes[page]!);
    entered++;
  }
  return entered === count ? null : failWith('EBUSY', 'dmirror_exclusive (make_device_exclusive_range)');
}

/** @param keepWrite 6.12 has a writable and a readable type of such entries */
function setExclusive(pte: Pte, keepWrite: boolean, rule: string): void {
  if (pte.dirty) pte.frame.head.dirty = true;
  pte.kind = 'exclusive';
  pte.write = keepWrite;
  pte.young = false;
  pte.dirty = false;
  pte.rule = rule;
}

/** dmirror_atomic_map() */
function enter(file: DeviceFile, region: RegionId, page: number, { frame }: Pte): void {
  file.pt[region]![page] = { frame, write: false, atomic: true };
}

/** remove_device_exclusive_entry(): MMU_NOTIFY_CLEAR for the page (6.12: EXCLUSIVE), which the device hears. */
export function exclusiveFault(state: State, vma: Vma, page: number, pte: Pte): void {
  invalidate(vma.mm, vma.region, page, page + 1);
  restoreExclusive(state, vma, pte);
}

/**
 * restore_exclusive_pte(): an old entry, writable if the vma is (can_change_pte_writable), and then dirty as the page
 * is, which on x86 makes it soft-dirty as well.
 */
export function restoreExclusive(state: State, vma: Vma, pte: Pte): void {
  const { profile } = state;
  const { frame } = pte;
  const written = pte.write;
  pte.kind = 'present';
  pte.rule = 'restore_exclusive_pte';
  if (profile.exclusiveInGroups) {
    pte.write = written && vma.write;
    pte.dirty = written;
    // folio_add_anon_rmap_pte()
    if (vma.locked) mlockFolio(state, frame);
  } else {
    pte.write = vma.write && frame.exclusive && !tracksWrites(state, vma, pte);
    pte.dirty = pte.write && frame.head.dirty === true;
  }
  if (pte.dirty) pte.softDirty = true;
  if (profile.foldsPtes && frame.head.large) setAlone(vma, pte);
}
