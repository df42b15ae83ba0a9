/**
 * Swap: how pages go out (mm/vmscan.c, shrink_folio_list; mm/rmap.c, try_to_unmap_one) and come in again (mm/memory.c,
 * do_swap_page), and the swap cache between the two. A slot of the swap device is a frame of kind `swap`: its word is what
 * is written there, its mapcount the swap count.
 *
 * The device is zram, which writes and reads at once (SWP_SYNCHRONOUS_IO): a page that goes out is free when reclaim is done
 * with it, and is in the swap cache only when it came in for one process and others still have an entry of its slot.
 */
import { markDirty } from './access-flags.ts';
import { addMapping, isMapped, removeMapping } from './folio.ts';
import { freeFrame, newFrame, newRamFrame } from './frame.ts';
import { addToLru, drainFor, heldReferences, mlockFolio } from './lru.ts';
import { invalidate } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { setPte } from './page-table.ts';
import { PMD_PAGES } from './program.ts';
import { tracksWrites } from './protect.ts';
import { inherit, newPte, presentPte } from './pte.ts';
import { addNewAnonRmap, rmapWalk } from './rmap.ts';
import type { Frame, Pte, State, Vma } from './state.ts';
import { swapFilesIn } from './swap-shmem.ts';
import { isWriteProtected } from './userfault.ts';
import { countVmEvent } from './vm-events.ts';

/** swapon(2) */
export function swapOn(state: State): Expected {
  if (state.swap) return failWith('EBUSY', 'swapon');
  state.swap = true;
  return succeed('swapon');
}

/**
 * swapoff(2): every entry of the device becomes a page, those of shmem first, then in one process after the other
 * (try_to_unuse); then what is left in the swap cache leaves it. Entries of devices have a type of their own and are passed over.
 */
export function swapOff(state: State): Expected {
  if (!state.swap) return failWith('EINVAL', 'swapoff');
  state.swap = false;
  swapFilesIn(state);
  const vmas = state.processes.flatMap((process) => process?.mm.vmas.flat() ?? []);
  for (const vma of vmas) {
    const ptes = vma.mm.ptes[vma.region]!;
    for (let page = vma.first; page < vma.end; page++) {
      const pte = ptes[page];
      if (pte?.kind === 'swap') unuse(state, vma, page, pte);
    }
  }
  for (const vma of vmas) {
    for (const pte of vma.mm.ptes[vma.region]!.slice(vma.first, vma.end)) if (pte) freeSwap(pte.frame);
  }
  return succeed('swapoff');
}

/** try_to_unmap_one(): MMU_NOTIFY_CLEAR in each vma that may map the page, up to the one that does. */
export function notifyMappings(vma: Vma, frame: Frame): void {
  for (const other of rmapWalk(frame)) {
    invalidate(other.vma.mm, other.vma.region, other.first, other.end);
    if (other.vma === vma) break;
  }
}

/** folio_alloc_swap(), try_to_unmap_one(), pageout() and __remove_mapping() of a page that `pte` alone maps. */
export function swapOut(state: State, vma: Vma, page: number, pte: Pte): void {
  const { frame } = pte;
  const isZero = frame.word === 0;
  // What the swap cache has already is written where it has changed since (shrink_folio_list).
  if (!frame.cached || frame.dirty !== false || pte.dirty) {
    countVmEvent(state, isZero ? 'swpout_zero' : 'pswpout');
  }
  swapOutEntry(state, vma, page, pte, isZero);
  freeFrame(state, pte.frame);
}

/** The same of a folio of order 9 that 512 PTEs of `vma` map, from page `first` on. */
export function swapOutFolio(state: State, vma: Vma, first: number, head: Frame): void {
  const isZero = head.pages!.every(({ word }) => word === 0);
  if (!isZero) countVmEvent(state, 'thp_swpout');
  countVmEvent(state, isZero ? 'swpout_zero' : 'pswpout', PMD_PAGES);
  const ptes = vma.mm.ptes[vma.region]!;
  for (const index of head.pages!.keys())
    swapOutEntry(state, vma, first + index, ptes[first + index]!, isZero);
  freeFrame(state, head);
}

function swapOutEntry(state: State, vma: Vma, page: number, pte: Pte, isZero: boolean): void {
  const { frame } = pte;
  const slot = writeSlot(state, frame, isZero);
  slot.mapcount++;
  leaveCache(frame);
  const entry = inherit(newPte('swap', slot, false, 'ttu_anon_swapbacked_folio'), pte);
  entry.readExclusive = frame.exclusive;
  setPte(vma.mm, vma.region, page, entry);
  removeMapping(state, frame, vma);
}

/** The slot that a page is written to, and which has it from now on. */
function writeSlot(state: State, frame: Frame, isZero: boolean): Frame {
  const slot = frame.cached ?? newFrame(state.nextId++, 'swap', -1);
  slot.word = frame.word;
  slot.inZeromap = isZero;
  // workingset_eviction()
  slot.evictedAt = state.nonresidentAge++;
  return slot;
}

