/**
 * What must hold of every state, whatever the program (OBSERVABLES 4): checked by tests on the model, and by the
 * harness where a transcript shows as much.
 */
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
    if (tree.some((vma, index) => index > 0 && tree[index - 1]!.first > vma.first)) {
      found.push(`anon_vma ${id}: its tree is out of order`);
    }
  }
}

function checkEntries(mm: Mm, mappings: Map<Frame, Pte[]>, found: string[]): void {
  for (const [region, ptes] of mm.ptes.entries()) {
    for (const [page, pte] of ptes.entries()) {
      if (!pte) continue;
      const where = `p${mm.id} region ${region} page ${page}`;
      const vma = mm.vmas[region]!.find((candidate) => candidate.first <= page && page < candidate.end);
      if (!vma) found.push(`${where}: an entry outside of all vmas`);
      else checkEntry(where, vma, page, pte, found);
      if (pte.frame.kind === 'zero') continue;
      const others = mappings.get(pte.frame);
      if (others) others.push(pte);
      else mappings.set(pte.frame, [pte]);
    }
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
  if (pte.write && !vma.write) found.push(`${where}: writable in a vma without VM_WRITE`);
  if (frame.kind === 'zero') {
    if (pte.write) found.push(`${where}: the zero page is writable`);
  } else if (!frame.anonVma || !rmapWalk(frame, page).includes(vma)) {
    found.push(`${where}: the reverse mapping does not find this mapping`);
  }
}

function checkFrame(frame: Frame, ptes: readonly Pte[], found: string[]): void {
  const where = `frame ${frame.id}`;
  if (frame.mapcount !== ptes.length) {
    found.push(`${where}: mapcount ${frame.mapcount}, and ${ptes.length} entries map it`);
  }
  if (frame.exclusive && ptes.length > 1) found.push(`${where}: exclusive, and mapped ${ptes.length} times`);
  if (!frame.exclusive && ptes.some((pte) => pte.write)) found.push(`${where}: writable and not exclusive`);
}

function checkDevices(state: State, mappings: ReadonlyMap<Frame, Pte[]>, found: string[]): void {
  for (const device of state.devices) {
    const mapped = [...mappings.keys()].filter((frame) => frame.minor === device.minor);
    if (mapped.length !== device.live.size || mapped.some((frame) => !device.live.has(frame))) {
      found.push(`device ${device.minor}: its live pages are not those that are mapped`);
    }
    const positions = [
      ...[...device.live].map((frame) => frame.position),
      ...device.free.map((f) => f.position),
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
      const pte = file.mm.ptes[region]![page];
      const where = `device ${file.minor} of p${file.mm.id}, region ${region} page ${page}`;
      if (pte?.frame !== entry.frame)
        found.push(`${where}: the device maps a page that the process does not`);
      else if (entry.atomic !== (pte.kind === 'exclusive'))
        found.push(`${where}: the device's entry is ${entry.atomic ? '' : 'not '}atomic`);
      else if (entry.write && !pte.write)
        found.push(`${where}: the device may write what the process may not`);
    }
  }
}
