/** What a stand-alone program checks, for every field that a comparison compares (harness/compare). */
import { GAUGES, type Gauge } from '../../model/meminfo.ts';
import type { ExpectedPage } from '../../model/observe.ts';
import { PAGE_FLAG_BITS, type PageFlag } from '../../model/page-flags.ts';
import { SCAN_CATEGORIES, scanRanges } from '../../model/page-scan.ts';
import type { Profile } from '../../model/profile.ts';
import type { ProcessId } from '../../model/program.ts';
import { VM_EVENT_NAMES, type VmEvent } from '../../model/vm-events.ts';
import { pagemapKind } from '../compare/pagemap.ts';
import type { Divergence, FieldName, Place } from '../compare/tally.ts';
import { frameChecks } from './c-check-frames.ts';
import { traceCheck } from './c-check-trace.ts';
import type { Context } from './c-context.ts';
import { bytesBlock, bytesBody } from './c-snapshot-bytes.ts';
import { hasHandler } from './c-steps.ts';
import { addressOf, beforeVariable, call, indent, quote, regionMacro, wordCode } from './c-text.ts';
import { placeInWords } from './words.ts';

/** When a check is made: with the step's result, when a process has its turn, when all had theirs, at the end of
 * the step, when all processes have ended. */
export type Phase = 'result' | 'page' | 'frames' | 'trace' | 'end';

export interface Check {
  phase: Phase;
  /** Who must make it; undefined: anybody. */
  process?: ProcessId;
  lines: string[];
}

type Checker = (context: Context, divergence: Divergence) => Check[];

/**
 * Fields that a stand-alone program does not check: smaps would take a parser of that file, and an invariant is of two
 * observations that are checked by themselves. `hmmdiff repro` shows both.
 */
type Unchecked = 'invariant' | `smaps.${string}`;

const CHECKERS: Readonly<Record<Exclude<FieldName, Unchecked>, Checker>> = {
  // Of the record and not of the kernel: that the program comes to its step at all is all there is to see.
  steps: () => [],
  regions: () => [],
  processes: () => [],
  // main() sees every death, and waits no longer than its time limit.
  end: () => [],
  // The result of the failing step is checked in any case.
  outcome: () => [],
  cpages: countCheck('cpages'),
  faults: countCheck('faults'),
  messages: messagesCheck,
  data: dataCheck,
  bytes: bytesCheck,
  'pagemap.kind': pageCheck(kindCheck),
  'pagemap.frame': frameChecks,
  'pagemap.soft-dirty': pageCheck(({ softDirty }, what, at) => bit(what, at, 'PM_SOFT_DIRTY', softDirty)),
  'pagemap.exclusive': pageCheck(({ exclusive }, what, at) => bit(what, at, 'PM_EXCLUSIVE', exclusive)),
  'pagemap.uffd': pageCheck(({ uffdWp }, what, at) => bit(what, at, 'PM_UFFD_WP', uffdWp)),
  'pagemap.other-bits': pageCheck(({ file }, what, at) =>
    file ? bit(what, at, 'PM_FILE', true) : bit(what, at, 'PM_UNEXPECTED', false),
  ),
  kpageflags: pageCheck(flagsCheck),
  'kpageflags.free': () => [],
  kpagecount: pageCheck(({ count }, what, at) =>
    count === undefined ? [] : call('check_kpage', [quote(what), 'KPAGECOUNT', at, '~0ull', String(count)]),
  ),
  words: pageCheck(wordsCheck),
  mincore: pageCheck(({ mincore }, what, at) => call('check_mincore', [quote(what), at, String(mincore)])),
  scan: scanCheck,
  'scan.ranges': scanCheck,
  'status.rss-anon': rssCheck('anon', 'RssAnon'),
  // What else counts depends on the file system that the program is on.
  'status.rss-file': () => [],
  'status.rss-shmem': () => [],
  'status.swap': rssCheck('swap', 'VmSwap'),
  'snapshot.outcome': snapshotCheck,
  'snapshot.bytes': snapshotCheck,
  'trace.count': traceCheck,
  'trace.event': traceCheck,
  'trace.kind': traceCheck,
  'trace.frame': traceCheck,
  'trace.bits': traceCheck,
  'trace.fault': traceCheck,
  ...vmEventChecks(),
  ...meminfoChecks(),
};

/** The checks of one field that differs; none where the model has no such thing. */
export function checksFor(context: Context, divergence: Divergence): Check[] {
  const { field } = divergence;
  return isChecked(field) ? CHECKERS[field](context, divergence) : [];
}

function isChecked(field: FieldName): field is Exclude<FieldName, Unchecked> {
  return field in CHECKERS;
}

