import { GAUGES, type Gauges } from '../../model/meminfo.ts';
import type {
  PageBytes,
  PartObservation,
  ProgramEnd,
  ProgramTranscript,
  RegionObservation,
  StepObservation,
  TraceEvent,
} from '../../model/observation.ts';
import { VM_EVENT_NAMES, type VmEvents } from '../../model/vm-events.ts';
import { ByteReader, corrupt, times } from './byte-reader.ts';
import { signalName } from './linux-numbers.ts';
import { outcome } from './outcome-code.ts';
import { EndKind, NO_GAUGE, NO_VM_EVENT, StepFlag, TRACE_EVENTS, TranscriptFlag } from './protocol.ts';
import { decodeProcess, decodeRss, LastRegions } from './transcript-processes.ts';

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
  // They come in the order in which they had their turns (model/observe.ts, observers).
  processes.sort((a, b) => a.process - b.process);
  regions.sort((a, b) => a.process - b.process);
  const meminfo = flags & StepFlag.meminfo ? decodeGauges(reader, what) : undefined;
  const events = times(eventCount, () => decodeEvent(reader));
  const seen: StepObservation = {
    step,
    outcome: outcome(offset, kind, code, page),
    messages,
    events,
    processes,
    regions,
  };
  if (flags & StepFlag.counts) {
    seen.cpages = cpages;
    seen.faults = faults;
  }
  if (data) seen.data = data;
  if (bytes) seen.bytes = bytes;
  if (parts) seen.parts = parts;
  if (meminfo) seen.meminfo = meminfo;
  return seen;
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
