/**
 * The ioctls of userfaultfd (mm/userfaultfd.c; fs/userfaultfd.c in 6.12). Each process has at most one, without
 * events: a child of fork() and what mremap() moves are not registered any more
 * (dup_userfaultfd, mremap_userfaultfd_prep).
 */
import { mapNewPage, mapZeroPage, protect as protectEntry } from './fault.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { setPageProt } from './page-cache.ts';
import { fileIndex } from './page-index.ts';
import { hugeEntry, setTable } from './page-table.ts';
import type { PageRange, UserfaultKind, UserfaultMode } from './program.ts';
import { changeProtection } from './protect.ts';
import { anonVmaPrepare } from './rmap.ts';
import type { Mm, Process, Pte, State, Vma } from './state.ts';
import { tokenNumber } from './token.ts';
import { fillShared, isRegistered } from './userfault.ts';
import { findVma } from './vma.ts';
import { flagsOf, modifyVma } from './vma-modify.ts';

/** userfaultfd(2) and UFFDIO_API. */
export function open({ mm }: Process, mode: UserfaultMode, markers: boolean): Expected {
  mm.userfault = mode;
  mm.userfaultMarkers = markers;
  return succeed('userfaultfd_api');
}

const NOT_OPEN = 'ioctl';

/** Vmas from the first page on, each cut to the range; they are looked for anew, since each may be merged or split. */
function* vmasIn(
  mm: Mm,
  { region, first, count }: PageRange,
): Generator<[vma: Vma, from: number, to: number]> {
  const end = first + count;
  for (let page = first; page < end; ) {
    const vma = mm.vmas[region]!.find((candidate) => candidate.end > page);
    if (!vma || vma.first >= end) return;
    const from = Math.max(page, vma.first);
    const to = Math.min(vma.end, end);
    yield [vma, from, to];
    page = to;
  }
}

/** vma_can_userfault(): of files, shmem and hugetlb only. */
function canUserfault({ file }: Vma): boolean {
  return file?.kind !== 'file';
}

/**
 * UFFDIO_REGISTER of all vmas in the range, holes or not. One that is registered for as much already stays as it is, and
 * one that is registered for writes does not lose that (7.3).
 */
export function register(state: State, { mm }: Process, at: PageRange, kind: UserfaultKind): Expected {
  if (!mm.userfault) return failWith('EBADF', NOT_OPEN);
  const rule = 'userfaultfd_register';
  const missing = kind !== 'wp';
  const wp = kind !== 'missing';
  if (vmasIn(mm, at).next().done) return failWith('EINVAL', rule);
  for (const [vma] of vmasIn(mm, at)) {
    if (!canUserfault(vma)) return failWith('EINVAL', rule);
    if (!wp && vma.uffdWp) return failWith('EBUSY', rule);
  }
  for (const [vma, from, to] of vmasIn(mm, at)) {
    if ((vma.uffdMissing || !missing) && (vma.uffdWp || !wp)) continue;
    setRegistration(state, vma, { from, to, missing, wp });
  }
  return succeed(rule);
}

/** vma_modify_flags_uffd(), and userfaultfd_set_vm_flags() of what was not merged with a neighbour that is so already. */
function setRegistration(
  state: State,
  vma: Vma,
  { from, to, missing, wp }: { from: number; to: number; missing: boolean; wp: boolean },
): void {
  const changes = vma.uffdWp !== wp;
  const target = modifyVma(state, vma, from, to, { ...flagsOf(vma), uffdMissing: missing, uffdWp: wp });
  if (changes && target === vma) setPageProt(state, vma);
}

/** UFFDIO_UNREGISTER: userfaultfd_clear_vma() takes the bits of entries away, before the vma is split. */
export function unregister(state: State, { mm }: Process, at: PageRange): Expected {
  if (!mm.userfault) return failWith('EBADF', NOT_OPEN);
  const rule = 'userfaultfd_unregister';
  const vmas = [...vmasIn(mm, at)];
  if (vmas.length === 0 || vmas.some(([vma]) => !canUserfault(vma))) return failWith('EINVAL', rule);
  for (const [vma, from, to] of vmasIn(mm, at)) {
    if (!isRegistered(vma)) continue;
    if (vma.uffdWp) changeProtection(state, vma, from, to, 'unprotect');
    setRegistration(state, vma, { from, to, missing: false, wp: false });
  }
  return succeed(rule);
}

