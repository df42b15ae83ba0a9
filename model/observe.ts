/** What can be seen of a state from outside: /proc/PID/pagemap, /proc/kpageflags and kpagecount, bytes, SNAPSHOT. */
import { type ExpectedPageFlags, pageFlags } from './page-flags.ts';
import { mincore, scanCategories } from './page-scan.ts';
import type { DeviceMinor, ProcessId, RegionId } from './program.ts';
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
    for (const vma of process.mm.vmas.flat()) {
      if (!vma.read) continue;
      const ptes = process.mm.ptes[vma.region]!;
      for (let page = vma.first; page < vma.end; page++) {
        const pte = ptes[page];
        if (pte?.kind === 'present') pte.young = true;
      }
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
  for (let page = 0; page < length; page++) {
    pages.push(observePage(state, findVma(mm, region, page), page, mm.ptes[region]![page]!));
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
    exclusive: frame.mapcount === 1,
    flags: pageFlags(frame, state),
    count: frame.mapcount,
    // A process sees nothing of a page that it may not read.
    ...(vma?.read ? { word: frame.word } : {}),
    ...asked,
    rule,
  };
}
