/**
 * What must hold of every state, whatever the program (OBSERVABLES 4): checked by tests on the model, and by the
 * harness where a transcript shows as much.
 */
import { fileIndex, linearIndex } from './page-index.ts';
import { entryAt, frameAt } from './page-table.ts';
import { PMD_PAGES, type RegionId } from './program.ts';
import { rmapWalk } from './rmap.ts';
import type { AnonVma, DeviceFile, DevicePte, Frame, Mm, Pte, State, Vma } from './state.ts';
import { findVma } from './vma.ts';

/** One sentence per violation; none when all is well. */
export function violations(state: State): string[] {
  const found: string[] = [];
  const mms = livingMms(state);
  const mappings = new Map<Frame, Pte[]>();
  for (const mm of mms) {
    checkVmas(mm, found);
    checkEntries(mm, mappings, found);
  }
  for (const [frame, ptes] of mappings) checkFrame(frame, ptes, found);
  checkDevices(state, mappings, found);
  for (const file of filesOf(state)) checkDevicePageTable(file, found);
  if (state.zero.word !== 0) found.push('the zero page was written to');
  return found;
}

function livingMms(state: State): Mm[] {
  return state.processes.flatMap((process) => process?.mm ?? []);
}

function filesOf(state: State): Set<DeviceFile> {
  const files = new Set<DeviceFile>();
  for (const process of state.processes) {
    for (const descriptor of process?.devices ?? []) if (descriptor) files.add(descriptor.file);
  }
  return files;
}

function checkVmas(mm: Mm, found: string[]): void {
  const trees = new Set<AnonVma>();
  for (const [region, vmas] of mm.vmas.entries()) {
    let border = 0;
    for (const vma of vmas) {
      if (vma.first < border || vma.end <= vma.first) {
        found.push(`p${mm.id} region ${region}: vmas overlap, are empty or out of order`);
      }
      border = vma.end;
      for (const anonVma of vma.chain) trees.add(anonVma);
      if (vma.anonVma && !vma.chain.includes(vma.anonVma)) {
        found.push(`p${mm.id} region ${region}: a vma is not in the tree of its own anon_vma`);
      }
    }
  }
  for (const { id, tree } of trees) {
    if (tree.some((vma, index) => index > 0 && tree[index - 1]!.pgoff > vma.pgoff)) {
      found.push(`anon_vma ${id}: its tree is out of order`);
    }
  }
}

function checkEntries(mm: Mm, mappings: Map<Frame, Pte[]>, found: string[]): void {
  const faults: string[] = [];
  for (let region = 0; region < mm.ptes.length; region++) {
    const ptes = mm.ptes[region]!;
    for (let page = 0; page < ptes.length; page++) {
      const pte = ptes[page];
      if (!pte) continue;
      if (pte.huge) faults.push('a PMD among PTEs');
      const vma = findVma(mm, region, page);
      if (!vma) faults.push('an entry outside of all vmas');
      else checkEntry(vma, page, pte, faults);
      if (faults.length > 0) tell(found, faults, `p${mm.id} region ${region} page ${page}`);
      note(mappings, pte);
    }
    checkPmds(mm, region, mappings, found);
  }
}

/** Moves what is wrong with an entry to all that was found. */
function tell(found: string[], faults: string[], where: string): void {
  for (const fault of faults.splice(0)) found.push(`${where}: ${fault}`);
}

function note(mappings: Map<Frame, Pte[]>, entry: Pte): void {
  if (entry.frame.kind === 'zero' || entry.frame.kind === 'none') return;
  const others = mappings.get(entry.frame);
  if (others) others.push(entry);
  else mappings.set(entry.frame, [entry]);
}

function checkPmds(mm: Mm, region: RegionId, mappings: Map<Frame, Pte[]>, found: string[]): void {
  const ptes = mm.ptes[region]!;
  const faults: string[] = [];
  for (const [index, pmd] of mm.pmds[region]!.entries()) {
    const first = index * PMD_PAGES;
    const end = first + PMD_PAGES;
    const vma = mm.vmas[region]!.find((candidate) => candidate.first < end && first < candidate.end);
    if (pmd !== null && !vma) faults.push('a table or an entry that no vma needs');
    if (pmd !== 'table' && hasEntry(ptes, first, end)) faults.push('PTEs without a table');
    if (pmd !== null && pmd !== 'table' && vma) {
      if (!pmd.huge || pmd.frame.pages?.length !== PMD_PAGES) faults.push('does not map a folio');
      if (vma.first > first || vma.end < end) faults.push('maps more than its vma has');
      checkEntry(vma, first, pmd, faults);
      note(mappings, pmd);
    }
    if (faults.length > 0) tell(found, faults, `p${mm.id} region ${region} PMD ${index}`);
  }
}

function hasEntry(ptes: readonly (Pte | null)[], first: number, end: number): boolean {
  for (let page = first; page < Math.min(end, ptes.length); page++) if (ptes[page] !== null) return true;
  return false;
}

