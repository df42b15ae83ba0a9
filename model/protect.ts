/** mprotect(2) (mm/mprotect.c). */
import { isHugetlb } from './hugetlb.ts';
import { populateVma } from './mlock.ts';
import { invalidate } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { setPageProt } from './page-cache.ts';
import { hugeEntry, pmdEnd, setTable } from './page-table.ts';
import { type PageRange, PMD_PAGES, type Protection } from './program.ts';
import { newMarker } from './pte.ts';
import { splitPmd } from './split.ts';
import type { Process, Pte, Rule, State, Vma } from './state.ts';
import { isWriteProtected } from './userfault.ts';
import { findVma } from './vma.ts';
import { flagsOf, modifyVma, type VmaFlags } from './vma-modify.ts';

/** do_mprotect_pkey(): vma by vma; those before a hole keep what they got. */
export function mprotect(state: State, { mm }: Process, at: PageRange, protection: Protection): Expected {
  const end = at.first + at.count;
  for (let page = at.first; page < end; ) {
    const vma = findVma(mm, at.region, page);
    if (!vma) return failWith('ENOMEM', 'do_mprotect_pkey');
    const stop = Math.min(vma.end, end);
    if (!fixup(state, vma, page, stop, protection)) return failWith('EINVAL', 'hugetlb_vm_op_split');
    page = stop;
  }
  return succeed('do_mprotect_pkey');
}

/** mprotect_fixup(); false where a page of hugetlb would have to be cut. */
function fixup(state: State, vma: Vma, first: number, end: number, protection: Protection): boolean {
  const read = protection !== 'none';
  const write = protection === 'read-write';
  if (vma.read === read && vma.write === write) return true;
  const flags: VmaFlags = { ...flagsOf(vma), read, write };
  if (write) flags.account ||= !vma.shared && !isHugetlb(vma);
  else if (!vma.anonVma && !vma.file) flags.account = false;
  const becomesWritable = write && !vma.write;
  const changed = modifyVma(state, vma, first, end, flags);
  if (!changed) return false;
  setPageProt(state, changed);
  changeProtection(state, changed, first, end);
  // Without regard to what cannot be had.
  if (becomesWritable && changed.locked && !changed.shared) populateVma(state, changed, first, end);
  return true;
}

/**
 * change_protection(): MMU_NOTIFY_PROTECTION_VMA; a PMD that is changed in a part is split (change_pmd_range).
 *
 * @param uffd what userfaultfd wants of each page (MM_CP_UFFD_WP, MM_CP_UFFD_WP_RESOLVE)
 */
export function changeProtection(
  state: State,
  vma: Vma,
  first: number,
  end: number,
  uffd?: 'protect' | 'unprotect',
): void {
  const { mm, region } = vma;
  // userfaultfd_wp_use_markers()
  const marks = uffd === 'protect' && (vma.file !== null || mm.userfaultMarkers);
  invalidate(mm, region, first, end);
  for (let page = first; page < end; ) {
    const stop = pmdEnd(page, end);
    const pmd = hugeEntry(mm, region, page);
    if (pmd && stop - page === PMD_PAGES) {
      changeEntry(state, vma, pmd, uffd);
    } else {
      if (pmd) splitPmd(state, vma, page);
      if (pmd === null && marks) setTable(mm, region, page);
      changePtes(state, vma, page, stop, { uffd, marks });
    }
    page = stop;
  }
}

/** change_pte_range(): markers come where there is no page to protect, and go when they are not wanted any more. */
function changePtes(
  state: State,
  vma: Vma,
  first: number,
  end: number,
  { uffd, marks }: { uffd: 'protect' | 'unprotect' | undefined; marks: boolean },
): void {
  const ptes = vma.mm.ptes[vma.region]!;
  for (let page = first; page < end; page++) {
    const pte = ptes[page]!;
    if (pte === null) {
      if (marks) ptes[page] = newMarker('change_pte_range');
    } else if (pte.kind === 'marker') {
      if (uffd === 'unprotect') ptes[page] = null;
    } else {
      changeEntry(state, vma, pte, uffd);
    }
  }
}

/** change_present_ptes() or change_softleaf_pte(), and change_huge_pmd() */
function changeEntry(state: State, vma: Vma, entry: Pte, uffd?: 'protect' | 'unprotect'): void {
  if (uffd) {
    const set = uffd === 'protect';
    if (entry.uffdWp !== set) entry.rule = ruleFor(entry);
    entry.uffdWp = set;
  }
  if (entry.kind === 'present') changePresent(state, vma, entry);
  else if (entry.write) downgrade(entry);
}

function ruleFor({ kind, huge }: Pte): Rule {
  if (kind === 'present') return huge ? 'change_huge_pmd' : 'change_pte_range';
  return huge ? 'change_non_present_huge_pmd' : 'change_softleaf_pte';
}

/**
 * Entries of a shared mapping are as vm_page_prot has them. Where the file wants to know of the first write, those that are
 * dirty need not fault (vma_wants_manual_pte_write_upgrade, can_change_shared_pte_writable); for the sake of soft-dirty bits
 * alone nothing is done about them.
 */
function isSharedWritable(state: State, vma: Vma, pte: Pte): boolean {
  const isNotified = vma.write && vma.file?.kind === 'file';
  return vma.madeWritable || (isNotified && pte.dirty && !tracksWrites(state, vma, pte));
}

/**
 * change_present_ptes(): private mappings have read-only protections; where a write needs no fault (exclusive anonymous
 * pages of a VM_WRITE vma, that userfaultfd does not protect), the entry is made writable after all
 * (can_change_pte_writable).
 */
function changePresent(state: State, vma: Vma, pte: Pte): void {
  const write = vma.shared
    ? isSharedWritable(state, vma, pte)
    : vma.write && pte.frame.kind !== 'zero' && pte.frame.exclusive && !tracksWrites(state, vma, pte);
  if (isHugetlb(vma)) {
    // hugetlb_change_protection(): as vm_page_prot has it.
    pte.write = vma.madeWritable;
    pte.rule = 'hugetlb_change_protection';
    return;
  }
  // The dirty bit of a read-only entry is _PAGE_SAVED_DIRTY, which stays.
  if (pte.huge && pte.write && state.profile.pmdModifyDropsDirty) pte.dirty = false;
  if (pte.write === write) return;
  pte.write = write;
  pte.rule = ruleFor(pte);
}

/** The next write must fault: the first after clear_refs (pte_needs_soft_dirty_wp), or for userfaultfd. */
export function tracksWrites({ profile }: State, vma: Vma, pte: Pte): boolean {
  return (profile.softDirty && !vma.softDirty && !pte.softDirty) || isWriteProtected(vma, pte);
}

/**
 * change_softleaf_pte(): a write entry of a device becomes a read entry, for good, and loses its soft-dirty bit;
 * a device-exclusive one of 6.12 becomes a read one and keeps it.
 */
function downgrade(pte: Pte): void {
  pte.write = false;
  // One that somebody else migrates meanwhile stays that of an exclusive page.
  if (pte.kind === 'migration') pte.readExclusive = true;
  if (pte.kind === 'device') pte.softDirty = false;
  pte.rule = ruleFor(pte);
}
