/**
 * What must hold of every state, whatever the program (OBSERVABLES 4): checked by tests on the model, and by the
 * harness where a transcript shows as much.
 */
import { fileIndex, linearIndex } from './page-index.ts';
import { entryAt, frameAt } from './page-table.ts';
import { PMD_PAGES, type RegionId } from './program.ts';
import { rmapWalk } from './rmap.ts';
import type { AnonVma, DeviceFile, Frame, Mm, Pte, State, Vma } from './state.ts';

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
  for (const [region, ptes] of mm.ptes.entries()) {
    for (const [page, pte] of ptes.entries()) {
      if (!pte) continue;
      const where = `p${mm.id} region ${region} page ${page}`;
      if (pte.huge) found.push(`${where}: a PMD among PTEs`);
      const vma = mm.vmas[region]!.find((candidate) => candidate.first <= page && page < candidate.end);
      if (!vma) found.push(`${where}: an entry outside of all vmas`);
      else checkEntry(where, vma, page, pte, found);
      note(mappings, pte);
    }
    checkPmds(mm, region, mappings, found);
  }
}

function note(mappings: Map<Frame, Pte[]>, entry: Pte): void {
  if (entry.frame.kind === 'zero' || entry.frame.kind === 'none') return;
  const others = mappings.get(entry.frame);
  if (others) others.push(entry);
  else mappings.set(entry.frame, [entry]);
}

function checkPmds(mm: Mm, region: RegionId, mappings: Map<Frame, Pte[]>, found: string[]): void {
  for (const [index, pmd] of mm.pmds[region]!.entries()) {
    const first = index * PMD_PAGES;
    const where = `p${mm.id} region ${region} PMD ${index}`;
    const vma = mm.vmas[region]!.find(
      (candidate) => candidate.first < first + PMD_PAGES && first < candidate.end,
    );
    if (pmd !== null && !vma) found.push(`${where}: a table or an entry that no vma needs`);
    if (pmd !== 'table' && mm.ptes[region]!.slice(first, first + PMD_PAGES).some((pte) => pte !== null)) {
      found.push(`${where}: PTEs without a table`);
    }
    if (pmd === null || pmd === 'table' || !vma) continue;
    if (!pmd.huge || pmd.frame.pages?.length !== PMD_PAGES) found.push(`${where}: does not map a folio`);
    if (vma.first > first || vma.end < first + PMD_PAGES) found.push(`${where}: maps more than its vma has`);
    checkEntry(where, vma, first, pmd, found);
    note(mappings, pmd);
  }
}

function checkEntry(where: string, vma: Vma, page: number, pte: Pte, found: string[]): void {
  const { frame } = pte;
  if (pte.kind === 'migration') found.push(`${where}: a migration entry at rest`);
  if (pte.kind === 'exclusive' && !frame.exclusive)
    found.push(`${where}: device-exclusive, and not exclusive`);
  if ((pte.kind === 'device') !== (frame.kind === 'device')) {
    found.push(`${where}: a ${pte.kind} entry of a ${frame.kind} page`);
  }
  if (pte.write && frame.file && !vma.shared)
    found.push(`${where}: a page of a file, writable in a private mapping`);
  if (pte.kind === 'swap' || frame.kind === 'swap') {
    checkSwapEntry(where, pte, found);
    return;
  }
  if (pte.write && !vma.write) found.push(`${where}: writable in a vma without VM_WRITE`);
  if (pte.uffdWp && !vma.uffdWp)
    found.push(`${where}: protected by userfaultfd in a vma that is not registered for it`);
  if (pte.uffdWp && pte.write) found.push(`${where}: protected by userfaultfd, and writable`);
  if ((pte.kind === 'marker') !== (frame.kind === 'none'))
    found.push(`${where}: a ${pte.kind} entry of no page`);
  if (frame.kind === 'none') return;
  if (frame.kind === 'zero') {
    if (pte.write) found.push(`${where}: the zero page is writable`);
  } else if (frame.ksm) {
    if (pte.write) found.push(`${where}: a page of KSM is writable`);
  } else if (
    (!frame.head.anonVma && !frame.file) ||
    !rmapWalk(frame.head).some((visit) => visit.vma === vma)
  ) {
    found.push(`${where}: the reverse mapping does not find this mapping`);
  } else if (indexOf(vma, page, frame) !== frame.head.index + frame.offset) {
    found.push(`${where}: the index of the page is not that of its place`);
  }
}

function indexOf(vma: Vma, page: number, frame: Frame): number {
  return frame.file ? fileIndex(vma, page) : linearIndex(vma, page);
}

function checkSwapEntry(where: string, { kind, frame, readExclusive }: Pte, found: string[]): void {
  if (kind !== 'swap' || frame.kind !== 'swap')
    found.push(`${where}: a ${kind} entry of a ${frame.kind} page`);
  if (readExclusive && frame.mapcount > 1) {
    found.push(`${where}: an exclusive swap entry, one of ${frame.mapcount}`);
  }
  if (readExclusive && frame.cached)
    found.push(`${where}: an exclusive swap entry of a page in the swap cache`);
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
  for (const [region, entries] of file.pt.entries()) {
    for (const [page, entry] of entries.entries()) {
      if (!entry) continue;
      const mapping = entryAt(file.mm, region, page);
      const where = `device ${file.minor} of p${file.mm.id}, region ${region} page ${page}`;
      if (!mapping || frameAt(mapping, page) !== entry.frame)
        found.push(`${where}: the device maps a page that the process does not`);
      else if (entry.atomic !== (mapping.kind === 'exclusive'))
        found.push(`${where}: the device's entry is ${entry.atomic ? '' : 'not '}atomic`);
      else if (entry.write && !mapping.write)
        found.push(`${where}: the device may write what the process may not`);
    }
  }
}