/** What is wrong with an entry of `vma`, without its place. */
function checkEntry(vma: Vma, page: number, pte: Pte, faults: string[]): void {
  const { frame } = pte;
  if (pte.kind === 'migration') faults.push('a migration entry at rest');
  if (pte.kind === 'exclusive' && !frame.exclusive) faults.push('device-exclusive, and not exclusive');
  if ((pte.kind === 'device') !== (frame.kind === 'device')) {
    faults.push(`a ${pte.kind} entry of a ${frame.kind} page`);
  }
  if (pte.write && frame.file && !vma.shared) faults.push('a page of a file, writable in a private mapping');
  if (pte.kind === 'swap' || frame.kind === 'swap') {
    checkSwapEntry(pte, faults);
    return;
  }
  if (pte.write && !vma.write) faults.push('writable in a vma without VM_WRITE');
  if (pte.uffdWp && !vma.uffdWp)
    faults.push('protected by userfaultfd in a vma that is not registered for it');
  if (pte.uffdWp && pte.write) faults.push('protected by userfaultfd, and writable');
  if ((pte.kind === 'marker') !== (frame.kind === 'none')) faults.push(`a ${pte.kind} entry of no page`);
  if (frame.kind === 'none') return;
  if (frame.kind === 'zero') {
    if (pte.write) faults.push('the zero page is writable');
  } else if (frame.ksm) {
    if (pte.write) faults.push('a page of KSM is writable');
  } else if (
    (!frame.head.anonVma && !frame.file) ||
    !rmapWalk(frame.head).some((visit) => visit.vma === vma)
  ) {
    faults.push('the reverse mapping does not find this mapping');
  } else if (indexOf(vma, page, frame) !== frame.head.index + frame.offset) {
    faults.push('the index of the page is not that of its place');
  }
}

function indexOf(vma: Vma, page: number, frame: Frame): number {
  return frame.file ? fileIndex(vma, page) : linearIndex(vma, page);
}

function checkSwapEntry({ kind, frame, readExclusive }: Pte, faults: string[]): void {
  if (kind !== 'swap' || frame.kind !== 'swap') faults.push(`a ${kind} entry of a ${frame.kind} page`);
  if (readExclusive && frame.mapcount > 1) {
    faults.push(`an exclusive swap entry, one of ${frame.mapcount}`);
  }
  if (readExclusive && frame.cached) faults.push('an exclusive swap entry of a page in the swap cache');
}

function checkFrame(frame: Frame, entries: readonly Pte[], found: string[]): void {
  const where = `frame ${frame.id}`;
  const { head } = frame;
  const ptes = entries.filter((entry) => !entry.huge).length;
  const pmds = entries.length - ptes;
  if (frame.mapcount !== ptes) {
    found.push(`${where}: mapcount ${frame.mapcount}, and ${ptes} PTEs map it`);
  }
  if (frame === head && head.entireMapcount !== pmds) {
    found.push(`${where}: entire mapcount ${head.entireMapcount}, and ${pmds} PMDs map it`);
  }
  if (head.offset !== 0 || (head.pages ?? [head])[frame.offset] !== frame) {
    found.push(`${where}: is not where its folio has it`);
  }
  if (frame === head && head.large) {
    const all = head.entireMapcount + head.pages!.reduce((sum, page) => sum + page.mapcount, 0);
    if (head.large.entries !== all) found.push(`${where}: ${head.large.entries} entries counted of ${all}`);
  }
  const mapped = frame.mapcount + head.entireMapcount;
  if (frame.exclusive && mapped > 1) found.push(`${where}: exclusive, and mapped ${mapped} times`);
  if (frame.cached && frame.cached.cached !== frame) found.push(`${where}: its slot has another page`);
  if (frame.kind === 'ram' && frame.cached && frame.exclusive) {
    found.push(`${where}: exclusive, and in the swap cache`);
  }
  if (!frame.exclusive && !frame.file && entries.some((entry) => entry.write)) {
    found.push(`${where}: writable and not exclusive`);
  }
}

function checkDevices(state: State, mappings: ReadonlyMap<Frame, Pte[]>, found: string[]): void {
  for (const device of state.devices) {
    const keys = [...mappings.keys()].filter((frame) => frame.minor === device.minor);
    const mapped = [...new Set(keys.map((frame) => frame.head))];
    if (mapped.length !== device.live.size || mapped.some((frame) => !device.live.has(frame))) {
      found.push(`device ${device.minor}: its live pages are not those that are mapped`);
    }
    // Behind steps together the order of the stack is not known (model/together.ts).
    const positions = [
      ...[...device.live].filter((frame) => frame.positionKnown).map((frame) => frame.position),
      ...device.free.filter(({ known }) => known).map((f) => f.position),
    ];
    if (new Set(positions).size !== positions.length) {
      found.push(`device ${device.minor}: a page is in use twice, or free and in use`);
    }
  }
}

/** A stale pointer in a device's page table would be a use after free. */
function checkDevicePageTable(file: DeviceFile, found: string[]): void {
  for (let region = 0; region < file.pt.length; region++) {
    const entries = file.pt[region]!;
    for (let page = 0; page < entries.length; page++) {
      const entry = entries[page];
      const fault = entry && deviceEntryFault(entry, entryAt(file.mm, region, page), page);
      if (fault)
        found.push(`device ${file.minor} of p${file.mm.id}, region ${region} page ${page}: ${fault}`);
    }
  }
}

function deviceEntryFault(entry: DevicePte, mapping: Pte | null, page: number): string | undefined {
  if (!mapping || frameAt(mapping, page) !== entry.frame)
    return 'the device maps a page that the process does not';
  if (entry.atomic !== (mapping.kind === 'exclusive'))
    return `the device's entry is ${entry.atomic ? '' : 'not '}atomic`;
  return entry.write && !mapping.write ? 'the device may write what the process may not' : undefined;
}
