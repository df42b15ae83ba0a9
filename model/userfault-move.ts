/**
 * UFFDIO_MOVE (mm/userfaultfd.c, move_pages): pages of private anonymous memory that are this process' alone go to another
 * place, where there must be none, of a mapping that is registered. Unlike mremap() it moves no mapping.
 */
import { invalidate } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { linearIndex } from './page-index.ts';
import { pmdOf, setTable } from './page-table.ts';
import type { Step } from './program.ts';
import { presentPte } from './pte.ts';
import { anonVmaPrepare } from './rmap.ts';
import type { Process, Pte, State, Vma } from './state.ts';
import { isRegistered } from './userfault.ts';
import { findVma } from './vma.ts';

type Move = Extract<Step, { op: 'uffd-move' }>;

/** What keeps a page from being moved. What is moved before one that cannot be makes it EAGAIN (userfaultfd_move). */
export function movePages(state: State, { mm }: Process, { at, to, holes }: Move): Expected {
  if (!mm.userfault) return failWith('EBADF', 'ioctl');
  // uffd_move_lock(): the target is prepared before the source is looked for.
  const target = findVma(mm, to.region, to.first);
  if (!target) return failWith('ENOENT', 'uffd_move_lock');
  if (!target.shared) anonVmaPrepare(state, target);
  const source = findVma(mm, at.region, at.first);
  if (!source) return failWith('ENOENT', 'uffd_move_lock');
  if (source.end < at.first + at.count || target.end < to.first + to.count) {
    return failWith('EINVAL', 'move_pages');
  }
  if (!isCompatible(source, target)) return failWith('EINVAL', 'validate_move_areas');

  for (let i = 0; i < at.count; i++) {
    const page = at.first + i;
    const failed = (errno: string) => failWith(i > 0 ? 'EAGAIN' : errno, 'move_pages');
    if (pmdOf(mm, at.region, page) === null) {
      if (!holes) return failed('ENOENT');
      setTable(mm, at.region, page);
    }
    setTable(mm, to.region, to.first + i);
    // move_pages_ptes(): MMU_NOTIFY_CLEAR of all that is left; 6.12 goes page by page.
    const end = state.profile.movesPageByPage ? page + 1 : at.first + at.count;
    invalidate(mm, at.region, page, end);
    const errno = movePage({ vma: source, page }, { vma: target, page: to.first + i }, holes);
    if (errno) return failed(errno);
  }
  return succeed('move_pages');
}

/** validate_move_areas(): between writable anonymous mappings that are both mlocked or both not. */
function isCompatible(source: Vma, target: Vma): boolean {
  if (!source.write || !target.write || source.locked !== target.locked) return false;
  return isRegistered(target) && !source.file && !target.file;
}

interface Place {
  vma: Vma;
  page: number;
}

/** @returns why the page stays */
function movePage(from: Place, to: Place, holes: boolean): 'EEXIST' | 'ENOENT' | 'EFAULT' | 'EBUSY' | null {
  const table = from.vma.mm.ptes[from.vma.region]!;
  const pte = table[from.page]!;
  const target = to.vma.mm.ptes[to.vma.region]!;
  // A marker is an entry, too.
  if (target[to.page]) return 'EEXIST';
  if (pte === null) return holes ? null : 'ENOENT';
  // softleaf_is_swap(): entries of devices, exclusive ones and markers are not.
  if (pte.kind !== 'present') return 'EFAULT';
  const moved = pte.frame.kind === 'zero' ? movedZero(pte) : movedPage(pte, to);
  if (!moved) return 'EBUSY';
  table[from.page] = null;
  target[to.page] = moved;
  return null;
}

/** move_zeropage_pte() */
function movedZero({ frame }: Pte): Pte {
  return presentPte(frame, false, 'move_zeropage_pte');
}

/** move_present_ptes(): writable, soft-dirty and not protected, whatever it was; null for a page that others may have. */
function movedPage({ frame, dirty }: Pte, { vma, page }: Place): Pte | null {
  if (!frame.exclusive || frame.pinned) return null;
  // folio_move_anon_rmap()
  frame.anonVma = vma.anonVma;
  frame.index = linearIndex(vma, page);
  const moved = presentPte(frame, true, 'move_present_ptes');
  moved.softDirty = true;
  moved.dirty = dirty;
  return moved;
}
