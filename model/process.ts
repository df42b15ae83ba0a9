/** fork(2) and exit(2) (kernel/fork.c, mm/mmap.c, mm/memory.c, kernel/exit.c). */
import { closeDescriptor } from './device-file.ts';
import { restoreExclusive } from './exclusive.ts';
import { addMapping, addPmdMapping, isPinned } from './folio.ts';
import { newRamFrame } from './frame.ts';
import { copyHugetlb, isHugetlb } from './hugetlb.ts';
import { newProcess } from './initial-state.ts';
import { enterKsm, exitKsm } from './ksm.ts';
import { addToLru } from './lru.ts';
import { invalidate, release } from './notifier.ts';
import { type Expected, succeed } from './outcome.ts';
import { linkFileAfter, setPageProt } from './page-cache.ts';
import { pmdEnd, pmdOf, setPmd } from './page-table.ts';
import { releasePins } from './pin.ts';
import type { ProcessId } from './program.ts';
import { addNewAnonRmap, anonVmaFork, unlinkVma } from './rmap.ts';
import { splitPmd } from './split.ts';
import type { Descriptor, Mm, Process, Pte, State, Vma } from './state.ts';
import { zapVmas } from './vma.ts';

/** fork(2): mappings by dup_mmap(), descriptors by dup_fd(); an inherited file mirrors the mm of its opener. */
export function fork(state: State, parent: Process, id: ProcessId): Expected {
  const child = newProcess(state, id);
  for (const [region, vmas] of parent.mm.vmas.entries()) {
    for (const vma of vmas) {
      const copy: Vma = {
        ...vma,
        mm: child.mm,
        locked: false,
        // dup_userfaultfd()
        uffdMissing: false,
        uffdWp: false,
        anonVma: null,
        chain: [],
      };
      if (vma.uffdWp) setPageProt(state, copy);
      anonVmaFork(state, copy, vma);
      linkFileAfter(copy, vma);
      child.mm.vmas[region]!.push(copy);
      copyPageRange(state, vma, copy);
    }
  }
  child.devices = parent.devices.map((descriptor): Descriptor | null => {
    if (!descriptor) return null;
    descriptor.file.references++;
    return { ...descriptor, own: false };
  });
  if (state.ksmMms.includes(parent.mm)) enterKsm(state, child.mm);
  state.processes[id] = child;
  return succeed('dup_mmap');
}

/**
 * copy_page_range(): nothing is copied, and nothing invalidated, for a vma that has no anon_vma, even if it maps zero
 * pages, or pages of a file, which the child will fault in by itself (vma_needs_copy).
 */
function copyPageRange(state: State, from: Vma, to: Vma): void {
  if (!from.anonVma) return;
  if (isHugetlb(from)) {
    copyHugetlb(state, from, to);
    return;
  }
  // MMU_NOTIFY_PROTECTION_PAGE
  invalidate(from.mm, from.region, from.first, from.end);
  for (let page = from.first; page < from.end; ) {
    const stop = pmdEnd(page, from.end);
    const pmd = pmdOf(from.mm, from.region, page);
    if (pmd === 'table') copyPtes(state, from, to, page, stop);
    else if (pmd !== null && isPinned(pmd)) {
      splitPmd(state, from, page);
      copyPtes(state, from, to, page, stop);
    } else if (pmd !== null) setPmd(to.mm, to.region, page, copyPmd(pmd, to.mm));
    page = stop;
  }
}

/** copy_pte_range() */
function copyPtes(state: State, from: Vma, to: Vma, first: number, end: number): void {
  setPmd(to.mm, to.region, first, 'table');
  const source = from.mm.ptes[from.region]!;
  const target = to.mm.ptes[to.region]!;
  for (let page = first; page < end; page++) {
    const pte = source[page];
    // copy_pte_marker(): the child is not registered.
    if (!pte || pte.kind === 'marker') continue;
    // copy_nonpresent_pte(): restored in the parent, then copied as a present one; nothing is notified once more.
    if (pte.kind === 'exclusive') restoreExclusive(state, from, pte);
    target[page] = pte.kind === 'present' ? copyPresent(state, to, page, pte) : copyNonpresent(pte, to.mm);
  }
}

