/** The pages of a program step by step, the model's beside the kernel's, as data: draw.ts and html.ts show them. */
import { MINCORE_UNMAPPED, type RegionObservation, type StepObservation } from '../../model/observation.ts';
import type { ExpectedPage, ExpectedRegion } from '../../model/observe.ts';
import type { Expected } from '../../model/outcome.ts';
import { PAGE_FLAG_BITS } from '../../model/page-flags.ts';
import { decodePagemap, type PagemapEntry } from '../../model/pagemap.ts';
import type { Program } from '../../model/program.ts';
import { SnapshotBits } from '../../model/snapshot.ts';
import type { Pte } from '../../model/state.ts';
import { type ComparableTranscript, compare } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import { describeOutcome } from '../compare/outcome.ts';
import type { Divergence } from '../compare/tally.ts';
import { printStep } from '../programs/print.ts';
import { printProcess } from '../programs/range.ts';

/** What a page is, as one or two letters; {@link SYMBOLS} explains them. */
export type PageSymbol = string;

/** Neighbouring pages that are alike. */
export interface Cell {
  first: number;
  count: number;
  model: PageSymbol;
  kernel: PageSymbol;
  /** Names of the fields that differ. */
  fields: string[];
}

/** One region of one process. */
export interface Row {
  process: string;
  region: string;
  cells: Cell[];
}

export interface Block {
  step: number;
  /** As in a program file. */
  text: string;
  result: { model: string; kernel: string };
  rows: Row[];
  /** Fields of this step that differ. */
  differs: boolean;
}

export interface Drawing {
  program: Program;
  blocks: Block[];
  /** Of the last block, or of the program's end. */
  divergences: Divergence[];
  /** The symbols that are used, with what they mean. */
  legend: [PageSymbol, string][];
}

/** `D`, `d`, `C` and `c` stand before the number of a minor. */
const SYMBOLS: Readonly<Record<string, string>> = {
  '-': 'not mapped',
  '.': 'mapped, no page yet',
  z: 'zero page',
  S: 'page in RAM, writable',
  s: 'page in RAM, read-only',
  F: 'page of a file, writable',
  f: 'page of a file, read-only',
  P: 'page in RAM, or of the coherent device with that number; whether writable is not seen',
  D: 'device-private entry, writable, of the device with that number',
  d: 'device-private entry, read-only, of the device with that number',
  C: 'page of the coherent device with that number, writable',
  c: 'page of the coherent device with that number, read-only',
  X: 'device-exclusive entry',
  '=': 'behind one of these: protected by userfaultfd',
  w: 'swap entry',
  o: 'mapped, no page here, and that of the file is in swap, which is not seen',
  m: 'migration entry',
  u: 'no page, and protected by userfaultfd',
  '?': 'another entry',
};

/**
 * Drives the model beside the transcript, as compare() does, and takes down every page after every step up to the
 * first that differs.
 *
 * @throws HazardError for a program that is not safe to run (model/safe.ts)
 */
export function drawingOf(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
): Drawing {
  const blocks: Block[] = [];
  const { divergences } = compare(program, transcript, environment, (compared) => {
    const { index, expected, regions, seen, divergences } = compared;
    const rows = regions.map((region) => {
      const other = seen.regions.find((r) => r.process === region.process && r.region === region.region);
      return rowOf(program, environment, region, other, divergences);
    });
    blocks.push({
      step: index,
      text: printStep(program.steps[index]!, program.regions),
      result: { model: resultOf(expected), kernel: resultOf(seen) },
      rows,
      differs: divergences.length > 0,
    });
  });
  const used = new Set(
    blocks.flatMap(({ rows }) =>
      rows.flatMap(({ cells }) => cells.flatMap(({ model, kernel }) => [model, kernel].flatMap(lettersOf))),
    ),
  );
  return {
    program,
    blocks,
    divergences,
    legend: Object.entries(SYMBOLS).filter(([symbol]) => used.has(symbol)),
  };
}

function resultOf({ outcome, cpages, faults, messages }: Expected | StepObservation): string {
  const counts = cpages === undefined ? '' : `, cpages ${cpages}, faults ${faults}`;
  return `${describeOutcome(outcome)}${counts}${messages ? `, userfaultfd asked ${messages} times` : ''}`;
}

function rowOf(
  { regions }: Program,
  environment: Environment,
  expected: ExpectedRegion,
  seen: RegionObservation | undefined,
  divergences: readonly Divergence[],
): Row {
  const { process, region } = expected;
  const fields = fieldsByPage(expected, seen, divergences);
  const cells: Cell[] = [];
  for (const [page, { ...one }] of expected.pages.entries()) {
    const model = modelSymbol(one);
    const cell: Cell = {
      first: page,
      count: 1,
      model,
      kernel: kernelSymbol(environment, seen, page, model),
      fields: fields.get(page) ?? [],
    };
    const last = cells.at(-1);
    if (last && areAlike(last, cell)) last.count++;
    else cells.push(cell);
  }
  return { process: printProcess(process), region: regions[region]!.name, cells };
}

function areAlike(a: Cell, b: Cell): boolean {
  return a.model === b.model && a.kernel === b.kernel && a.fields.join() === b.fields.join();
}

