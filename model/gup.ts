/** get_user_pages_remote() and pin_user_pages() with FOLL_WRITE (mm/gup.c). */
import { touch } from './access-flags.ts';
import { tryFault } from './fault.ts';
import { isBusError } from './file-fault.ts';
import { isHugetlb } from './hugetlb.ts';
import { drainLru, markAccessed } from './lru.ts';
import { entryAt } from './page-table.ts';
import type { RegionId } from './program.ts';
import { splitPmd } from './split.ts';
import type { Mm, Pte, State, Vma } from './state.ts';
import { USERFAULT_RULE } from './userfault.ts';
import { findVma } from './vma.ts';

/**
 * What pages are wanted for: make_device_exclusive() splits PMDs (FOLL_SPLIT_PMD); `write` and `read` are mlock()'s.
 */
export type Access = 'exclusive' | 'pin' | 'write' | 'read';

/** FOLL_UNLOCKABLE: pin_user_pages() and get_user_pages_remote() of make_device_exclusive() keep mmap_lock. */
function mayWait(how: Access): boolean {
  return how === 'write' || how === 'read';
}

export type GupError = 'EFAULT' | 'ENOMEM' | 'EOPNOTSUPP';

/** The entry of a page that may be written, with its vma; or why there is none. */
export type Gotten = { vma: Vma; pte: Pte } | { errno: GupError; rule: string };

/**
 * Faults until the page is mapped, and writable (can_follow_write_pte, can_follow_write_pmd) unless it is only to be
 * read (FOLL_FORCE). All but a pin touch it (FOLL_TOUCH).
 */
export function getUserPage(state: State, mm: Mm, region: RegionId, page: number, how: Access): Gotten {
  const vma = findVma(mm, region, page);
  if (!vma) return { errno: 'EFAULT', rule: 'gup_vma_lookup' };
  if (how === 'exclusive' && isHugetlb(vma))
    return { errno: 'EOPNOTSUPP', rule: 'check_vma_flags (FOLL_SPLIT_PMD)' };
  const write = how !== 'read';
  if (write && !vma.write) return { errno: 'EFAULT', rule: 'check_vma_flags' };
  // What is written to for long, the file would not be told of.
  if (how === 'pin' && vma.shared && vma.file?.kind === 'file') {
    return { errno: 'EFAULT', rule: 'check_vma_flags (writable_file_mapping_allowed)' };
  }
  for (;;) {
    const pte = entryAt(mm, region, page);
    if (pte?.huge && pte.kind === 'present' && how === 'exclusive') {
      // follow_pmd_mask() with FOLL_SPLIT_PMD
      splitPmd(state, vma, page);
      continue;
    }
    if (pte?.kind === 'present' && (pte.write || !write)) {
      if (pte.huge) {
        // follow_huge_pmd()
        if (how !== 'pin') touch(state.profile, pte, write);
      } else if (how !== 'pin') {
        // follow_page_pte(): the page may be written without the entry's becoming dirty.
        if (write && !pte.dirty) pte.frame.head.dirty = true;
        markAccessed(state, pte.frame.head);
      }
      return { vma, pte };
    }
    if (isBusError(state, vma, page, write)) {
      return { errno: 'EFAULT', rule: 'faultin_page (VM_FAULT_SIGBUS)' };
    }
    const fault = tryFault(state, vma, { page, mayWait: mayWait(how) }, write);
    if (fault === 'oom') return { errno: 'ENOMEM', rule: 'faultin_page' };
    if (fault === 'sigbus') return { errno: 'EFAULT', rule: USERFAULT_RULE };
    // populate_vma_page_range() ends there, and is called for the rest: if the page is writable by now, no fault touches it.
    if (fault === 'answered') drainLru(state);
  }
}