function countCheck(field: 'cpages' | 'faults'): Checker {
  return ({ views }, { step }) => {
    const count = views[step]!.expected[field];
    return count === undefined
      ? []
      : [{ phase: 'result', lines: [`check_number("${field}", cmd.${field}, ${count});`] }];
  };
}

/** Only a handler is asked. */
function messagesCheck({ program, views }: Context, { step }: Divergence): Check[] {
  const { messages } = views[step]!.expected;
  if (!hasHandler(program)) return [];
  return [{ phase: 'result', lines: [`check_number("messages", shared->messages, ${messages ?? 0});`] }];
}

/** main() has noted what the counter was before the first process. */
function vmEventChecks(): Record<`vmstat.${VmEvent}`, Checker> {
  const checkers = VM_EVENT_NAMES.map((name) => {
    const checker: Checker = ({ views }, { step }) => {
      const count = views[step]?.vmEvents?.[name];
      if (count === undefined) return [];
      return [{ phase: 'end', lines: [`check_vmstat("${name}", ${beforeVariable(name)}, ${count});`] }];
    };
    return [`vmstat.${name}`, checker];
  });
  return Object.fromEntries(checkers);
}

/** What a stand-alone program changes itself: its memory, what of it its processes share, and a pool of huge pages. */
const OWN_GAUGES: readonly Gauge[] = ['AnonPages', 'HugePages_Free', 'Shmem'];

/** After a step, or when main() has seen all processes end; it has noted what the line said before the first. */
function meminfoChecks(): Record<`meminfo.${Gauge}`, Checker> {
  const checkers = GAUGES.map((name) => {
    const checker: Checker = ({ views, program }, { step }) => {
      const { least, most } = views[step]?.meminfo[name] ?? {};
      if (least === undefined || least !== most || OWN_GAUGES.includes(name)) return [];
      const line = `check_meminfo("${name}", ${beforeVariable(name)}, ${least});`;
      return [{ phase: step === program.steps.length ? 'end' : 'frames', lines: [line] }];
    };
    return [`meminfo.${name}`, checker];
  });
  return Object.fromEntries(checkers);
}

function dataCheck({ views }: Context, { step }: Divergence): Check[] {
  const { data } = views[step]!.expected;
  if (!data || data.length === 0) return [];
  // What one step wrote goes up by one from page to page; what nobody wrote stays zero.
  const runs: { first: number; word: number; count: number; step: number }[] = [];
  for (const [page, word] of data.entries()) {
    const run = runs.at(-1);
    const next = run && run.word + run.step * run.count;
    if (run && word === next) run.count++;
    else runs.push({ first: page, word, count: 1, step: word === 0 ? 0 : 1 });
  }
  const lines = runs.map(
    ({ first, count, word, step }) => `check_data(${first}, ${count}, ${wordCode(word)}, ${step});`,
  );
  return [{ phase: 'result', lines }];
}

function bytesCheck({ views }: Context, { step }: Divergence): Check[] {
  const { bytes } = views[step]!.expected;
  return bytes ? [{ phase: 'result', lines: bytesBlock('bytes', bytes) }] : [];
}

/** A check of one page by the process that maps it. */
function pageCheck(
  lines: (page: ExpectedPage, what: string, address: string, context: Context) => string[],
): Checker {
  return (context, place) => {
    const expected = pageAt(context, place);
    if (!expected) return [];
    const { process, region, page, field } = place;
    const { program } = context;
    const what = `${placeInWords({ ...place, process: process! }, program.regions)} ${field}`;
    return [
      {
        phase: 'page',
        process: process!,
        lines: lines(expected, what, addressOf(program, region!, page!), context),
      },
    ];
  };
}

/** What the model expects of the page of a place. */
export function pageAt({ views }: Context, { step, process, region, page }: Place): ExpectedPage | undefined {
  const seen = views[step]?.regions.find((other) => other.process === process && other.region === region);
  return page === undefined ? undefined : seen?.pages[page];
}

function kindCheck({ pte }: ExpectedPage, what: string, at: string, { profile }: Context): string[] {
  const kind = pagemapKind(pte);
  const [mask, value] =
    kind === 'none'
      ? ['PM_PRESENT | PM_SWAP', '0']
      : kind === 'present'
        ? ['PM_PRESENT | PM_SWAP', 'PM_PRESENT']
        : ['PM_PRESENT | PM_SWAP | PM_TYPE', `PM_SWAP | ${typeMacro(kind)}`];
  const entry =
    kind === 'device-exclusive' ? withOneExclusiveType(`pagemap(${at})`, profile) : `pagemap(${at})`;
  return call('check_bits', [quote(`${what} (${kind})`), entry, mask, value]);
}

