/** get_user_pages_remote() and pin_user_pages() with FOLL_WRITE (mm/gup.c). */
import { handleFault } from './fault.ts';
import { markAccessed } from './lru.ts';
import { entryAt } from './page-table.ts';
import type { RegionId } from './program.ts';
import { splitPmd } from './split.ts';
import type { Mm, Pte, State, Vma } from './state.ts';
import { findVma } from './vma.ts';

/** The entry of a page that may be written, with its vma; or why there is none. */
export type Gotten = { vma: Vma; pte: Pte } | { errno: 'EFAULT' | 'ENOMEM'; rule: string };

/**
 * Faults until the page is mapped writable (can_follow_write_pte, can_follow_write_pmd).
 *
 * @param pin pin_user_pages(): neither FOLL_TOUCH nor FOLL_SPLIT_PMD, which make_device_exclusive() asks for
 */
export function getUserPage(state: State, mm: Mm, region: RegionId, page: number, pin = false): Gotten {
  const vma = findVma(mm, region, page);
  if (!vma) return { errno: 'EFAULT', rule: 'gup_vma_lookup' };
  if (!vma.write) return { errno: 'EFAULT', rule: 'check_vma_flags' };
  for (;;) {
    const pte = entryAt(mm, region, page);
    if (pte?.huge && pte.kind === 'present' && !pin) {
      // follow_pmd_mask() with FOLL_SPLIT_PMD
      splitPmd(state, vma, page);
      continue;
    }
    if (pte?.kind === 'present' && pte.write) {
      if (!pin) {
        // follow_page_pte(): the page may be written without the entry's becoming dirty.
        if (!pte.dirty) pte.frame.head.dirty = true;
        markAccessed(state, pte.frame.head);
      }
      return { vma, pte };
    }
    if (!handleFault(state, vma, page, true)) return { errno: 'ENOMEM', rule: 'faultin_page' };
  }
}