/** copy_huge_pmd(), and copy_huge_non_present_pmd(), by which a read entry keeps its soft-dirty bit. */
function copyPmd(pmd: Pte, child: Mm): Pte {
  const rule = pmd.kind === 'present' ? 'copy_huge_pmd' : 'copy_huge_non_present_pmd';
  if (pmd.frame.kind !== 'zero') {
    // folio_try_dup_anon_rmap_pmd()
    addPmdMapping(pmd.frame, child);
    pmd.frame.exclusive = false;
  }
  if (pmd.write) {
    pmd.write = false;
    pmd.rule = rule;
  }
  return { ...pmd, young: false, uffdWp: false, rule };
}

/** copy_present_ptes(): write-protected on both sides, old in the child. */
function copyPresent(state: State, to: Vma, page: number, pte: Pte): Pte {
  if (isPinned(pte)) return copyPinned(state, to, page, pte);
  if (pte.frame.kind !== 'zero') share(pte, to.mm);
  if (pte.write) {
    pte.write = false;
    pte.rule = 'copy_present_ptes';
  }
  // set_ptes(), for a group at once
  const { alone: _, ...copied } = pte;
  return { ...copied, young: false, uffdWp: false, rule: 'copy_present_ptes' };
}

/** copy_present_page(): the child has a copy from the start, and the parent keeps its page and its entry. */
function copyPinned(state: State, to: Vma, page: number, pte: Pte): Pte {
  const frame = newRamFrame(state, pte.frame.word);
  addNewAnonRmap(frame, to, page);
  addToLru(state, frame);
  return {
    ...pte,
    frame,
    write: to.write,
    young: true,
    dirty: true,
    softDirty: true,
    uffdWp: false,
    rule: 'copy_present_page',
  };
}

/**
 * copy_nonpresent_pte(): a write entry becomes a read entry on both sides, and loses its soft-dirty bit. That of a page
 * which somebody else migrates meanwhile keeps it, and is no mapping. A swap entry keeps it too, and is no longer exclusive.
 */
function copyNonpresent(pte: Pte, child: Mm): Pte {
  if (pte.kind === 'migration') {
    pte.write = pte.readExclusive = false;
    return { ...pte, uffdWp: false, rule: 'copy_nonpresent_pte' };
  }
  if (pte.kind === 'swap') {
    // swap_dup_entry_direct()
    pte.frame.mapcount++;
    if (pte.readExclusive) pte.rule = 'copy_nonpresent_pte';
    pte.readExclusive = false;
    return { ...pte, uffdWp: false, rule: 'copy_nonpresent_pte' };
  }
  share(pte, child);
  if (pte.write) {
    pte.write = false;
    pte.softDirty = false;
    pte.rule = 'copy_nonpresent_pte';
  }
  return { ...pte, uffdWp: false, rule: 'copy_nonpresent_pte' };
}

/** folio_try_dup_anon_rmap_pte() */
function share(pte: Pte, child: Mm): void {
  addMapping(pte.frame, child);
  pte.frame.exclusive = false;
}

/**
 * do_exit(): exit_mm() first, so that its own pages are gone when devices are closed. exit_files() only queues the
 * closing (fput()), and task_work_run() takes what was queued last first: descriptors close in descending order.
 */
export function exit(state: State, process: Process): Expected {
  const { mm } = process;
  release(state, mm);
  mm.alive = false;
  exitKsm(state, mm);
  const vmas = mm.vmas.flat();
  zapVmas(state, vmas);
  for (const vma of vmas) unlinkVma(vma);
  mm.vmas = mm.vmas.map(() => []);
  mm.pmds = mm.pmds.map((pmds) => pmds.map(() => null));
  releasePins(state, process);
  state.processes[process.id] = null;

  const descriptors = process.devices.filter((descriptor) => descriptor !== null);
  descriptors.sort((a, b) => b.number - a.number);
  for (const { file } of descriptors) closeDescriptor(state, file);
  return succeed('do_exit');
}
