/** What the processes of a program have observed after a step (qemu/guest/protocol.h). */
import {
  type MappingObservation,
  type ProcessObservation,
  type RegionObservation,
  type RollupObservation,
  type Rss,
  type ScanRange,
  SMAPS_FIELDS,
  type SnapshotObservation,
} from '../../model/observation.ts';
import type { ProcessId, RegionId } from '../../model/program.ts';
import { type ByteReader, corrupt, times } from './byte-reader.ts';
import { outcome } from './outcome-code.ts';
import { decodePageRuns } from './page-runs.ts';
import { decodePageTable, Mask } from './page-table.ts';
import { ProcessFlag, REGION_AS_BEFORE, RegionFlag, VM_FLAGS_BYTES } from './protocol.ts';

/** The regions of the process are added to `regions`. */
export function decodeProcess(
  reader: ByteReader,
  what: string,
  regions: RegionObservation[],
  last: LastRegions,
): ProcessObservation {
  const process = reader.u8('observing process', what);
  const regionCount = reader.u8('number of regions', what);
  const flags = reader.u8('flags of a process', what);
  reader.u8('padding');
  const mappingCount = reader.u32('number of mappings', what);
  const where = `${what}, process ${process}`;
  const rss = seenOf(decodeRss(reader, where), flags);
  const smaps = times(mappingCount, () => decodeMapping(reader, where));
  const rollup = flags & ProcessFlag['has-rollup'] ? decodeRollup(reader, where) : undefined;
  for (let index = 0; index < regionCount; index++) regions.push(decodeRegion(reader, what, last));
  const seen: ProcessObservation = { process, rss };
  if (flags & ProcessFlag['has-smaps']) seen.smaps = smaps;
  if (rollup) seen.rollup = rollup;
  return seen;
}

/** The lines that were looked at. */
function seenOf({ anon, file, shmem, swap }: Rss, flags: number): Partial<Rss> {
  if (flags & ProcessFlag['without-rss']) return {};
  if (flags & ProcessFlag['anon-alone']) return { anon };
  return { anon, file, swap, ...(flags & ProcessFlag['has-shmem'] ? { shmem } : {}) };
}

function decodeMapping(reader: ByteReader, where: string): MappingObservation {
  const start = reader.u64('start of a mapping', where);
  const end = reader.u64('end of a mapping', where);
  const fields = decodeSmapsFields(reader, where);
  const line = Buffer.from(reader.bytes(VM_FLAGS_BYTES, 'VmFlags', where)).toString('latin1');
  return { start, end, fields, vmFlags: line.replace(/\0.*/s, '').trim() };
}

function decodeRollup(reader: ByteReader, where: string): RollupObservation {
  const fields = decodeSmapsFields(reader, where);
  return { fields, others: decodeSmapsFields(reader, where) };
}

function decodeSmapsFields(reader: ByteReader, where: string): number[] {
  return SMAPS_FIELDS.map((name) => reader.u32(name, where));
}

export function decodeRss(reader: ByteReader, where: string): Rss {
  return {
    anon: reader.u32('RssAnon', where),
    file: reader.u32('RssFile', where),
    shmem: reader.u32('RssShmem', where),
    swap: reader.u32('VmSwap', where),
  };
}

/** What each process has observed of each region the last time. One that is as before is the same object again. */
export class LastRegions {
  readonly #regions = new Map<number, RegionObservation>();

  get(process: ProcessId, region: RegionId): RegionObservation | undefined {
    return this.#regions.get(process * 256 + region);
  }

  set(observation: RegionObservation): void {
    this.#regions.set(observation.process * 256 + observation.region, observation);
  }
}

function decodeRegion(reader: ByteReader, what: string, last: LastRegions): RegionObservation {
  const { offset } = reader;
  const process = reader.u8('observing process', what);
  const region = reader.u8('observed region', what);
  const pageCount = reader.u8('number of pages', what);
  const snapshotCount = reader.u8('number of snapshots', what);
  const hugePages = reader.u16('number of pages of a huge region', what);
  const flags = reader.u16('flags of a region', what);
  const kpagesLow = reader.u32('mask of pages with kpageflags', what);
  const kpagesHigh = reader.u32('mask of pages with kpageflags', what);
  const wordsLow = reader.u32('mask of pages with words', what);
  const wordsHigh = reader.u32('mask of pages with words', what);
  const rangeCount = reader.u32('number of scanned ranges', what);
  reader.u32('padding');

  const where = `${what}, process ${process}, region ${region}`;
  if (flags & REGION_AS_BEFORE) {
    const before = last.get(process, region);
    if (before) return before;
    throw corrupt(offset, `${where} is said to be as before, and there is none before`);
  }
  const kpages = new Mask(kpagesLow, kpagesHigh);
  const words = new Mask(wordsLow, wordsHigh);
  const pages =
    hugePages > 0
      ? decodePageRuns(reader, hugePages, where)
      : decodePageTable(reader, pageCount, where, kpages, words);
  const length = hugePages || pageCount;
  const mincore = flags & RegionFlag.mincore ? reader.bytes(length, 'mincore', where) : undefined;
  const ranges = times(rangeCount, () => decodeRange(reader, where));
  const snapshots = times(snapshotCount, () => decodeSnapshot(reader, where));
  const observation: RegionObservation = { process, region, pages, snapshots };
  if (mincore) observation.mincore = mincore;
  if (flags & RegionFlag.scan) observation.scan = ranges;
  last.set(observation);
  return observation;
}

function decodeRange(reader: ByteReader, where: string): ScanRange {
  const first = reader.u16('first page of a range', where);
  const count = reader.u16('pages of a range', where);
  return { first, end: first + count, categories: reader.u32('categories', where) };
}

function decodeSnapshot(reader: ByteReader, where: string): SnapshotObservation {
  const offset = reader.offset;
  const device = reader.u8('device of a snapshot', where);
  const kind = reader.u8('outcome of a snapshot', where);
  const code = reader.u16('errno of a snapshot', where);
  const length = reader.u32('length of a snapshot', where);
  return {
    device,
    outcome: outcome(offset, kind, code, 0),
    bytes: reader.bytes(length, 'snapshot', where),
  };
}
