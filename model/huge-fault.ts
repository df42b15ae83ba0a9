/** Faults where a PMD maps memory itself, or could (mm/huge_memory.c). */
import { markDirty, touch } from './access-flags.ts';
import { addPmdMapping, hugeZero, newRamFolio } from './folio.ts';
import { addToLru } from './lru.ts';
import { migrateToSystem } from './migrate.ts';
import { invalidate } from './notifier.ts';
import { linearIndex } from './page-index.ts';
import { pmdStart, setPmd } from './page-table.ts';
import { PMD_PAGES } from './program.ts';
import { presentPmd } from './pte.ts';
import { anonVmaPrepare } from './rmap.ts';
import { splitPmd } from './split.ts';
import type { Frame, Pte, Rule, State, Vma } from './state.ts';
import { type FaultResult, handleUserfault, isWriteProtected, type Wanted } from './userfault.ts';
import { countVmEvent } from './vm-events.ts';

/**
 * The part of __handle_mm_fault() that is about PMDs. Null when it goes on with PTEs (VM_FAULT_FALLBACK).
 */
export function hugeFault(state: State, vma: Vma, wanted: Wanted, write: boolean): FaultResult | null {
  const { page } = wanted;
  const pmds = vma.mm.pmds[vma.region]!;
  if (pmds.length === 0) return null;
  const first = pmdStart(page);
  const pmd = pmds[first / PMD_PAGES]!;
  if (pmd === 'table') return null;
  if (pmd === null) return anonymousFolio(state, vma, wanted, write);
  if (pmd.kind === 'device') {
    // do_huge_pmd_device_private(): all 512 pages return.
    migrateToSystem(state, pmd.frame.migrator!, { vma, first, end: first + PMD_PAGES, isFault: true });
    return 'done';
  }
  if (write && !pmd.write) return writeProtectedPmd(state, vma, wanted, pmd);
  touch(state.profile, pmd, write);
  return 'done';
}

/** do_huge_pmd_anonymous_page(): the huge zero page for a read, a folio of order 9 for a write. */
function anonymousFolio(state: State, vma: Vma, wanted: Wanted, write: boolean): FaultResult | null {
  const first = pmdStart(wanted.page);
  // thp_vma_allowable_order() with transparent_hugepage/enabled=madvise; thp_vma_suitable_order()
  if (vma.thp !== 'hugepage' || vma.first > first || first + PMD_PAGES > vma.end) return null;
  anonVmaPrepare(state, vma);
  if (vma.uffdMissing) return handleUserfault(state, vma, wanted, 'missing');
  if (write) {
    mapNewFolio(state, vma, first, '__do_huge_pmd_anonymous_page');
  } else {
    setPmd(vma.mm, vma.region, first, presentPmd(hugeZero(state), false, 'set_huge_zero_folio'));
  }
  return 'done';
}

/** map_anon_folio_pmd_pf(): a folio of zeroes. */
function mapNewFolio(state: State, vma: Vma, first: number, rule: Rule): void {
  countVmEvent(state, 'thp_fault_alloc');
  mapFolio(state, vma, first, newRamFolio(state), rule);
}

/** map_anon_folio_pmd_nopf() */
export function mapFolio(state: State, vma: Vma, first: number, folio: Frame, rule: Rule): void {
  addNewFolioRmap(folio, vma, first);
  addToLru(state, folio);
  const pmd = presentPmd(folio, vma.write, rule);
  markDirty(pmd);
  setPmd(vma.mm, vma.region, first, pmd);
}

/** folio_add_new_anon_rmap() of a folio of order 9: PageAnonExclusive is the head's alone. */
export function addNewFolioRmap(head: Frame, vma: Vma, first: number): void {
  head.index = linearIndex(vma, first);
  addPmdMapping(head, vma.mm);
  head.exclusive = true;
  head.anonVma = vma.anonVma;
  head.swapBacked = true;
}

/** wp_huge_pmd() */
function writeProtectedPmd(state: State, vma: Vma, wanted: Wanted, pmd: Pte): FaultResult | null {
  const first = pmdStart(wanted.page);
  if (isWriteProtected(vma, pmd)) return handleUserfault(state, vma, wanted, 'wp');
  const { frame } = pmd;
  if (frame.kind === 'zero') {
    // do_huge_zero_wp_pmd(): MMU_NOTIFY_CLEAR
    if (!state.profile.hugeZeroIsReplaced) {
      splitPmd(state, vma, first);
      return null;
    }
    invalidate(vma.mm, vma.region, first, first + PMD_PAGES);
    mapNewFolio(state, vma, first, 'do_huge_zero_wp_pmd');
    return 'done';
  }
  // do_huge_pmd_wp_page(): reused if it is ours alone, that is, if this PMD has the only reference.
  if (!frame.exclusive && frame.large!.entries > 1) {
    splitPmd(state, vma, first);
    return null;
  }
  if (!frame.exclusive) {
    frame.anonVma = vma.anonVma;
    frame.exclusive = true;
  }
  pmd.write = vma.write;
  pmd.young = true;
  markDirty(pmd);
  pmd.rule = 'do_huge_pmd_wp_page';
  return 'done';
}

/**
 * Whether one page of a folio may be written to in place: never in 6.12 (wp_can_reuse_anon_folio); in 7.3 when all
 * references to the folio are mappings of this mm (__wp_can_reuse_large_anon_folio), but one mapping alone is copied, so
 * that the folio goes.
 */
export function reuseLargeFolio({ profile }: State, head: Frame): boolean {
  const { entries, shared } = head.large!;
  return profile.largeFolioIsReused && !head.pinned && entries > 1 && !shared;
}
