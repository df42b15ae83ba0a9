import type {
  Outcome,
  PageBytes,
  PageObservation,
  ProcessObservation,
  ProgramEnd,
  ProgramTranscript,
  RegionObservation,
  Rss,
  ScanRange,
  SnapshotObservation,
  StepObservation,
  TraceEvent,
} from '../../model/observation.ts';
import { ByteReader, corrupt } from './byte-reader.ts';
import { errnoName, signalName } from './linux-numbers.ts';
import { decodePageRuns } from './page-runs.ts';
import { EndKind, OutcomeKind, RegionFlag, StepFlag, TRACE_EVENTS, TranscriptFlag } from './protocol.ts';

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

  const steps = times(stepCount, (index) => decodeStep(reader, index));
  const stacks = times(stackCount, (index) => decodeText(reader, `stack ${index}`));
  const finalEvents = times(finalCount, () => decodeEvent(reader));
  reader.end('the transcript');

  return {
    steps,
    end: programEnd(endOffset, end, { process, signal: signalName(signal), step, stacks }),
    finalEvents,
    base,
    strayEvents,
    lostEvents,
    stuck: (flags & TranscriptFlag.stuck) !== 0,
  };
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

function decodeStep(reader: ByteReader, index: number): StepObservation {
  const what = `step ${index}`;
  const offset = reader.offset;
  const step = reader.u32(what);
  if (step !== index) throw corrupt(offset, `expected step ${index}, not ${step}`);
  const kind = reader.u8(`${what}: outcome`);
  const flags = reader.u8(`${what}: flags`);
  const code = reader.u16(`${what}: errno or signal`);
  const page = reader.u32(`${what}: page`);
  const dataCount = reader.u32(`${what}: amount of data`);
  const processCount = reader.u32(`${what}: number of process observations`);
  const eventCount = reader.u32(`${what}: number of events`);
  const cpages = reader.count(`${what}: cpages`);
  const faults = reader.count(`${what}: faults`);

  const data = flags & StepFlag.data ? times(dataCount, () => decodePageBytes(reader, what)) : undefined;
  const bytes = flags & StepFlag.bytes ? reader.bytes(dataCount, `${what}: bytes`) : undefined;
  const regions: RegionObservation[] = [];
  const processes = times(processCount, () => decodeProcess(reader, what, regions));
  const events = times(eventCount, () => decodeEvent(reader));
  return {
    step,
    outcome: outcome(offset, kind, code, page),
    ...(flags & StepFlag.counts ? { cpages, faults } : {}),
    ...(data ? { data } : {}),
    ...(bytes ? { bytes } : {}),
    events,
    processes,
    regions,
  };
}

function decodePageBytes(reader: ByteReader, what: string): PageBytes {
  const word = reader.u64(`${what}: first word of a page`);
  const uniform = reader.u32(`${what}: uniformity of a page`) !== 0;
  reader.u32('padding');
  return { word, uniform };
}

/** The regions of the process are added to `regions`. */
function decodeProcess(reader: ByteReader, what: string, regions: RegionObservation[]): ProcessObservation {
  const process = reader.u8(`${what}: observing process`);
  const regionCount = reader.u8(`${what}: number of regions`);
  reader.u16('padding');
  reader.u32('padding');
  const rss = decodeRss(reader, `${what}, process ${process}`);
  for (let index = 0; index < regionCount; index++) regions.push(decodeRegion(reader, what));
  return { process, rss };
}

function decodeRss(reader: ByteReader, where: string): Rss {
  const line = (name: string) => reader.u32(`${where}: ${name}`);
  return { anon: line('RssAnon'), file: line('RssFile'), shmem: line('RssShmem'), swap: line('VmSwap') };
}

function decodeRegion(reader: ByteReader, what: string): RegionObservation {
  const process = reader.u8(`${what}: observing process`);
  const region = reader.u8(`${what}: observed region`);
  const pageCount = reader.u8(`${what}: number of pages`);
  const snapshotCount = reader.u8(`${what}: number of snapshots`);
  const hugePages = reader.u16(`${what}: number of pages of a huge region`);
  const flags = reader.u16(`${what}: flags of a region`);
  const kpageMask = reader.u64(`${what}: mask of pages with kpageflags`);
  const wordsMask = reader.u64(`${what}: mask of pages with words`);
  const rangeCount = reader.u32(`${what}: number of scanned ranges`);
  reader.u32('padding');

  const where = `${what}, process ${process}, region ${region}`;
  const pages =
    hugePages > 0
      ? decodePageRuns(reader, hugePages, where)
      : decodePages(reader, pageCount, where, kpageMask, wordsMask);
  const length = hugePages || pageCount;
  const mincore = flags & RegionFlag.mincore ? reader.bytes(length, `${where}: mincore`) : undefined;
  const ranges = times(rangeCount, () => decodeRange(reader, where));
  const snapshots = times(snapshotCount, () => decodeSnapshot(reader, where));
  return {
    process,
    region,
    pages,
    ...(mincore ? { mincore } : {}),
    ...(flags & RegionFlag.scan ? { scan: ranges } : {}),
    snapshots,
  };
}

function decodePages(
  reader: ByteReader,
  count: number,
  where: string,
  kpageMask: bigint,
  wordsMask: bigint,
): PageObservation[] {
  const pages: PageObservation[] = times(count, () => ({ pagemap: reader.u64(`${where}: pagemap`) }));
  for (const page of masked(reader, pages, kpageMask)) page.kpageflags = reader.u64(`${where}: kpageflags`);
  for (const page of masked(reader, pages, kpageMask)) page.kpagecount = reader.u64(`${where}: kpagecount`);
  for (const page of masked(reader, pages, wordsMask)) {
    page.words = [reader.u64(`${where}: first word`), reader.u64(`${where}: last word`)];
  }
  return pages;
}

/** The pages whose bit is set in `mask`. */
function masked(reader: ByteReader, pages: PageObservation[], mask: bigint): PageObservation[] {
  if (mask >> BigInt(pages.length) !== 0n) {
    throw corrupt(reader.offset, `a mask names pages beyond the ${pages.length} of its region`);
  }
  return pages.filter((_, index) => (mask >> BigInt(index)) & 1n);
}

function decodeRange(reader: ByteReader, where: string): ScanRange {
  const first = reader.u16(`${where}: first page of a range`);
  const count = reader.u16(`${where}: pages of a range`);
  return { first, end: first + count, categories: reader.u32(`${where}: categories`) };
}

function decodeSnapshot(reader: ByteReader, where: string): SnapshotObservation {
  const offset = reader.offset;
  const device = reader.u8(`${where}: device of a snapshot`);
  const kind = reader.u8(`${where}: outcome of a snapshot`);
  const code = reader.u16(`${where}: errno of a snapshot`);
  const length = reader.u32(`${where}: length of a snapshot`);
  return {
    device,
    outcome: outcome(offset, kind, code, 0),
    bytes: reader.bytes(length, `${where}: snapshot`),
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
