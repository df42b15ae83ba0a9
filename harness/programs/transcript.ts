import { GAUGES, type Gauges } from '../../model/meminfo.ts';
import type {
  MappingObservation,
  Outcome,
  PageBytes,
  PartObservation,
  ProcessObservation,
  ProgramEnd,
  ProgramTranscript,
  RegionObservation,
  RollupObservation,
  Rss,
  ScanRange,
  SnapshotObservation,
  StepObservation,
  TraceEvent,
} from '../../model/observation.ts';
import { SMAPS_FIELDS } from '../../model/observation.ts';
import type { ProcessId, RegionId } from '../../model/program.ts';
import { VM_EVENT_NAMES, type VmEvents } from '../../model/vm-events.ts';
import { ByteReader, corrupt } from './byte-reader.ts';
import { errnoName, signalName } from './linux-numbers.ts';
import { decodePageRuns } from './page-runs.ts';
import { decodePageTable, Mask } from './page-table.ts';
import {
  EndKind,
  NO_GAUGE,
  NO_VM_EVENT,
  OutcomeKind,
  ProcessFlag,
  REGION_AS_BEFORE,
  RegionFlag,
  StepFlag,
  TRACE_EVENTS,
  TranscriptFlag,
  VM_FLAGS_BYTES,
} from './protocol.ts';

/** A transcript as the agent recorded it: with what says how far to trust it. */
export interface RecordedTranscript extends ProgramTranscript {
  /** Trace events at addresses outside of all regions, which the agent does not ship. */
  strayEvents: number;
  /** Trace events that were dropped because there were too many. */
  lostEvents: number;
  /** Some process could not be killed: the guest is to be thrown away. */
  stuck: boolean;
}

/** Decodes the payload of a TRANSCRIPT frame that starts at `offset` of its stream. */
export function decodeTranscript(payload: Buffer, offset: number): RecordedTranscript {
  const reader = new ByteReader(payload, offset);
  const endOffset = reader.offset;
  const end = reader.u32('the kind of end');
  const flags = reader.u32('transcript flags');
  const process = reader.u32('the crashed process');
  const signal = reader.u32('its signal');
  const step = reader.u32('the last step');
  const stepCount = reader.u32('the number of steps');
  const strayEvents = reader.u32('the number of stray events');
  const lostEvents = reader.u32('the number of lost events');
  const stackCount = reader.u32('the number of stacks');
  const finalCount = reader.u32('the number of final events');
  const base = decodeRss(reader, 'the base');

  const regions = new LastRegions();
  const steps = times(stepCount, (index) => decodeStep(reader, index, regions));
  const stacks = times(stackCount, (index) => decodeText(reader, `stack ${index}`));
  const finalEvents = times(finalCount, () => decodeEvent(reader));
  const vmEvents = flags & TranscriptFlag['vm-events'] ? decodeVmEvents(reader) : undefined;
  const meminfo = flags & TranscriptFlag.meminfo ? decodeGauges(reader, 'the end') : undefined;
  reader.end('the transcript');

  return {
    steps,
    end: programEnd(endOffset, end, { process, signal: signalName(signal), step, stacks }),
    finalEvents,
    base,
    ...(vmEvents && { vmEvents }),
    ...(meminfo && { meminfo }),
    strayEvents,
    lostEvents,
    stuck: (flags & TranscriptFlag.stuck) !== 0,
  };
}

/** Those that the kernel has, in the order of {@link VM_EVENT_NAMES}. */
function decodeVmEvents(reader: ByteReader): Partial<VmEvents> {
  const all = VM_EVENT_NAMES.map((name) => [name, reader.u64(`vmstat ${name}`)] as const);
  return Object.fromEntries(
    all.filter(([, value]) => value !== NO_VM_EVENT).map(([n, value]) => [n, Number(value)]),
  );
}

