/**
 * What a step showed, and what the model says of it, as texts that are equal where two kernels behave alike: page
 * numbers, types of swap entries and whatever else a design or an architecture chooses are mapped away.
 */
import { apply, applyEnd, type StepExpectation } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import type { ProgramTranscript, StepObservation } from '../../model/observation.ts';
import {
  markObserved,
  observationFaults,
  observe,
  observeProcesses,
  observers,
} from '../../model/observe.ts';
import { PAGE_FLAG_BITS, type PageFlag } from '../../model/page-flags.ts';
import { SCAN_CATEGORIES } from '../../model/page-scan.ts';
import { decodePagemap, decodePte, type PagemapEntry, type TraceEntry } from '../../model/pagemap.ts';
import type { Profile } from '../../model/profile.ts';
import { type Program, pageAddress, type Step } from '../../model/program.ts';
import type { ExpectedEvent, State } from '../../model/state.ts';
import { faultCode, traceKind } from '../compare/events.ts';
import { describeBytes, describeOutcome } from '../compare/outcome.ts';
import { pagemapKind } from '../compare/pagemap.ts';

/** The observations of a step, by where they come from; what an architecture may lack has views of its own. */
export const VIEWS = [
  'result',
  'status',
  'pagemap',
  'soft-dirty',
  'kpageflags',
  'content',
  'scan',
  'snapshot',
  'trace',
  'faults',
] as const;
export type View = (typeof VIEWS)[number];
export type Views = Record<View, string>;

/** Flags that depend on when the kernel drains its batches, or on what a page was before (model/page-flags.ts). */
const UNSETTLED: readonly PageFlag[] = ['LRU', 'ACTIVE', 'REFERENCED', 'DIRTY', 'SWAPBACKED'];
const SETTLED_MASK = ~maskOf(UNSETTLED);

/** The steps of a run, and as the last one its end. */
export function* seenViews(
  profile: Profile,
  program: Program,
  transcript: ProgramTranscript,
): Generator<Views> {
  const { base, end } = transcript;
  for (const [index, step] of transcript.steps.entries()) {
    yield {
      result: resultText({
        ...step,
        data: step.data?.map(({ word, uniform }) => (uniform ? word : 'mixed')),
      }),
      status: lines(step.processes, ({ process, rss }) =>
        // They are looked at, or not, at the same steps on all lanes.
        rssText(process, (rss.anon ?? base.anon) - base.anon, (rss.swap ?? base.swap) - base.swap),
      ),
      ...viewsOf(
        seenRegions(profile, step),
        eventsOf(program.steps[index], seenEvents(profile, step.events)),
      ),
    };
  }
  const last = viewsOf([], eventsOf(undefined, seenEvents(profile, transcript.finalEvents)));
  yield { result: end.kind, status: '', ...last };
}

/** The same of the model, which takes every freedom that it has the same way. */
export function* expectedViews(program: Program, profile: Profile): Generator<Views> {
  const state = initialState(profile, program.regions);
  for (const [index, step] of program.steps.entries()) {
    const expected = apply(state, step, index);
    const events = [...expected.events, ...observationFaults(state, observers(state, program.steps, index))];
    yield {
      result: resultText({ ...expected, data: expected.data?.map(BigInt) }),
      status: lines(observeProcesses(state), ({ process, rss }) => rssText(process, rss.anon, rss.swap)),
      ...viewsOf(expectedRegions(state), eventsOf(step, expectedEvents(state, events))),
    };
    markObserved(state);
  }
  const last = eventsOf(undefined, expectedEvents(state, applyEnd(state)));
  yield { result: 'done', status: '', ...viewsOf([], last) };
}

function lines<T>(list: readonly T[], text: (item: T) => string): string {
  return list.map(text).join('\n');
}

type Result = Pick<StepExpectation, 'outcome' | 'cpages' | 'faults' | 'messages' | 'bytes'> & {
  data?: readonly (bigint | string)[] | undefined;
};

