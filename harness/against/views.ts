/**
 * What a step shows, of a kernel or of the model, as texts that are equal where two kernels behave alike: page numbers, types of
 * swap entries and whatever else a design or an architecture chooses are mapped away.
 */
import type { StepExpectation } from '../../model/apply.ts';
import { GAUGES, type Gauges } from '../../model/meminfo.ts';
import { flagMask, type PageFlag } from '../../model/page-flags.ts';
import { SCAN_CATEGORIES } from '../../model/page-scan.ts';
import type { PagemapEntry, TraceEntry } from '../../model/pagemap.ts';
import type { Profile } from '../../model/profile.ts';
import type { Step } from '../../model/program.ts';
import { describeBytes, describeOutcome } from '../compare/outcome.ts';

/** The observations of a step, by where they come from; what an architecture may lack has views of its own. */
export const VIEWS = [
  'result',
  'status',
  'meminfo',
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
export const SETTLED_MASK = ~flagMask(UNSETTLED);

export function lines<T>(list: readonly T[], text: (item: T) => string): string {
  return list.map(text).join('\n');
}

type Result = Pick<StepExpectation, 'outcome' | 'cpages' | 'faults' | 'messages' | 'bytes'> & {
  data?: readonly (bigint | string)[] | undefined;
};

export function resultText({ outcome, cpages, faults, messages, data, bytes }: Result): string {
  const parts = [describeOutcome(outcome), `cpages ${cpages}`, `faults ${faults}`, `messages ${messages}`];
  if (data) parts.push(`data ${data.join(' ')}`);
  if (bytes) parts.push(`bytes ${describeBytes(bytes)}`);
  return parts.join(', ');
}

export function rssText(process: number, anon: number | undefined, swap: number | undefined): string {
  return `p${process}: anon ${inKib(anon)}, swap ${inKib(swap)}`;
}

/** The same of somebody who looked at RssAnon alone. */
export function withoutSwap(status: string): string {
  return status.replace(/swap \d+ KiB/g, `swap ${inKib(undefined)}`);
}

/**
 * The lines that are exact on this kernel, where they were looked at: at the same steps of a program on all lanes, but for AnonPages,
 * which is left out when the agent's own pages move meanwhile.
 */
export function meminfoText({ swapSlotsAreCached }: Profile, gauges: Partial<Gauges> = {}): string {
  const names = GAUGES.filter((name) => name !== 'AnonPages' && !(name === 'SwapFree' && swapSlotsAreCached));
  return names.flatMap((name) => (gauges[name] === undefined ? [] : [`${name} ${gauges[name]}`])).join(', ');
}

function inKib(kib: number | undefined): string {
  return kib === undefined ? 'not looked at' : `${kib} KiB`;
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

export interface RegionView {
  where: string;
  pages: PageView[];
  snapshots: { device: number; text: string }[];
}

const EVICTING: readonly Step['op'][] = ['close', 'exit', 'release'];

/**
 * A device's pages are evicted in the order of their numbers (migrate_device_range), which follow from the stack of free
 * pages that the programs before have left: there, and at the end of the program, events have no order.
 */
export function eventsOf(step: Step | undefined, events: EventView[]): EventView[] {
  if (step && !EVICTING.includes(step.op)) return events;
  const key = ({ text, softDirty }: EventView) => `${text} ${softDirty}`;
  return events.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}

/** An event of either side; its soft-dirty bit stands in a view of its own. */
export interface EventView {
  fault: boolean;
  softDirty: boolean;
  text: string;
}

type EntryView = Pick<TraceEntry, 'kind' | 'write' | 'accessible' | 'young' | 'dirty' | 'softDirty'>;

export function migrationView(name: string, addr: bigint, order: number, entry: EntryView): EventView {
  // Design `offset` has types of its own for the migration entries of device pages.
  const kind = entry.kind.replace(/^device-migration/, 'migration');
  const bits = (['write', 'accessible', 'young', 'dirty'] as const).filter((bit) => entry[bit]);
  const text = `${name} 0x${addr.toString(16)} order ${order} ${kind} ${bits.join(' ')}`;
  return { fault: false, softDirty: entry.softDirty, text };
}

export function faultView(addr: bigint, code: bigint): EventView {
  const text = `page_fault_user 0x${addr.toString(16)} code 0x${code.toString(16)}`;
  return { fault: true, softDirty: false, text };
}

/** A line for each region or event; pages are numbered in the order in which the step shows them first. */
export function viewsOf(
  regions: readonly RegionView[],
  events: readonly EventView[],
): Omit<Views, 'result' | 'status' | 'meminfo'> {
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
