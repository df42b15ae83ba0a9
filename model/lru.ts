/**
 * The CPU's LRU batches (mm/folio.c), and those of mlock (mm/mlock.c): all test processes share one CPU, so there is one
 * of each kind.
 */
import { markCoherentAccessed } from './coherent.ts';
import { clearMlocked, freeFrame, setMlocked } from './frame.ts';
import type { Frame, MlockDrain, State } from './state.ts';

/** lru_add_drain(): the pages of lru_add get PG_lru, those of lru_activate get PG_active; then mlock_drain_local(). */
export function drainLru(state: State): void {
  settleActivating(state);
  for (const frame of state.batched) enterLru(frame);
  state.batched.clear();
  drainMlock(state);
}

function settleActivating(state: State): void {
  for (const [frame, activation] of state.activating) {
    frame.active = frame.unevictable ? false : activation === 'unknown' ? undefined : true;
  }
  state.activating.clear();
}

/** lru_add(): an mlocked page goes to the unevictable list, and how often it is mlocked is counted from there on. */
function enterLru(frame: Frame): void {
  frame.onLru = true;
  frame.unevictable = !isEvictable(frame);
  if (!frame.unevictable) return;
  frame.active = false;
  frame.mlockCount = 0;
}

/** folio_evictable(); ramfs keeps all of its pages (mapping_unevictable). */
function isEvictable(frame: Frame): boolean {
  return !frame.mlocked && frame.file?.kind !== 'file';
}

/** Pages that a batch holds before it is drained (FOLIO_BATCH_SIZE, include/linux/folio_batch.h). */
const BATCH = 31;

/**
 * folio_add_lru(): a page waits in the CPU's batch, which is drained when it is full, and when a folio of order 9 comes,
 * which never waits (folio_may_be_lru_cached).
 */
export function addToLru(state: State, head: Frame): void {
  head.onLru = false;
  state.batched.add(head);
  const most = head.pages ? 0 : BATCH - 1;
  // Where it was empty when the step began, it is known when it is full.
  const kept = state.settles && state.batched.size > most ? 0 : most;
  for (const earliest of state.batched) {
    if (state.batched.size <= kept) return;
    enterLru(earliest);
    state.batched.delete(earliest);
  }
}

/**
 * `frame` has PG_lru, so the batch that it was in is drained: pages that came before it have it too. Later ones may be
 * in the next batch.
 */
export function settleOnLru(state: State, frame: Frame): void {
  if (frame.onLru) return;
  for (const earlier of state.batched) {
    enterLru(earlier);
    state.batched.delete(earlier);
    if (earlier === frame) return;
  }
}

/**
 * lru_add_drain() for a page that is on no LRU list. Where it is not known which pages wait in lru_add, the drain for an
 * earlier one may have put `frame` on a list, too, so that there is none for it: then nothing is known of those that came
 * later, and of those that wait for their activation.
 */
export function drainFor(state: State, frame: Frame): void {
  if (state.settles || frame.kind === 'coherent') {
    drainLru(state);
    return;
  }
  for (const [waiting, activation] of state.activating) {
    if (activation === 'waits') state.activating.set(waiting, 'active-or-waits');
  }
  settleOnLru(state, frame);
}

/**
 * `frame` has PG_active: its place in the batch of activations was drained, or it never had one. If it has not, it still
 * waits there, unless it was never in it.
 */
export function settleActive(state: State, frame: Frame, isActive: boolean): void {
  const activation = state.activating.get(frame);
  if (isActive) {
    frame.active = true;
    state.activating.delete(frame);
  } else if (activation === 'active-or-waits') {
    state.activating.set(frame, 'waits');
  } else if (activation === undefined) {
    frame.active = false;
  }
}

/**
 * folio_mark_accessed(): PG_referenced at first, PG_active the second time: at once while the page waits in lru_add
 * (__lru_cache_activate_folio), else when lru_activate is drained. An unevictable page has no use for the second, and one
 * that is on its way to be one has nowhere to wait.
 */
