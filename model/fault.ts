/** handle_mm_fault() (mm/memory.c). */
import { markDirty, touch } from './access-flags.ts';
import { exclusiveFault } from './exclusive.ts';
import { fileFault, sharedWriteFault } from './file-fault.ts';
import { dropMapping } from './folio.ts';
import { newRamFrame } from './frame.ts';
import { hugeFault, reuseLargeFolio } from './huge-fault.ts';
import { hugetlbFault } from './hugetlb.ts';
import { addToLru, drainFor, heldReferences, mlockNew } from './lru.ts';
import { migrateToSystem } from './migrate.ts';
import { invalidate } from './notifier.ts';
import { setPte, setTable } from './page-table.ts';
import { presentPte } from './pte.ts';
import { addNewAnonRmap, anonVmaPrepare } from './rmap.ts';
import type { Frame, Pte, Rule, State, Vma } from './state.ts';
import { freeSwap, swapIn } from './swap.ts';
import { type FaultResult, handleUserfault, isWriteProtected, type Wanted } from './userfault.ts';

/**
 * One page fault at `page` of `vma`, whose permissions were checked. Like the kernel's, it may leave the page short
 * of what was asked for (a device page only comes back, whatever the access); the caller faults again. `page` is not
 * behind the end of a file (isBusError).
 *
 * @param mayWait for the answer of a userfaultfd
 */
export function handleFault(
  state: State,
  vma: Vma,
  page: number,
  write: boolean,
  mayWait = true,
): Exclude<FaultResult, 'answered'> {
  for (;;) {
    const result = tryFault(state, vma, { page, mayWait }, write);
    if (result !== 'answered') return result;
  }
}

/** The same for those who look at the page again themselves once userfaultfd has answered. */
export function tryFault(state: State, vma: Vma, wanted: Wanted, write: boolean): FaultResult {
  const { page } = wanted;
  if (vma.file?.kind === 'hugetlb') {
    hugetlbFault(state, vma, vma.file, page, write);
    return 'done';
  }
  const huge = hugeFault(state, vma, wanted, write);
  if (huge) return huge;
  const pte = vma.mm.ptes[vma.region]![page]!;
  if (pte === null || pte.kind === 'marker') {
    // do_pte_missing()
    if (vma.file) return fileFault(state, vma, vma.file, wanted, write);
    return anonymousPage(state, vma, wanted, write);
  }
  if (pte.kind === 'device') return deviceFault(state, vma, page, pte) ? 'done' : 'oom';
  else if (pte.kind === 'swap') return swapFault(state, vma, wanted, pte, write);
  else if (pte.kind === 'exclusive') exclusiveFault(state, vma, page, pte);
  else if (write && !pte.write) return writeProtectFault(state, vma, wanted, pte);
  else touch(state.profile, pte, write);
  return 'done';
}

/**
 * do_anonymous_page(): the zero page for a read, a page of its own for a write. In the place of a marker it is protected, so
 * that the write faults once more.
 */
function anonymousPage(state: State, vma: Vma, wanted: Wanted, write: boolean): FaultResult {
  const { page } = wanted;
  if (vma.uffdMissing) {
    setTable(vma.mm, vma.region, page);
    if (write) anonVmaPrepare(state, vma);
    return handleUserfault(state, vma, wanted, 'missing');
  }
  const ptes = vma.mm.ptes[vma.region]!;
  const marked = ptes[page]?.kind === 'marker';
  if (write) mapNewPage(state, vma, page, 0, 'do_anonymous_page');
  else mapZeroPage(state, vma, page, 'do_anonymous_page');
  if (marked) protect(ptes[page]!);
  return 'done';
}

/** pte_mkuffd() */
export function protect(pte: Pte): void {
  pte.uffdWp = true;
  pte.write = false;
}

export function mapZeroPage(state: State, vma: Vma, page: number, rule: Rule): void {
  setPte(vma.mm, vma.region, page, presentPte(state.zero, false, rule));
}

/** A page of its own at a place where there is none, and which was written to. */
export function mapNewPage(state: State, vma: Vma, page: number, word: number, rule: Rule): void {
  anonVmaPrepare(state, vma);
  const frame = newRamFrame(state, word);
  addNewAnonRmap(frame, vma, page);
  // folio_add_lru_vma()
  if (vma.locked) mlockNew(state, frame);
  else addToLru(state, frame);
  const pte = presentPte(frame, vma.write, rule);
  markDirty(pte);
  setPte(vma.mm, vma.region, page, pte);
}

/**
 * do_swap_page() and dmirror_devmem_fault(): exactly this page returns to RAM, in every process that maps it. The
 * file that migrated it loses its entry at the faulting address, also when another process faulted.
 */
function deviceFault(state: State, vma: Vma, page: number, pte: Pte): boolean {
  const { migrator } = pte.frame.head;
  return migrateToSystem(state, migrator!, { vma, first: page, end: page + 1, isFault: true }) !== null;
}

function swapFault(state: State, vma: Vma, wanted: Wanted, old: Pte, write: boolean): FaultResult {
  const pte = swapIn(state, vma, wanted.page, old, write);
  return write && !pte.write ? writeProtectFault(state, vma, wanted, pte) : 'done';
}

/** do_wp_page(): a page of a shared mapping is written to; another is reused if it is ours alone, else copied. */
function writeProtectFault(state: State, vma: Vma, wanted: Wanted, pte: Pte): FaultResult {
  const { page } = wanted;
  if (isWriteProtected(vma, pte)) return handleUserfault(state, vma, wanted, 'wp');
  const { frame } = pte;
  if (vma.shared) sharedWriteFault(pte);
  else if (frame.kind !== 'zero' && !frame.file && (frame.exclusive || reuseAnonFolio(state, frame, vma))) {
    frame.exclusive = true;
    // wp_page_reuse()
    pte.write = true;
    pte.young = true;
    markDirty(pte);
    pte.rule = 'wp_page_reuse';
  } else {
    copyPage(state, vma, page, pte);
  }
  return 'done';
}

/** wp_page_copy(): MMU_NOTIFY_CLEAR, then the old page loses this mapping. */
export function copyPage(state: State, vma: Vma, page: number, pte: Pte): void {
  const { frame } = pte;
  anonVmaPrepare(state, vma);
  invalidate(vma.mm, vma.region, page, page + 1);
  mapNewPage(state, vma, page, frame.word, 'wp_page_copy');
  dropMapping(state, vma, frame);
}

/**
 * wp_can_reuse_anon_folio(): ours is the only reference. One reference of this CPU's batches does not count while the page
 * is on no LRU list, since they are drained; nor does that of the swap cache, if nobody else has an entry of the page's slot.
 */
function reuseAnonFolio(state: State, frame: Frame, vma: Vma): boolean {
  if (frame.head.large) return reuseLargeFolio(state, frame.head);
  if (frame.ksm) return false;
  const inSwapCache = Number(frame.cached !== null);
  const most = state.profile.sharedPagesDrain ? 3 : 1 + Number(!frame.onLru) + inSwapCache;
  if (frame.mapcount + heldReferences(state, frame) + inSwapCache > most) return false;
  if (!frame.onLru) drainFor(state, frame);
  if (frame.mapcount + heldReferences(state, frame) > 1 || !freeSwap(frame)) return false;
  // folio_move_anon_rmap()
  frame.anonVma = vma.anonVma;
  return true;
}