/** The slot of a page that was in no swap cache. */
export function newSlot(state: State, frame: Frame): Frame {
  const isZero = frame.word === 0;
  countVmEvent(state, isZero ? 'swpout_zero' : 'pswpout');
  return writeSlot(state, frame, isZero);
}

/**
 * do_swap_page() of a swap entry. What is not exclusive is mapped read-only; a write goes on from there (do_wp_page).
 *
 * @returns the new entry
 */
export function swapIn(state: State, vma: Vma, page: number, old: Pte, write: boolean): Pte {
  const { profile } = state;
  const slot = old.frame;
  // 6.12: where nobody else has an entry, the swap cache is not asked, and the page is exclusive whatever the entry says.
  const direct = profile.swapCacheIsSkipped && slot.cached === null && slot.mapcount === 1;
  const frame = slot.cached ?? readSlot(state, slot, direct, ACTIVE_PAGES);
  let exclusive = old.readExclusive || direct;
  slot.mapcount--;
  if (profile.swapCacheIsSkipped && !direct) {
    if (write && !frame.onLru) drainFor(state, frame);
    const references = 1 + frame.mapcount + 1 + heldReferences(state, frame);
    if (vma.locked || frame.mlocked || (write && references === 2)) {
      if (freeSwap(frame) && references === 2) exclusive = true;
    }
  }
  mapSwappedIn(state, vma, page, frame, exclusive);
  const pte = inherit(presentPte(frame, false, 'do_swap_page'), old);
  pte.write = exclusive && vma.write && !isWriteProtected(vma, old) && !tracksWrites(state, vma, old);
  if (pte.write && write) markDirty(pte);
  setPte(vma.mm, vma.region, page, pte);
  if (!profile.swapCacheIsSkipped) freeSwap(frame);
  return pte;
}

/**
 * unuse_pte(): present, but old and read-only. The device has no free slots any more, so that the time that a page was away is
 * compared with the few pages of files that there are (workingset_test_recent).
 */
function unuse(state: State, vma: Vma, page: number, old: Pte): void {
  const slot = old.frame;
  const frame = slot.cached ?? readSlot(state, slot, false, 0);
  slot.mapcount--;
  mapSwappedIn(state, vma, page, frame, old.readExclusive);
  setPte(vma.mm, vma.region, page, inherit(newPte('present', frame, false, 'unuse_pte'), old));
  freeSwap(frame);
}

/** At least so many pages of the guest's own programs are active. */
export const ACTIVE_PAGES = 900;

/**
 * swapin_sync(): a new page with what is in the slot, in the swap cache unless that is skipped. It is active at once, if it was
 * away for a shorter time than some list of pages is long (workingset_refault).
 *
 * @param least how long that list is at least; what is away longer may be active, or not
 */
export function readSlot(state: State, slot: Frame, direct: boolean, least: number): Frame {
  countVmEvent(state, slot.inZeromap ? 'swpin_zero' : 'pswpin');
  const frame = newRamFrame(state, slot.word);
  const recent = state.nonresidentAge - slot.evictedAt <= least;
  frame.active = recent ? true : undefined;
  frame.refaulted = true;
  state.nonresidentAge++;
  addToLru(state, frame);
  if (!direct) {
    slot.cached = frame;
    frame.cached = slot;
  }
  return frame;
}

/**
 * folio_add_new_anon_rmap(), which mlocks nothing, or folio_add_anon_rmap_ptes() for a page that was mapped before. What is
 * not exclusive belongs to the oldest anon_vma (__folio_set_anon).
 */
function mapSwappedIn(state: State, vma: Vma, page: number, frame: Frame, exclusive: boolean): void {
  if (frame.anonVma === null) {
    addNewAnonRmap(frame, vma, page);
    frame.exclusive = exclusive;
    if (!exclusive) frame.anonVma = vma.anonVma!.root;
    return;
  }
  addMapping(frame, vma.mm);
  if (exclusive) frame.exclusive = true;
  if (vma.locked) mlockFolio(state, frame);
}

/** swap_put_entries_direct(): an entry goes; with the last one a page in the swap cache that nothing maps. */
export function putSwap(state: State, slot: Frame): void {
  slot.mapcount--;
  const { cached } = slot;
  if (cached && slot.mapcount === 0 && !isMapped(cached)) {
    leaveCache(cached);
    freeFrame(state, cached);
  }
}

/**
 * folio_free_swap(): a page leaves the swap cache, unless an entry of its slot is left, and is dirty then.
 *
 * @returns whether it is in no swap cache now
 */
export function freeSwap(frame: Frame): boolean {
  if (frame.kind !== 'ram' || frame.cached === null) return true;
  if (frame.cached.mapcount > 0) return false;
  leaveCache(frame);
  frame.dirty = true;
  return true;
}

function leaveCache(frame: Frame): void {
  if (frame.cached) frame.cached.cached = null;
  frame.cached = null;
}