/** UFFDIO_WRITEPROTECT, mwriteprotect_range(): up to a vma that is not registered for writes; what comes before stays. */
export function writeProtect(
  state: State,
  { mm }: Process,
  at: PageRange,
  how: 'protect' | 'unprotect',
): Expected {
  if (!mm.userfault) return failWith('EBADF', NOT_OPEN);
  const rule = 'mwriteprotect_range';
  let found = false;
  for (const [vma, from, to] of vmasIn(mm, at)) {
    if (!vma.uffdWp) return failWith('ENOENT', rule);
    changeProtection(state, vma, from, to, how);
    found = true;
  }
  return found ? succeed(rule) : failWith('ENOENT', rule);
}

/**
 * UFFDIO_COPY, mfill_atomic_pte_copy(): new pages with the words that the step would write there, dirty from the start; or,
 * to be write-protected, with the bit.
 */
export function copy(
  state: State,
  process: Process,
  at: PageRange,
  protect: boolean,
  step: number,
): Expected {
  const wp = (vma: Vma) => protect && !vma.uffdWp;
  return fill(state, process, at, { isInvalid: wp, isFree: isNoneMostly }, (vma, page) => {
    const word = tokenNumber(step, at.region, page);
    if (vma.file && vma.shared) fillShared(state, vma, vma.file, page, word);
    else mapNewPage(state, vma, page, word, 'mfill_atomic_install_pte');
    if (protect) protectEntry(vma.mm.ptes[at.region]![page]!);
  });
}

/** pte_none_mostly(): a page may be filled in the place of a marker. */
function isNoneMostly(pte: Pte | null): boolean {
  return pte === null || pte.kind === 'marker';
}

/** UFFDIO_ZEROPAGE, mfill_atomic_pte_zeropage(); in shared shmem a page of its own (mfill_atomic_pte_zeroed_folio). */
export function zeroPage(state: State, process: Process, at: PageRange): Expected {
  const isFree = (pte: Pte | null, { shared }: Vma) => (shared ? isNoneMostly(pte) : pte === null);
  return fill(state, process, at, { isInvalid: () => false, isFree }, (vma, page) => {
    if (vma.file && vma.shared) fillShared(state, vma, vma.file, page, 0);
    else mapZeroPage(state, vma, page, 'mfill_atomic_pte_zeropage');
  });
}

/**
 * mfill_atomic(): within one registered vma, which gets an anon_vma even where it is not; up to a page that is not missing,
 * or a PMD that is no table.
 *
 * @param isInvalid what mfill_get_vma() refuses beside that
 * @param isFree whether a page is missing where there is this entry
 */
function fill(
  state: State,
  { mm }: Process,
  { region, first, count }: PageRange,
  { isInvalid, isFree }: { isInvalid: (vma: Vma) => boolean; isFree: (pte: Pte | null, vma: Vma) => boolean },
  install: (vma: Vma, page: number) => void,
): Expected {
  if (!mm.userfault) return failWith('EBADF', NOT_OPEN);
  const vma = findVma(mm, region, first);
  // uffd_lock_vma()
  if (vma && !vma.shared) anonVmaPrepare(state, vma);
  if (!vma || first + count > vma.end || !isRegistered(vma)) return failWith('ENOENT', 'uffd_mfill_lock');
  if (isInvalid(vma)) return failWith('EINVAL', 'mfill_get_vma');
  for (let page = first; page < first + count; page++) {
    // userfaultfd_copy() and userfaultfd_zeropage(): when not all of it could be done.
    const filled = () => failWith(page === first ? 'EEXIST' : 'EAGAIN', 'mfill_atomic');
    if (hugeEntry(mm, region, page)) return filled();
    setTable(mm, region, page);
    // shmem_add_to_page_cache()
    const isInCache = vma.shared && vma.file?.pages[fileIndex(vma, page)];
    if (isInCache || !isFree(mm.ptes[region]![page]!, vma)) return filled();
    install(vma, page);
  }
  return succeed('mfill_atomic');
}
