/** What a fault does to the accessed and dirty bits of an entry of either level. */
import type { Profile } from './profile.ts';
import type { Pte } from './state.ts';

/** The end of handle_pte_fault(), and touch_pmd(). */
export function touch({ readFaultMakesYoung }: Profile, pte: Pte, write: boolean): void {
  if (write || readFaultMakesYoung) pte.young = true;
  if (write) markDirty(pte);
}

/** pte_mkdirty(), which on x86 also makes the entry soft-dirty. */
export function markDirty(pte: Pte): void {
  pte.dirty = true;
  pte.softDirty = true;
}
