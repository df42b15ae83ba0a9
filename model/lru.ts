/** The CPU's LRU batches (mm/folio.c): all test processes share one CPU, so there is one of each kind. */
import type { Frame, State } from './state.ts';

/** lru_add_drain(): the pages of lru_add get PG_lru, those of lru_activate get PG_active. */
export function drainLru(state: State): void {
  for (const frame of state.batched) frame.onLru = true;
  state.batched.clear();
  settleActivating(state);
}

function settleActivating(state: State): void {
  for (const [frame, certain] of state.activating) frame.active = certain ? true : undefined;
  state.activating.clear();
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
  for (const earliest of state.batched) {
    if (state.batched.size <= most) return;
    earliest.onLru = true;
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
    earlier.onLru = true;
    state.batched.delete(earlier);
    if (earlier === frame) return;
  }
}

/** `frame` has PG_active: its place in the batch of activations was drained, or it never had one. */
export function settleActive(state: State, frame: Frame): void {
  frame.active = true;
  state.activating.delete(frame);
}

/**
 * folio_mark_accessed(): PG_referenced at first, PG_active the second time: at once while the page waits in lru_add
 * (__lru_cache_activate_folio), else when lru_activate is drained.
 */
export function markAccessed(state: State, frame: Frame): void {
  if (frame.kind !== 'ram') return;
  if (frame.referenced === false) {
    frame.referenced = true;
  } else if (frame.active !== true) {
    // Where one of the two is not known, so is the other from now on.
    const certain = frame.referenced === true && frame.active === false;
    frame.referenced = certain ? false : undefined;
    frame.active = undefined;
    state.activating.set(frame, certain || state.activating.get(frame) === true);
    // A folio of order 9 never waits, and takes all who wait with it.
    if (frame.pages) settleActivating(state);
  }
}