function resultText({ outcome, cpages, faults, messages, data, bytes }: Result): string {
  const parts = [describeOutcome(outcome), `cpages ${cpages}`, `faults ${faults}`, `messages ${messages}`];
  if (data) parts.push(`data ${data.join(' ')}`);
  if (bytes) parts.push(`bytes ${describeBytes(bytes)}`);
  return parts.join(', ');
}

function rssText(process: number, anon: number, swap: number): string {
  return `p${process}: anon ${anon} KiB, swap ${swap} KiB`;
}

/** A page of either side. */
interface PageView {
  kind: PagemapEntry['kind'];
  softDirty: boolean;
  exclusive: boolean;
  file: boolean;
  /** Tells pages apart; undefined where there is none. */
  frame: unknown;
  /** Of the settled flags. */
  flags: bigint | undefined;
  count: bigint | undefined;
  word: bigint | string | undefined;
  mincore: number | undefined;
  categories: number | undefined;
}

interface RegionView {
  where: string;
  pages: PageView[];
  snapshots: { device: number; text: string }[];
}

function seenRegions(profile: Profile, step: StepObservation): RegionView[] {
  return step.regions.map(({ process, region, pages, mincore, scan = [], snapshots }) => ({
    where: `p${process} region ${region}`,
    pages: Array.from({ length: pages.length }, (_, index) => {
      const { pagemap, kpageflags, kpagecount, words } = pages.at(index)!;
      const { kind, softDirty, exclusive, file, frame } = decodePagemap(profile, pagemap);
      return {
        kind,
        softDirty,
        exclusive,
        file,
        frame: frameKey(kind, frame),
        flags: kpageflags === undefined ? undefined : kpageflags & SETTLED_MASK,
        count: kpagecount,
        word: words && (words[0] === words[1] ? words[0] : 'mixed'),
        mincore: mincore?.[index],
        categories: scan.find(({ first, end }) => first <= index && index < end)?.categories,
      };
    }),
    snapshots: snapshots.map(({ device, outcome, bytes }) => ({
      device,
      text: outcome.kind === 'ok' ? describeBytes(bytes) : describeOutcome(outcome),
    })),
  }));
}

function frameKey(kind: PagemapEntry['kind'], frame: bigint): string | undefined {
  if (kind === 'none') return undefined;
  // Offsets and PFNs may be equal.
  if (kind === 'swap') return `swap ${frame}`;
  return `${kind === 'device-read' || kind === 'device-write' ? 'device' : 'ram'} ${frame}`;
}

function expectedRegions(state: State): RegionView[] {
  return observe(state).map(({ process, region, pages, snapshots }) => ({
    where: `p${process} region ${region}`,
    pages: pages.map(
      ({ pte, softDirty, exclusive, file, frame, flags, count, word, mincore, categories }) => ({
        kind: pagemapKind(pte),
        softDirty,
        exclusive,
        file: file === true,
        frame: frame ?? undefined,
        flags: flags && maskOf(flags.set) & SETTLED_MASK,
        count: count === undefined ? undefined : BigInt(count),
        word: word === undefined ? undefined : BigInt(word),
        mincore,
        categories,
      }),
    ),
    snapshots: snapshots.map(({ device, bytes }) => ({ device, text: describeBytes(bytes) })),
  }));
}

function maskOf(flags: readonly PageFlag[]): bigint {
  return flags.reduce((mask, flag) => mask | (1n << BigInt(PAGE_FLAG_BITS[flag])), 0n);
}

const EVICTING: readonly Step['op'][] = ['close', 'exit', 'release'];

/**
 * A device's pages are evicted in the order of their numbers (migrate_device_range), which follow from the stack of free
 * pages that the programs before have left: there, and at the end of the program, events have no order.
 */
function eventsOf(step: Step | undefined, events: EventView[]): EventView[] {
  if (step && !EVICTING.includes(step.op)) return events;
  const key = ({ text, softDirty }: EventView) => `${text} ${softDirty}`;
  return events.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}

