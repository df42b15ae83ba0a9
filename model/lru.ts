/** The CPU's LRU batches (mm/folio.c): all test processes share one CPU, so there is one of each kind. */
import type { Frame, State } from './state.ts';

/** lru_add_drain(): the pages of lru_add get PG_lru, those of lru_activate get PG_active. */
export function drainLru(state: State): void {
  for (const frame of state.batched) frame.onLru = true;
  state.batched.clear();
  for (const [frame, certain] of state.activating) frame.active = certain ? true : undefined;
  state.activating.clear();
}

/** folio_add_lru() of a page that was taken off the LRU. */
export function addToLru(state: State, frame: Frame): void {
  frame.onLru = false;
  state.batched.add(frame);
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
  }
}
