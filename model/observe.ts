/** What can be seen of a state from outside: /proc/PID/pagemap, /proc/kpageflags and kpagecount, bytes, SNAPSHOT. */

import { coherentCount } from './coherent.ts';
import { mapcountOf } from './folio.ts';
import { type ExpectedPageFlags, pageFlags } from './page-flags.ts';
import { mincore, scanCategories } from './page-scan.ts';
import { entryAt, hugeEntry } from './page-table.ts';
import { type DeviceMinor, PMD_PAGES, type ProcessId, type RegionId, type Step } from './program.ts';
import { snapshotBytes } from './snapshot.ts';
import type { ExpectedFault, Frame, Process, Pte, Rule, State, Vma } from './state.ts';
import { type ExpectedRss, expectRss } from './status.ts';
import { isInSwap } from './swap-shmem.ts';
import { findVma } from './vma.ts';

/** One page of one process. */
export interface ExpectedPage {
  /** The frame behind the entry; null when there is none. */
  frame: Frame | null;
  /** The entry; null when there is none. */
  pte: Pte | null;
  /** Bit 55 of pagemap: of the entry, or of the whole vma (pte_to_pagemap_entry). */
  softDirty: boolean;
  /** Bit 57 of pagemap: write-protected by userfaultfd. */
  uffdWp: boolean;
  /** Bit 56 of pagemap: present, and mapped once (__folio_page_mapped_exclusively). */
  exclusive: boolean;
  /** Bit 61 of pagemap: a page that is not anonymous, or passes for one. */
  file: boolean;
  /** Of present pages only. */
  flags: ExpectedPageFlags | undefined;
  /** /proc/kpagecount of present pages: how many entries map the page; 0 for the zero page. */
  count: number | undefined;
  /** The word that fills the page, of present pages that may be read. */
  word: number | undefined;
  /** What mincore(2) says of it. */
  mincore: number;
  /** There is no entry, and the file has the page in swap, which nothing tells from a hole but smaps. */
  fileInSwap: boolean;
  /** What PAGEMAP_SCAN says of it; undefined where nothing is mapped. */
  categories: number | undefined;
  /** What made the page as it is. */
  rule: Rule;
}

export interface ExpectedSnapshot {
  device: DeviceMinor;
  /** One byte per page of the region. */
  bytes: Uint8Array;
}

export interface ExpectedRegion {
  process: ProcessId;
  region: RegionId;
  pages: ExpectedPage[];
  /** Through each file that the process itself opened, in ascending order of minor. */
  snapshots: ExpectedSnapshot[];
}

export interface ExpectedProcess {
  process: ProcessId;
  rss: ExpectedRss;
}

/** Every living process, in ascending order. */
export function observeProcesses(state: State): ExpectedProcess[] {
  return state.processes
    .filter((process) => process !== null)
    .map((process) => ({ process: process.id, rss: expectRss(process) }));
}

/** Every region of every living process, mapped or not, in ascending order. */
export function observe(state: State): ExpectedRegion[] {
  const regions: ExpectedRegion[] = [];
  for (const process of state.processes) {
    if (!process) continue;
    for (let region = 0; region < state.regions.length; region++) {
      regions.push(observeRegion(state, process, region));
    }
  }
  return regions;
}

/**
 * The trace that observing leaves: each process reads its present pages, which makes their entries young. To be
 * called once after each step's {@link observe}.
 */
export function markObserved(state: State): void {
  for (const process of state.processes) {
    if (!process) continue;
    for (const vmas of process.mm.vmas) for (const vma of vmas) if (vma.read) markVma(vma);
  }
}

function markVma({ mm, region, first, end }: Vma): void {
  const ptes = mm.ptes[region]!;
  for (let page = first; page < end; page++) {
    const pmd = hugeEntry(mm, region, page);
    if (pmd) {
      if (pmd.kind === 'present') pmd.young = true;
      page += PMD_PAGES - 1;
    } else if (ptes[page]?.kind === 'present') {
      ptes[page]!.young = true;
    }
  }
}

/**
 * Every living process in the order in which they look at themselves after a step: who made it first, who makes the next one
 * last, which saves the guest switches (qemu/guest/sequence.c, next_observer).
 */
export function observers(state: State, steps: readonly Step[], index: number): Process[] {
  const [actor, next] = [steps[index]!.by, steps[index + 1]?.by];
  const rank = ({ id }: Process): number => (id === actor ? 0 : id === next ? 2 : 1);
  return state.processes.filter((process) => process !== null).sort((a, b) => rank(a) - rank(b));
}

/**
 * The page faults that observing causes: a process tries to read every present page, also those that it may not
 * (PROT_NONE). They come after the events of the step.
 *
 * @param processes in the order in which they look ({@link observers})
 */
