/** States that nothing can tell apart have the same key. */
import type { AnonVma, DeviceFile, Frame, Mm, Pte, State, Vma } from './state.ts';

/**
 * Text that is the same for states that differ in the numbers of their frames and anon_vmas only.
 *
 * @param known frames that somebody outside of the state knows, and so can tell from others
 */
export function stateKey(state: State, known: ReadonlySet<Frame>): string {
  const numbers = new Map<object, number>();
  const found: object[] = [];
  /** A number for each object, in the order in which they are met. */
  const numberOf = (thing: object | null): number => {
    if (thing === null) return -1;
    let number = numbers.get(thing);
    if (number === undefined) {
      // Not by its place: which of two pages is the known one makes a difference.
      number = known.has(thing as Frame) ? -2 - (thing as Frame).id : found.length;
      numbers.set(thing, number);
      found.push(thing);
    }
    return number;
  };
  numberOf(state.zero);

  const vmaOf = (vma: Vma) => [
    numberOf(vma),
    vma.first,
    vma.end,
    vma.pgoff,
    vma.read,
    vma.write,
    vma.account,
    vma.locked,
    vma.softDirty,
    vma.thp,
    vma.uffdMissing,
    vma.uffdWp,
    vma.mergeable,
    numberOf(vma.anonVma),
    vma.chain.map(numberOf),
  ];
  const pteOf = (pte: Pte | null) =>
    pte && [
      pte.kind,
      numberOf(pte.frame),
      pte.write,
      pte.readExclusive,
      pte.young,
      pte.dirty,
      pte.softDirty,
      pte.uffdWp,
    ];
  const fileOf = (file: DeviceFile) => [
    numberOf(file),
    file.minor,
    file.references,
    file.failAlloc,
    file.mm.id,
    file.pt.map((table) => table.map((entry) => entry && [numberOf(entry.frame), entry.write, entry.atomic])),
  ];
  const mmOf = (mm: Mm) => [
    mm.vmas.map((list) => list.map(vmaOf)),
    mm.ptes.map((table) => table.map(pteOf)),
    mm.pmds.map((list) => list.map((pmd) => (pmd === null || pmd === 'table' ? pmd : pteOf(pmd)))),
    mm.mirrors.map(fileOf),
  ];
  const processes = state.processes.map(
    (process) =>
      process && [
        mmOf(process.mm),
        process.devices.map((descriptor) => descriptor && [numberOf(descriptor.file), descriptor.own]),
        process.pins?.map(numberOf),
      ],
  );
  const frames = found.flatMap((thing) => ('mapcount' in thing ? [frameOf(thing as Frame, numberOf)] : []));
  const trees = found.flatMap((thing) => ('tree' in thing ? [treeOf(thing as AnonVma, numberOf)] : []));
  const devices = state.devices.map(({ free, live }) => [free.length, live.size]);
  return JSON.stringify([processes, frames, trees, devices]);
}

function frameOf(frame: Frame, numberOf: (thing: object | null) => number) {
  const { kind, minor, word, mapcount, exclusive, dirty, referenced, swapBacked, active, onLru } = frame;
  return [
    ...[kind, minor, word, mapcount, exclusive, dirty, referenced, swapBacked, active, onLru].map(String),
    frame.pinned,
    frame.ksm,
    frame.index,
    frame.mlocked,
    frame.unevictable,
    frame.mlockCount,
    numberOf(frame.anonVma),
    numberOf(frame.migrator),
    numberOf(frame.cached),
  ];
}

/** numChildren and numActiveVmas count what the trees and parents show. */
function treeOf(anonVma: AnonVma, numberOf: (thing: object | null) => number) {
  return [
    numberOf(anonVma.parent),
    numberOf(anonVma.root),
    anonVma.tree.map(numberOf),
    anonVma.numChildren,
    anonVma.numActiveVmas,
  ];
}