/** An event of either side; its soft-dirty bit stands in a view of its own. */
interface EventView {
  fault: boolean;
  softDirty: boolean;
  text: string;
}

function seenEvents(profile: Profile, events: StepObservation['events']): EventView[] {
  return events.map(({ name, addr, entry, order }) =>
    name === 'page_fault_user'
      ? faultView(addr, entry)
      : migrationView(name, addr, order, decodePte(profile, entry)),
  );
}

function expectedEvents(state: State, events: readonly ExpectedEvent[]): EventView[] {
  return events.map((event) => {
    const addr = BigInt(pageAddress(event.region, event.page, state.regions[event.region]));
    if (event.name === 'page_fault_user') return faultView(addr, faultCode(event));
    const { entry, order, inaccessible } = event;
    return migrationView(event.name, addr, order, {
      kind: traceKind(state.profile.design, entry),
      write: entry.kind === 'present' && entry.write,
      accessible: !inaccessible,
      young: entry.young,
      dirty: entry.dirty,
      softDirty: state.profile.softDirty && entry.softDirty,
    });
  });
}

type EntryView = Pick<TraceEntry, 'kind' | 'write' | 'accessible' | 'young' | 'dirty' | 'softDirty'>;

function migrationView(name: string, addr: bigint, order: number, entry: EntryView): EventView {
  // Design `offset` has types of its own for the migration entries of device pages.
  const kind = entry.kind.replace(/^device-migration/, 'migration');
  const bits = (['write', 'accessible', 'young', 'dirty'] as const).filter((bit) => entry[bit]);
  const text = `${name} 0x${addr.toString(16)} order ${order} ${kind} ${bits.join(' ')}`;
  return { fault: false, softDirty: entry.softDirty, text };
}

function faultView(addr: bigint, code: bigint): EventView {
  const text = `page_fault_user 0x${addr.toString(16)} code 0x${code.toString(16)}`;
  return { fault: true, softDirty: false, text };
}

/** A line for each region or event; pages are numbered in the order in which the step shows them first. */
function viewsOf(
  regions: readonly RegionView[],
  events: readonly EventView[],
): Omit<Views, 'result' | 'status'> {
  const labels = new Map<unknown, number>();
  const label = (frame: unknown) => {
    if (frame === undefined) return '';
    if (!labels.has(frame)) labels.set(frame, labels.size);
    return `#${labels.get(frame)}`;
  };
  const perPage = (text: (page: PageView) => string) =>
    lines(regions, ({ where, pages }) => `${where}: ${pages.map(text).join(' ')}`);
  const { SOFT_DIRTY } = SCAN_CATEGORIES;
  const migrations = events.filter(({ fault }) => !fault);
  const faults = events.filter(({ fault }) => fault);
  return {
    pagemap: perPage(
      ({ kind, exclusive, file, frame }) =>
        `${kind}${label(frame)}${exclusive ? '+exclusive' : ''}${file ? '+file' : ''}`,
    ),
    'soft-dirty': `${perPage(({ softDirty, categories = 0 }) => `${Number(softDirty)}${Number((categories & SOFT_DIRTY) !== 0)}`)}\n${migrations.map(({ softDirty }) => Number(softDirty)).join('')}`,
    kpageflags: perPage(({ flags, count }) =>
      flags === undefined ? '-' : `0x${flags.toString(16)}×${count}`,
    ),
    content: perPage(({ word }) => (word === undefined ? '-' : word.toString(16))),
    scan: perPage(
      ({ mincore, categories }) =>
        `${mincore}/${categories === undefined ? '-' : (categories & ~SOFT_DIRTY).toString(16)}`,
    ),
    snapshot: regions
      .flatMap(({ where, snapshots }) =>
        snapshots.map(({ device, text }) => `${where} device ${device}: ${text}`),
      )
      .join('\n'),
    trace: lines(migrations, ({ text }) => text),
    faults: lines(faults, ({ text }) => text),
  };
}
