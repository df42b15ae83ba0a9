/**
 * Faults that userfaultfd has a say in: handle_userfault() (mm/userfaultfd.c; fs/userfaultfd.c in 6.12), and the places
 * that call it.
 */
import { mapZeroPage } from './fault.ts';
import { mapFilledPage } from './file-fault.ts';
import { fillHole } from './page-cache.ts';
import { fileIndex } from './page-index.ts';
import { changeProtection } from './protect.ts';
import { anonVmaPrepare } from './rmap.ts';
import type { PageCache, Pte, Rule, State, Vma } from './state.ts';

/**
 * How handle_mm_fault() ends: VM_FAULT_OOM and VM_FAULT_SIGBUS are of whoever wanted the page to deal with; VM_FAULT_RETRY,
 * when userfaultfd was asked and has answered, begins the fault anew.
 */
export type FaultResult = 'done' | 'oom' | 'sigbus' | 'answered';

/** A page that somebody wants. */
export interface Wanted {
  page: number;
  /** FAULT_FLAG_ALLOW_RETRY: it can wait, without mmap_lock. */
  mayWait: boolean;
}

/** What a refused access to a registered mapping is decided by. */
export const USERFAULT_RULE: Rule = 'handle_userfault';

/**
 * handle_userfault(): with UFFD_FEATURE_SIGBUS nobody is asked, and whoever cannot wait is refused. The handler answers with
 * UFFDIO_ZEROPAGE, or UFFDIO_WRITEPROTECT, for the one page.
 */
export function handleUserfault(
  state: State,
  vma: Vma,
  { page, mayWait }: Wanted,
  reason: 'missing' | 'wp',
): FaultResult {
  if (vma.mm.userfault === 'sigbus' || !mayWait) return 'sigbus';
  state.messages++;
  if (reason === 'wp') {
    changeProtection(state, vma, page, page + 1, 'unprotect');
  } else if (vma.file) {
    fillShared(state, vma, vma.file, page, 0);
  } else {
    anonVmaPrepare(state, vma);
    mapZeroPage(state, vma, page, 'mfill_atomic_pte_zeropage');
  }
  return 'answered';
}

/** mfill_atomic_pte() of shared shmem: the page becomes one of the file. */
export function fillShared(state: State, vma: Vma, file: PageCache, page: number, word: number): void {
  mapFilledPage(vma, page, fillHole(state, file, fileIndex(vma, page), word));
}

/** userfaultfd_armed() */
export function isRegistered({ uffdMissing, uffdWp }: Vma): boolean {
  return uffdMissing || uffdWp;
}

/** userfaultfd_pte_wp() and userfaultfd_huge_pmd_wp(): a write to the page is for userfaultfd. */
export function isWriteProtected(vma: Vma, pte: Pte): boolean {
  return vma.uffdWp && pte.uffdWp;
}