/** Those that the kernel has, in the order of {@link GAUGES}. */
function decodeGauges(reader: ByteReader, what: string): Partial<Gauges> {
  const all = GAUGES.map((name) => [name, reader.i32(name, what)] as const);
  if (GAUGES.length % 2 === 1) reader.u32('padding');
  return Object.fromEntries(all.filter(([, value]) => value !== NO_GAUGE));
}

function times<T>(count: number, make: (index: number) => T): T[] {
  // Not Array.from({ length: count }): a corrupt count must run into the end of the frame, not out of memory.
  const made: T[] = [];
  for (let index = 0; index < count; index++) made.push(make(index));
  return made;
}

function programEnd(
  offset: number,
  kind: number,
  facts: { process: number; signal: string; step: number; stacks: string[] },
): ProgramEnd {
  const { process, signal, step, stacks } = facts;
  if (kind === EndKind.done) return { kind: 'done' };
  if (kind === EndKind.crashed) return { kind: 'crashed', process, signal, step };
  if (kind === EndKind.hung) return { kind: 'hung', step, stacks };
  throw corrupt(offset, `expected a kind of end (0..2), not ${kind}`);
}

function outcome(offset: number, kind: number, code: number, page: number): Outcome {
  if (kind === OutcomeKind.ok) return { kind: 'ok' };
  if (kind === OutcomeKind.errno) return { kind: 'errno', errno: errnoName(code) };
  if (kind === OutcomeKind.signal) return { kind: 'signal', signal: signalName(code), page };
  throw corrupt(offset, `expected a kind of outcome (0..2), not ${kind}`);
}

function decodeText(reader: ByteReader, what: string): string {
  const length = reader.count(`the length of ${what}`);
  return Buffer.from(reader.bytes(length, what)).toString('utf8');
}

function decodeStep(reader: ByteReader, index: number, last: LastRegions): StepObservation {
  const what = `step ${index}`;
  const offset = reader.offset;
  const step = reader.u32(what);
  if (step !== index) throw corrupt(offset, `expected step ${index}, not ${step}`);
  const kind = reader.u8('outcome', what);
  const flags = reader.u8('flags', what);
  const code = reader.u16('errno or signal', what);
  const page = reader.u32('page', what);
  const dataCount = reader.u16('amount of data', what);
  const messages = reader.u16('messages of userfaultfds', what);
  const processCount = reader.u32('number of process observations', what);
  const eventCount = reader.u32('number of events', what);
  const cpages = reader.count('cpages', what);
  const faults = reader.count('faults', what);

  const data = flags & StepFlag.data ? times(dataCount, () => decodePageBytes(reader, what)) : undefined;
  const bytes = flags & StepFlag.bytes ? reader.bytes(dataCount, 'bytes', what) : undefined;
  const parts =
    flags & StepFlag.parts ? times(dataCount, (part) => decodePart(reader, what, part)) : undefined;
  const regions: RegionObservation[] = [];
  const processes = times(processCount, () => decodeProcess(reader, what, regions, last));
  const meminfo = flags & StepFlag.meminfo ? decodeGauges(reader, what) : undefined;
  const events = times(eventCount, () => decodeEvent(reader));
  return {
    step,
    outcome: outcome(offset, kind, code, page),
    ...(flags & StepFlag.counts ? { cpages, faults } : {}),
    ...(data ? { data } : {}),
    ...(bytes ? { bytes } : {}),
    ...(parts ? { parts } : {}),
    messages,
    events,
    processes,
    ...(meminfo ? { meminfo } : {}),
    regions,
  };
}