/** 6.12: mprotect() makes a writable device-exclusive entry one of another type. Which of the two is not compared. */
export function withOneExclusiveType(entry: string, { leafKinds }: Profile): string {
  const types = leafKinds.filter((kind) => kind === 'device-exclusive').length;
  return types > 1 ? `with_one_exclusive_type(${entry})` : entry;
}

/** SWP_DEVICE_WRITE, the number of a swap type. */
export function typeMacro(kind: string): string {
  return `SWP_${kind.toUpperCase().replaceAll('-', '_')}`;
}

function bit(what: string, at: string, mask: string, set: boolean): string[] {
  return call('check_bits', [quote(what), `pagemap(${at})`, mask, set ? mask : '0']);
}

function wordsCheck({ word, pte }: ExpectedPage, what: string, at: string): string[] {
  if (word !== undefined) return call('check_words', [quote(what), at, wordCode(word)]);
  return pte?.kind === 'present' ? call('check_unreadable', [quote(what), at]) : [];
}

/** Names of include/uapi/linux/kernel-page-flags.h end with bit 26; the program defines the others that it uses. */
function flagsCheck({ flags }: ExpectedPage, what: string, at: string): string[] {
  if (!flags) return [];
  const macro = (flag: PageFlag) => `KPF(${flag})`;
  const free = flags.free.map(({ flag }) => macro(flag)).join(' | ');
  const mask = free === '' ? '~0ull' : `~(${free})`;
  const sorted = flags.set.toSorted((a, b) => PAGE_FLAG_BITS[a] - PAGE_FLAG_BITS[b]);
  return call('check_kpage', [quote(what), 'KPAGEFLAGS', at, mask, sorted.map(macro).join(' | ') || '0']);
}

/** HMM_DMIRROR_SNAPSHOT of a region through each file that the process opened itself. */
function snapshotCheck(
  { views, program }: Context,
  { step, process, region, expected }: Divergence,
): Check[] {
  const seen = views[step]!.regions.find((other) => other.process === process && other.region === region);
  // The text begins with the device (harness/compare/regions.ts).
  const only = /^device (\d+):/.exec(expected)?.[1];
  return (seen?.snapshots ?? [])
    .filter(({ device }) => only === undefined || device === Number(only))
    .map(({ device, bytes }) => {
      const what = `${placeInWords({ step, process: process!, region: region! }, program.regions)} SNAPSHOT by device ${device}`;
      const start = regionMacro(program, region!);
      return {
        phase: 'page',
        process: process!,
        lines: [
          `if (check_result(${quote(what)}, snapshot(device[${device}], ${start}, ${start}_PAGES), 0)) {`,
          ...bytesBody(what, bytes).map(indent),
          '}',
        ],
      };
    });
}

/** PAGEMAP_SCAN of a region, in its ranges. */
function scanCheck({ views, program }: Context, { step, process, region }: Divergence): Check[] {
  const seen = views[step]!.regions.find((other) => other.process === process && other.region === region);
  if (!seen) return [];
  const what = `${placeInWords({ step, process: process!, region: region! }, program.regions)} PAGEMAP_SCAN`;
  const start = regionMacro(program, region!);
  const ranges = scanRanges(seen.pages);
  const rows = ranges.map(
    ({ first, end, categories }) => `\t\t{ ${first}, ${end}, ${categoryNames(categories)} },`,
  );
  const lines =
    ranges.length === 0
      ? [`check_scan(${quote(what)}, ${start}, ${start}_PAGES, NULL, 0);`]
      : [
          '{',
          '\tstatic const struct scan_range expected[] = {',
          ...rows,
          '\t};',
          '',
          `\tcheck_scan(${quote(what)}, ${start}, ${start}_PAGES, expected, ${ranges.length});`,
          '}',
        ];
  return [{ phase: 'page', process: process!, lines }];
}

function categoryNames(categories: number): string {
  const names = Object.entries(SCAN_CATEGORIES).filter(([, bit]) => categories & bit);
  return names.map(([name]) => `PAGE_IS_${name}`).join(' | ') || '0';
}

/** A line of /proc/PID/status, beside what it said before the first step. */
function rssCheck(field: 'anon' | 'swap', name: string): Checker {
  return ({ views }, { step, process }) => {
    const expected = views[step]!.processes.find((other) => other.process === process);
    if (!expected) return [];
    const lines = call('check_status', [quote(`p${process} ${name}`), quote(name), `${expected.rss[field]}`]);
    return [{ phase: 'page', process: process!, lines }];
  };
}