export function markAccessed(state: State, frame: Frame): void {
  if (frame.kind === 'coherent') markCoherentAccessed(frame);
  if (frame.kind !== 'ram') return;
  if (frame.referenced === false) {
    frame.referenced = true;
  } else if (frame.active !== true && !frame.unevictable) {
    // Where one of the two is not known, so is the other from now on.
    const certain = frame.referenced === true && frame.active === false && frame.unevictable === false;
    frame.referenced = certain ? false : undefined;
    const waits = state.batched.has(frame);
    if (!frame.onLru && !waits) return;
    if (certain && waits && state.settles) {
      frame.active = true;
      return;
    }
    frame.active = undefined;
    state.activating.set(frame, certain ? 'waits' : (state.activating.get(frame) ?? 'unknown'));
    // A folio of order 9 never waits, and takes all who wait with it.
    if (frame.pages) settleActivating(state);
  }
}

/** mlock_new_folio(): a page that is born in an mlocked vma, and comes to no LRU list before the batch is drained. */
export function mlockNew(state: State, frame: Frame): void {
  setMlocked(state, frame);
  hold(state, frame, 'new');
}

/** mlock_folio(), by a mapping in an mlocked vma: PG_mlocked at once, PG_unevictable when the batch is drained. */
export function mlockFolio(state: State, frame: Frame): void {
  setMlocked(state, frame);
  hold(state, frame, 'mlock');
}

/** munlock_folio(): all is left to the drain of the batch. */
export function munlockFolio(state: State, frame: Frame): void {
  hold(state, frame, 'munlock');
}

/** The batch of mlock has a reference to each of its pages. A large folio has it drained (folio_may_be_lru_cached). */
function hold(state: State, frame: Frame, drain: MlockDrain): void {
  state.mlocking.push({ frame, drain });
  if (state.mlocking.length === BATCH || frame.pages) drainMlock(state);
}

/** mlock_folio_batch(), then pages that nothing else holds go. */
export function drainMlock(state: State): void {
  const { mlocking } = state;
  state.mlocking = [];
  for (const { frame, drain } of mlocking) drains[drain](frame, state);
  if (state.freeing.size === 0) return;
  for (const [index, { frame }] of mlocking.entries()) {
    if (!state.freeing.has(frame) || mlocking.findLastIndex((held) => held.frame === frame) > index) continue;
    state.freeing.delete(frame);
    freeFrame(state, frame);
  }
}

const drains: Readonly<Record<MlockDrain, (frame: Frame, state: State) => void>> = {
  /** __mlock_folio(). While the page is off the LRU, it is only marked, so that several mappings are counted as one. */
  mlock(frame) {
    if (!frame.onLru) return;
    if (isEvictable(frame)) {
      frame.unevictable = false;
    } else if (frame.unevictable) {
      if (frame.mlocked) frame.mlockCount++;
    } else {
      frame.active = false;
      cull(frame);
    }
  },
  /** __mlock_new_folio() */
  new(frame) {
    frame.onLru = true;
    if (!isEvictable(frame)) cull(frame);
  },
  /** __munlock_folio(). While the page is off the LRU, it is no longer mlocked, however many other vmas have it so. */
  munlock(frame, state) {
    if (frame.onLru && frame.unevictable) {
      frame.mlockCount = Math.max(0, frame.mlockCount - 1);
      if (frame.mlockCount > 0) return;
    }
    clearMlocked(state, frame);
    if (frame.onLru && isEvictable(frame)) frame.unevictable = false;
  },
};

function cull(frame: Frame): void {
  frame.unevictable = true;
  frame.mlockCount = Number(frame.mlocked);
}

/** References that the CPU's batches have. */
export function heldReferences({ batched, activating, mlocking }: State, frame: Frame): number {
  const mlocked = mlocking.filter((held) => held.frame === frame).length;
  return Number(batched.has(frame)) + Number(activating.get(frame) === 'waits') + mlocked;
}

function isHeld({ mlocking }: State, frame: Frame): boolean {
  return mlocking.some((held) => held.frame === frame);
}

/** Nothing maps `frame` any more. It is free at once, unless the batch of mlock holds it. */
export function freeUnmapped(state: State, frame: Frame): void {
  if (isHeld(state, frame)) state.freeing.add(frame);
  else freeFrame(state, frame);
}