/** Names of the fields that differ, by page; the bytes of a snapshot are of pages too. */
function fieldsByPage(
  { process, region, snapshots }: ExpectedRegion,
  seen: RegionObservation | undefined,
  divergences: readonly Divergence[],
): Map<number, string[]> {
  const fields = new Map<number, string[]>();
  const add = (page: number, field: string) => {
    const list = fields.get(page) ?? [];
    if (!list.includes(field)) fields.set(page, [...list, field]);
  };
  for (const { field, ...place } of divergences) {
    // A trace event has no process: it is every process's that maps the page.
    if (place.region !== region || (place.process ?? process) !== process || place.page === undefined)
      continue;
    add(place.page, field);
  }
  for (const { device, bytes } of snapshots) {
    const other = seen?.snapshots.find((snapshot) => snapshot.device === device);
    if (other?.outcome.kind !== 'ok') continue;
    for (const [page, byte] of bytes.entries()) if (other.bytes[page] !== byte) add(page, 'snapshot.bytes');
  }
  return fields;
}

const PROTECTED = '=';

/** What of a symbol the legend explains. */
function lettersOf(symbol: PageSymbol): string[] {
  return [symbol[0]!, ...(symbol.endsWith(PROTECTED) ? [PROTECTED] : [])];
}

function modelSymbol({ pte, categories, fileInSwap }: ExpectedPage): PageSymbol {
  if (pte === null) return categories === undefined ? '-' : fileInSwap ? 'o' : '.';
  return `${entrySymbol(pte)}${pte.uffdWp ? PROTECTED : ''}`;
}

function entrySymbol(pte: Pte): PageSymbol {
  switch (pte.kind) {
    case 'present':
      if (pte.frame.file) return pte.write ? 'F' : 'f';
      if (pte.frame.kind === 'coherent') return `${pte.write ? 'C' : 'c'}${pte.frame.minor}`;
      return pte.frame.kind === 'zero' ? 'z' : pte.write ? 'S' : 's';
    case 'device':
      return `${pte.write ? 'D' : 'd'}${pte.frame.minor}`;
    case 'exclusive':
      return 'X';
    case 'swap':
      return 'w';
    case 'migration':
      return 'm';
    case 'marker':
      return 'u';
  }
}

/** Whether a present page is writable, only a snapshot shows; without one the model is not contradicted. */
function kernelSymbol(
  environment: Environment,
  seen: RegionObservation | undefined,
  page: number,
  model: PageSymbol,
): PageSymbol {
  const observed = seen?.pages.at(page);
  if (!observed) return '?';
  const entry = decodePagemap(environment.profile, observed.pagemap);
  return `${seenSymbol(environment, seen, page, entry, model)}${entry.uffd ? PROTECTED : ''}`;
}

function seenSymbol(
  environment: Environment,
  seen: RegionObservation | undefined,
  page: number,
  { kind, frame, file }: PagemapEntry,
  model: PageSymbol,
): PageSymbol {
  switch (kind) {
    case 'none':
      if (seen?.mincore?.[page] === MINCORE_UNMAPPED) return '-';
      return model === 'o' && seen?.mincore?.[page] === 0 ? 'o' : '.';
    case 'present':
      return presentSymbol(environment, seen, page, model, file);
    case 'device-write':
    case 'device-read': {
      const chunk = environment.chunks.find(({ first, end }) => first <= frame && frame < end);
      return `${kind === 'device-write' ? 'D' : 'd'}${chunk?.minor ?? '?'}`;
    }
    case 'device-exclusive':
      return 'X';
    case 'marker':
      return 'u';
    case 'swap':
      return 'w';
    default:
      return kind.includes('migration') ? 'm' : '?';
  }
}

function presentSymbol(
  { profile, coherentChunks }: Environment,
  seen: RegionObservation | undefined,
  page: number,
  model: PageSymbol,
  file: boolean,
): PageSymbol {
  const { kpageflags = 0n, pagemap } = seen!.pages.at(page)!;
  if ((kpageflags >> BigInt(PAGE_FLAG_BITS.ZERO_PAGE)) & 1n) return 'z';
  const { frame } = decodePagemap(profile, pagemap);
  const minor = coherentChunks.find(({ first, end }) => first <= frame && frame < end)?.minor;
  const writable = snapshotWritable(seen, page) ?? (/^[SFC]/i.test(model) ? /^[SFC]/.test(model) : undefined);
  if (writable === undefined) return `P${minor ?? ''}`;
  if (minor !== undefined) return `${writable ? 'C' : 'c'}${minor}`;
  if (file) return writable ? 'F' : 'f';
  return writable ? 'S' : 's';
}

function snapshotWritable(seen: RegionObservation | undefined, page: number): boolean | undefined {
  const bytes = seen?.snapshots.find(({ outcome }) => outcome.kind === 'ok')?.bytes;
  const byte = bytes?.[page];
  if (byte === undefined || byte === SnapshotBits.error) return undefined;
  if (byte & SnapshotBits.write) return true;
  return byte & SnapshotBits.read ? false : undefined;
}