export function observationFaults(state: State, processes: readonly Process[]): ExpectedFault[] {
  const faults: ExpectedFault[] = [];
  if (!state.profile.tracesFaults) return faults;
  for (const process of processes) {
    for (const vmas of process.mm.vmas) for (const vma of vmas) if (!vma.read) addRefusedReads(faults, vma);
  }
  return faults;
}

function addRefusedReads(faults: ExpectedFault[], { mm, region, first, end }: Vma): void {
  for (let page = first; page < end; page++) {
    const entry = entryAt(mm, region, page);
    if (entry?.kind !== 'present') continue;
    faults.push({
      name: 'page_fault_user',
      region,
      page,
      present: false,
      write: false,
      rule: 'exc_page_fault (PROT_NONE)',
    });
    // Of hugetlb, one read tells of all.
    if (entry.frame.hugetlb) page += PMD_PAGES - 1;
  }
}

function observeRegion(state: State, process: Process, region: RegionId): ExpectedRegion {
  const { mm } = process;
  const length = state.regions[region]!;
  const ptes = mm.ptes[region]!;
  const pages: ExpectedPage[] = [];
  let vma: Vma | undefined;
  // Where there is no entry and no file, nothing but the vma and whether there is a page table tells pages apart.
  let hole: ExpectedPage | undefined;
  for (let page = 0; page < length; ) {
    const last = vma;
    if (!vma || page >= vma.end) vma = findVma(mm, region, page);
    if (vma !== last || page % PMD_PAGES === 0) hole = undefined;
    const pmd = hugeEntry(mm, region, page);
    if (pmd) {
      observePmd(state, vma!, pmd, pages);
      page += PMD_PAGES;
      continue;
    }
    const pte = ptes[page]!;
    if (pte !== null || vma?.file) {
      pages.push(observePage(state, vma, page, pte));
    } else {
      hole ??= observePage(state, vma, page, null);
      pages.push(hole);
    }
    page++;
  }
  const { devices } = process;
  const snapshots: ExpectedSnapshot[] = [];
  for (let device = 0; device < devices.length; device++) {
    if (devices[device]?.own) snapshots.push({ device, bytes: snapshotBytes(mm, device, region, 0, length) });
  }
  return { process: process.id, region, pages, snapshots };
}

function observePage(state: State, vma: Vma | undefined, page: number, pte: Pte | null): ExpectedPage {
  const present = pte?.kind === 'present' ? pte.frame : undefined;
  const mapcount = present && mapcountOf(present);
  const entrySoftDirty = pte !== null && state.profile.softDirty && pte.softDirty;
  return {
    frame: pte === null || pte.kind === 'marker' ? null : pte.frame,
    pte,
    softDirty: (vma?.softDirty ?? false) || entrySoftDirty,
    uffdWp: pte?.uffdWp ?? false,
    exclusive: mapcount === 1,
    file: present !== undefined && present.file !== null,
    flags: present && pageFlags(present, state),
    count: present?.kind === 'coherent' ? coherentCount(state.profile) : mapcount,
    // A process sees nothing of a page that it may not read.
    word: present && vma?.read ? present.word : undefined,
    mincore: mincore(vma, page, pte),
    fileInSwap: vma !== undefined && pte === null && isInSwap(vma, page),
    categories: scanCategories(state.profile, vma, page, pte),
    rule: pte?.rule ?? (vma ? 'pte_to_pagemap_entry (pte_none)' : 'pagemap_pte_hole'),
  };
}

/** pagemap_pmd_range_thp(): bits of the PMD for each page; whether it is mapped once is asked of the head alone. */
function observePmd(state: State, vma: Vma, pmd: Pte, pages: ExpectedPage[]): void {
  const { frame: head, rule } = pmd;
  const { pagemapAsksEachPage } = state.profile;
  const present = pmd.kind === 'present';
  // pagemap_hugetlb_range() does not look at the entry.
  const entrySoftDirty = !head.hugetlb && state.profile.softDirty && pmd.softDirty;
  const softDirty = vma.softDirty || entrySoftDirty;
  const headExclusive = present && mapcountOf(head) === 1;
  const resident = mincore(vma, 0, pmd);
  const categories = scanCategories(state.profile, vma, 0, pmd);
  const file = head.file !== null || (pagemapAsksEachPage && head.kind === 'zero');
  const headFlags = present ? pageFlags(head, state) : undefined;
  const tailFlags = present ? pageFlags(head.pages![1]!, state) : undefined;
  for (const frame of head.pages!) {
    const count = present ? mapcountOf(frame) : undefined;
    pages.push({
      frame,
      pte: pmd,
      softDirty,
      uffdWp: pmd.uffdWp,
      exclusive: pagemapAsksEachPage ? count === 1 : headExclusive,
      file,
      flags: frame === head ? headFlags : tailFlags,
      count,
      word: present && vma.read ? frame.word : undefined,
      mincore: resident,
      fileInSwap: false,
      categories,
      rule,
    });
  }
}