function decodePart(reader: ByteReader, step: string, index: number): PartObservation {
  const what = `${step}, part ${index}`;
  const offset = reader.offset;
  const number = reader.u32(what);
  if (number !== index) throw corrupt(offset, `expected part ${index}, not ${number}`);
  const kind = reader.u8('outcome', what);
  const flags = reader.u8('flags', what);
  const code = reader.u16('errno or signal', what);
  const page = reader.u32('page', what);
  const dataCount = reader.u16('amount of data', what);
  reader.u16('messages of a part', what);
  const lost = reader.u32('lost writes', what);
  const rounds = reader.u32('rounds', what);
  const cpages = reader.count('cpages', what);
  const faults = reader.count('faults', what);
  return {
    outcome: outcome(offset, kind, code, page),
    ...(flags & StepFlag.counts ? { cpages, faults } : {}),
    ...(flags & StepFlag.data ? { data: times(dataCount, () => decodePageBytes(reader, what)) } : {}),
    rounds,
    lost,
  };
}

function decodePageBytes(reader: ByteReader, what: string): PageBytes {
  const word = reader.u64('first word of a page', what);
  const uniform = reader.u32('uniformity of a page', what) !== 0;
  reader.u32('padding');
  return { word, uniform };
}

/** The regions of the process are added to `regions`. */
function decodeProcess(
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
  const { anon, file, shmem, swap } = decodeRss(reader, where);
  const rss =
    flags & ProcessFlag['anon-alone']
      ? { anon }
      : { anon, file, swap, ...(flags & ProcessFlag['has-shmem'] ? { shmem } : {}) };
  const smaps = times(mappingCount, () => decodeMapping(reader, where));
  const rollup = flags & ProcessFlag['has-rollup'] ? decodeRollup(reader, where) : undefined;
  for (let index = 0; index < regionCount; index++) regions.push(decodeRegion(reader, what, last));
  return {
    process,
    rss,
    ...(flags & ProcessFlag['has-smaps'] ? { smaps } : {}),
    ...(rollup ? { rollup } : {}),
  };
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

function decodeRss(reader: ByteReader, where: string): Rss {
  const line = (name: string) => reader.u32(name, where);
  return { anon: line('RssAnon'), file: line('RssFile'), shmem: line('RssShmem'), swap: line('VmSwap') };
}

/** What each process has observed of each region the last time. One that is as before is the same object again. */
class LastRegions {
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
  const kpages = decodeMask(reader, 'mask of pages with kpageflags', what);
  const words = decodeMask(reader, 'mask of pages with words', what);
  const rangeCount = reader.u32('number of scanned ranges', what);
  reader.u32('padding');

  const where = `${what}, process ${process}, region ${region}`;
  if (flags & REGION_AS_BEFORE) {
    const before = last.get(process, region);
    if (before) return before;
    throw corrupt(offset, `${where} is said to be as before, and there is none before`);
  }
  const pages =
    hugePages > 0
      ? decodePageRuns(reader, hugePages, where)
      : decodePageTable(reader, pageCount, where, kpages, words);
  const length = hugePages || pageCount;
  const mincore = flags & RegionFlag.mincore ? reader.bytes(length, 'mincore', where) : undefined;
  const ranges = times(rangeCount, () => decodeRange(reader, where));
  const snapshots = times(snapshotCount, () => decodeSnapshot(reader, where));
  const observation = {
    process,
    region,
    pages,
    ...(mincore ? { mincore } : {}),
    ...(flags & RegionFlag.scan ? { scan: ranges } : {}),
    snapshots,
  };
  last.set(observation);
  return observation;
}

function decodeMask(reader: ByteReader, what: string, where: string): Mask {
  const low = reader.u32(what, where);
  return new Mask(low, reader.u32(what, where));
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

function decodeEvent(reader: ByteReader): TraceEvent {
  const offset = reader.offset;
  const addr = reader.u64('an event');
  const entry = reader.u64('entry of an event');
  const number = reader.u32('name of an event');
  const order = reader.i32('order of an event');
  const name = TRACE_EVENTS[number];
  if (name === undefined)
    throw corrupt(offset, `expected a trace event (1..${TRACE_EVENTS.length - 1}), not ${number}`);
  return { name, addr, entry, order };
}
