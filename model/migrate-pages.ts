/** migrate_vma_pages() (mm/migrate_device.c): new pages get what old ones were, or are put in where there was none. */
import { markDirty } from './access-flags.ts';
import { freeFrame } from './frame.ts';
import { addNewFolioRmap } from './huge-fault.ts';
import type { MigrateVma, Source } from './migrate-collect.ts';
import { invalidate } from './notifier.ts';
import { hugeEntry, setPmd, setPte, setTable } from './page-table.ts';
import type { DeviceMinor } from './program.ts';
import { presentPte, pteOfPlace } from './pte.ts';
import { addNewAnonRmap, anonVmaPrepare } from './rmap.ts';
import { splitPmd } from './split.ts';
import type { Frame, Pte, Rule, State, Vma } from './state.ts';
import { freeSwap } from './swap.ts';
import { countVmEvent } from './vm-events.ts';

/**
 * migrate_vma_pages() on the way to a device. It notifies once more from the first hole on.
 *
 * @param targets of each source its new page, which is taken away and given back where it does not go there after all
 */
export function migratePages(
  state: State,
  { vma, end }: MigrateVma,
  minor: DeviceMinor,
  sources: readonly Source[],
  targets: (Frame | null)[],
): void {
  const hole = sources.find(({ frame }) => frame === null);
  if (hole) invalidate(vma.mm, vma.region, hole.page, end, minor);
  sources.forEach(({ frame, page, huge }, i) => {
    const target = targets[i]!;
    // Only anonymous pages go to a device: another stays, though there is a place for it.
    if (target === null || frame?.file) return;
    if (frame !== null) {
      // __migrate_device_pages(): what is in the swap cache must leave it.
      if (freeSwap(frame)) {
        migrateFlags(state, frame, target);
      } else {
        targets[i] = null;
        freeFrame(state, target);
      }
    } else if (vma.uffdMissing) {
      backOff(state, vma, page, huge);
      targets[i] = null;
      freeFrame(state, target);
    } else if (huge) {
      insertFolio(state, vma, page, target);
    } else if (isFilled(state, vma, page)) {
      // migrate_vma_insert_page(), abort: it is no hole any more.
      targets[i] = null;
      freeFrame(state, target);
    } else {
      insertPage(state, vma, page, target);
    }
  });
}

/**
 * folio_migrate_flags(): PG_unevictable, which stays with a page that was munlocked off the LRU, and goes along only where
 * PG_active does not. What it leaves on a device page is there in the page's next life, too.
 */
function moveUnevictable(from: Frame, to: Frame): void {
  const { active, unevictable } = from;
  if (active || unevictable === false) return;
  const moves = active === false && unevictable;
  to.unevictable ||= moves ? true : undefined;
  from.unevictable = active === false ? false : undefined;
}

/** folio_migrate_mapping() and folio_migrate_flags() */
export function migrateFlags(state: State, from: Frame, to: Frame): void {
  to.anonVma = from.anonVma;
  to.index = from.index;
  // PG_mappedtodisk, which PG_anon_exclusive is for anonymous pages: of a head page that nothing maps any more.
  if (from.exclusive) to.exclusive = true;
  // Flags are added to those that the page has.
  const stale = to.minor >= 0 && !state.profile.devicePageFlagsCleared;
  to.dirty = stale && !from.dirty ? undefined : from.dirty;
  to.referenced = stale && !from.referenced ? undefined : from.referenced;
  moveUnevictable(from, to);
  to.active = from.active || (to.active === false ? from.active : to.active);
  from.active = false;
  // folio_migrate_mapping()
  to.swapBacked = from.swapBacked || (to.minor >= 0 ? to.swapBacked : from.swapBacked);
}

/**
 * migrate_vma_insert_page() and migrate_vma_insert_huge_pmd_page() where missing pages are userfaultfd's: nothing is
 * inserted, when all is prepared for it.
 */
function backOff(state: State, vma: Vma, page: number, huge: boolean): void {
  anonVmaPrepare(state, vma);
  if (huge) return;
  if (hugeEntry(vma.mm, vma.region, page)) splitPmd(state, vma, page);
  setTable(vma.mm, vma.region, page);
}

/**
 * migrate_vma_insert_page(): a device page in the place of a hole or of the zero page. The entry is writable as far
 * as the vma is, and never soft-dirty by itself.
 */
function insertPage(state: State, vma: Vma, page: number, frame: Frame): void {
  // The huge zero page.
  if (hugeEntry(vma.mm, vma.region, page)) splitPmd(state, vma, page);
  anonVmaPrepare(state, vma);
  addNewAnonRmap(frame, vma, page);
  if (!state.profile.devicePageFlagsCleared) frame.dirty = frame.referenced = undefined;
  setPte(vma.mm, vma.region, page, insertedEntry(vma, frame, 'migrate_vma_insert_page'));
}

function isFilled(state: State, vma: Vma, page: number): boolean {
  const pte = vma.mm.ptes[vma.region]![page]!;
  return pte !== null && pte.frame !== state.zero;
}

/** migrate_vma_insert_huge_pmd_page(), whatever THP settings say. */
function insertFolio(state: State, vma: Vma, page: number, head: Frame): void {
  anonVmaPrepare(state, vma);
  // Since 7.3, which made it possible.
  countVmEvent(state, 'thp_fault_alloc');
  addNewFolioRmap(head, vma, page);
  const pmd = insertedEntry(vma, head, 'migrate_vma_insert_huge_pmd_page');
  pmd.huge = true;
  setPmd(vma.mm, vma.region, page, pmd);
}

/** A coherent page is entered as do_anonymous_page() would: with pte_mkdirty(), which makes it soft-dirty, if writable. */
function insertedEntry({ write }: Vma, frame: Frame, rule: Rule): Pte {
  if (frame.kind !== 'coherent') return pteOfPlace(frame, write, rule);
  const pte = presentPte(frame, write, rule);
  if (write) markDirty(pte);
  return pte;
}
