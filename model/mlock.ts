/**
 * mlock(2) and munlock(2) (mm/mlock.c). Pages of an mlocked vma are faulted in, and are unevictable while they are in RAM;
 * they migrate like others. From the first mlock of a program on, the agent drains the CPU's batches before it looks.
 */
import { type GupError, getUserPage } from './gup.ts';
import { isHugetlb } from './hugetlb.ts';
import { drainLru, mlockFolio, munlockFolio } from './lru.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { PageRange, RegionId } from './program.ts';
import type { Mm, Process, State, Vma } from './state.ts';
import { findVma } from './vma.ts';
import { flagsOf, modifyVma } from './vma-modify.ts';

/** do_mlock(): what comes before a hole stays mlocked, and is not faulted in. */
export function mlock(state: State, { mm }: Process, at: PageRange): Expected {
  state.settles = true;
  if (!applyLock(state, mm, at, true)) return failWith('ENOMEM', 'apply_vma_lock_flags');
  // __mlock_posix_error_return() has other names for the errors.
  const error = populate(state, mm, at.region, at.first, at.first + at.count);
  if (error) return failWith(error === 'EFAULT' ? 'ENOMEM' : 'EAGAIN', 'populate_vma_page_range');
  return succeed('do_mlock');
}

export function munlock(state: State, { mm }: Process, at: PageRange): Expected {
  return applyLock(state, mm, at, false)
    ? succeed('apply_vma_lock_flags')
    : failWith('ENOMEM', 'apply_vma_lock_flags');
}

/** apply_vma_lock_flags(): vma by vma, up to a hole. */
function applyLock(state: State, mm: Mm, { region, first, count }: PageRange, locked: boolean): boolean {
  const end = first + count;
  for (let page = first; page < end; ) {
    const vma = findVma(mm, region, page);
    if (!vma) return false;
    const stop = Math.min(vma.end, end);
    // mlock_fixup() and vma_supports_mlock(): pages of hugetlb are faulted in, and not locked.
    if (vma.locked !== locked && !isHugetlb(vma)) {
      modifyVma(state, vma, page, stop, { ...flagsOf(vma), locked });
      lockPages(state, mm, region, page, stop, locked);
    }
    page = stop;
  }
  return true;
}

/** mlock_vma_pages_range(): pages that are present; those on a device are left alone. */
function lockPages(
  state: State,
  mm: Mm,
  region: RegionId,
  first: number,
  end: number,
  locked: boolean,
): void {
  drainLru(state);
  for (const pte of mm.ptes[region]!.slice(first, end)) {
    if (pte?.kind !== 'present' || pte.frame.kind !== 'ram') continue;
    if (locked) mlockFolio(state, pte.frame);
    else munlockFolio(state, pte.frame);
  }
  drainLru(state);
}

/**
 * __mm_populate(): pages of private mappings are written to where they may be, so that none is shared, else read. A page that cannot be had is
 * tried once more, unless it is the first of a call.
 *
 * @returns why not all of them are there
 */
export function populate(
  state: State,
  mm: Mm,
  region: RegionId,
  first: number,
  end: number,
): GupError | null {
  for (let page = first; page < end; ) {
    const vma = findVma(mm, region, page);
    if (!vma?.read) return 'EFAULT';
    const { reached, errno } = populateVma(state, vma, page, Math.min(vma.end, end));
    if (reached === page) return errno!;
    page = reached;
  }
  return null;
}

/** populate_vma_page_range(). @returns how far it came, and why not to the end */
export function populateVma(
  state: State,
  vma: Vma,
  first: number,
  end: number,
): { reached: number; errno?: GupError } {
  const write = vma.write && !vma.shared;
  let page = first;
  let errno: GupError | undefined;
  while (page < end) {
    const gotten = getUserPage(state, vma.mm, vma.region, page, write ? 'write' : 'read');
    if ('errno' in gotten) {
      errno = gotten.errno;
      break;
    }
    page++;
  }
  drainLru(state);
  return { reached: page, ...(errno && { errno }) };
}

/** Whether {@link populate} would mark the zero page accessed, which lasts longer than any program. */
export function touchesZeroPage(mm: Mm, region: RegionId, first: number, end: number): boolean {
  for (let page = first; page < end; page++) {
    const pte = mm.ptes[region]![page];
    const vma = findVma(mm, region, page);
    if (vma?.read && !vma.write && !vma.file && (!pte || pte.frame.kind === 'zero')) return true;
  }
  return false;
}
