/** What can be seen of a state from outside: /proc/PID/pagemap, /proc/kpageflags and kpagecount, bytes, SNAPSHOT. */
import { mapcountOf } from './folio.ts';
import { type ExpectedPageFlags, pageFlags } from './page-flags.ts';
import { mincore, scanCategories } from './page-scan.ts';
import { hugeEntry } from './page-table.ts';
import { type DeviceMinor, PMD_PAGES, type ProcessId, type RegionId } from './program.ts';
import { snapshotByte } from './snapshot.ts';
import type { ExpectedFault, Frame, Process, Pte, Rule, State, Vma } from './state.ts';
import { type ExpectedRss, expectRss } from './status.ts';
import { findVma } from './vma.ts';

/** One page of one process. */
export interface ExpectedPage {
  /** The frame behind the entry; null when there is none. */
  frame: Frame | null;
  /** The entry; null when there is none. */
  pte: Pte | null;
  /** Bit 55 of pagemap: of the entry, or of the whole vma (pte_to_pagemap_entry). */
  softDirty: boolean;
  /** Bit 56 of pagemap: present, and mapped once (__folio_page_mapped_exclusively). */
  exclusive: boolean;
  /** Bit 61 of pagemap: a page that is not anonymous, or passes for one. */
  file?: true;
  /** Of present pages only. */
  flags?: ExpectedPageFlags;
  /** /proc/kpagecount of present pages: how many entries map the page; 0 for the zero page. */
  count?: number;
  /** The word that fills the page, of present pages that may be read. */
  word?: number;
  /** What mincore(2) says of it. */
  mincore: number;
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
    for (const vma of process.mm.vmas.flat()) if (vma.read) markVma(vma);
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
 * The page faults that observing causes: a process tries to read every present page, also those that it may not
 * (PROT_NONE). They come after the events of the step.
 */
export function observationFaults(state: State): ExpectedFault[] {
  if (!state.profile.tracesFaults) return [];
  return state.processes.flatMap((process) =>
    (process?.mm.vmas ?? []).flat().flatMap((vma) => (vma.read ? [] : refusedReads(vma))),
  );
}

function refusedReads({ mm, region, first, end }: Vma): ExpectedFault[] {
  const faults: ExpectedFault[] = [];
  for (let page = first; page < end; page++) {
    if (mm.ptes[region]![page]?.kind !== 'present') continue;
    faults.push({
      name: 'page_fault_user',
      region,
      page,
      present: false,
      write: false,
      rule: 'exc_page_fault (PROT_NONE)',
    });
  }
  return faults;
}

function observeRegion(state: State, process: Process, region: RegionId): ExpectedRegion {
  const { mm } = process;
  const length = state.regions[region]!;
  const pages: ExpectedPage[] = [];
  for (let page = 0; page < length; ) {
    const pmd = hugeEntry(mm, region, page);
    if (pmd) {
      observePmd(state, findVma(mm, region, page)!, pmd, pages);
      page += PMD_PAGES;
    } else {
      pages.push(observePage(state, findVma(mm, region, page), page, mm.ptes[region]![page]!));
      page++;
    }
  }
  const snapshots: ExpectedSnapshot[] = [];
  for (const [device, descriptor] of process.devices.entries()) {
    if (!descriptor?.own) continue;
    const bytes = new Uint8Array(length);
    for (let page = 0; page < length; page++) bytes[page] = snapshotByte(mm, device, region, page);
    snapshots.push({ device, bytes });
  }
  return { process: process.id, region, pages, snapshots };
}

function observePage(state: State, vma: Vma | undefined, page: number, pte: Pte | null): ExpectedPage {
  const asked = { mincore: mincore(vma, pte), categories: scanCategories(state.profile, vma, page, pte) };
  const vmaSoftDirty = vma?.softDirty ?? false;
  if (pte === null) {
    const rule = vma ? 'pte_to_pagemap_entry (pte_none)' : 'pagemap_pte_hole';
    return { frame: null, pte, softDirty: vmaSoftDirty, exclusive: false, ...asked, rule };
  }
  const { frame, rule } = pte;
  const softDirty = vmaSoftDirty || (state.profile.softDirty && pte.softDirty);
  if (pte.kind !== 'present') return { frame, pte, softDirty, exclusive: false, ...asked, rule };
  return {
    frame,
    pte,
    softDirty,
    exclusive: mapcountOf(frame) === 1,
    flags: pageFlags(frame, state),
    count: mapcountOf(frame),
    // A process sees nothing of a page that it may not read.
    ...(vma?.read ? { word: frame.word } : {}),
    ...asked,
    rule,
  };
}

/** pagemap_pmd_range_thp(): bits of the PMD for each page; whether it is mapped once is asked of the head alone. */
function observePmd(state: State, vma: Vma, pmd: Pte, pages: ExpectedPage[]): void {
  const { frame: head, rule } = pmd;
  const { pagemapAsksEachPage } = state.profile;
  const common = {
    pte: pmd,
    softDirty: vma.softDirty || (state.profile.softDirty && pmd.softDirty),
    exclusive: pmd.kind === 'present' && mapcountOf(head) === 1,
    mincore: mincore(vma, pmd),
    categories: scanCategories(state.profile, vma, 0, pmd),
    ...(pagemapAsksEachPage && head.kind === 'zero' ? { file: true as const } : {}),
    rule,
  };
  if (pmd.kind !== 'present') {
    for (const frame of head.pages!) pages.push({ ...common, frame });
    return;
  }
  const headFlags = pageFlags(head, state);
  const tailFlags = pageFlags(head.pages![1]!, state);
  for (const frame of head.pages!) {
    const flags = frame === head ? headFlags : tailFlags;
    const word = vma.read ? { word: frame.word } : undefined;
    const count = mapcountOf(frame);
    const exclusive = pagemapAsksEachPage ? count === 1 : common.exclusive;
    pages.push({ ...common, exclusive, frame, flags, count, ...word });
  }
}
