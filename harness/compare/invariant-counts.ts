/** Invariants of numbers that count pages: RSS, smaps, and what migrations report. */

import {
  type ProcessObservation,
  type RollupObservation,
  SMAPS_FIELDS,
  type SmapsField,
} from '../../model/observation.ts';
import { PAGE_FLAG_BITS } from '../../model/page-flags.ts';
import type { PageRange, ProcessId, Program, Step } from '../../model/program.ts';
import { coherentMinorOf, deviceOf, type PageSpans } from './device-chunks.ts';
import type { InvariantTally } from './invariant-tally.ts';
import type { StepView } from './invariants.ts';
import { SeenKind, type SeenRegion } from './seen-region.ts';

const PAGE_KIB = 4;
/**
 * What the rollup must be the sum of. How much of a page is this process' own also depends on others, which come and go
 * between the two files: so no Pss, and shared and private together.
 */
const SUMMED: readonly (readonly SmapsField[])[] = [
  ['Rss'],
  ['Shared_Clean', 'Private_Clean'],
  ['Shared_Dirty', 'Private_Dirty'],
  ['Referenced'],
  ['Anonymous'],
  ['KSM'],
  ['LazyFree'],
  ['AnonHugePages'],
  ['ShmemPmdMapped'],
  ['FilePmdMapped'],
  ['Shared_Hugetlb', 'Private_Hugetlb'],
  ['Swap'],
];

export function checkCounts(tally: InvariantTally, view: StepView): void {
  for (const process of view.seen.processes) {
    const own = countPages(view, process.process);
    checkRss(tally, view, process, own);
    checkSmaps(tally, view, process, own);
    if (process.rollup) checkRollup(tally, view, process, process.rollup);
  }
  checkMigrated(tally, view);
}

/** Of a process by its pagemap, in KiB; of a region, in pages. */
interface Counted {
  /** Pages that count as anonymous and resident: those in RAM, on devices, and device-exclusive ones. */
  anon: number;
  swap: number;
}

function countPages({ regions, chunks }: StepView, process: ProcessId): Counted {
  let [anon, swap] = [0, 0];
  for (const region of regions) {
    if (region.process !== process) continue;
    region.foundOut.counted ??= countRegion(chunks, region);
    anon += region.foundOut.counted.anon;
    swap += region.foundOut.counted.swap;
  }
  return { anon: anon * PAGE_KIB, swap: swap * PAGE_KIB };
}

function countRegion(chunks: PageSpans, region: SeenRegion): Counted {
  let [anon, swap] = [0, 0];
  for (let page = 0; page < region.length; page++) {
    const kind = region.kind[page]!;
    if (kind === SeenKind.present) anon += Number(isAnonymous(chunks, region, page));
    else if (kind >= SeenKind.deviceRead && kind <= SeenKind.deviceExclusive) anon++;
    else if (kind === SeenKind.swap) swap++;
  }
  return { anon, swap };
}

/**
 * The flags of a coherent page are not shown; what is on a device is anonymous. So are pages of hugetlb in private mappings,
 * but they are not counted as such.
 */
function isAnonymous(chunks: PageSpans, region: SeenRegion, page: number): boolean {
  if (region.hasFlag(page, PAGE_FLAG_BITS.HUGE)) return false;
  return region.hasFlag(page, PAGE_FLAG_BITS.ANON) || coherentMinorOf(chunks, region, page) !== undefined;
}

function checkRss(
  tally: InvariantTally,
  { seen, base }: StepView,
  { process, rss }: ProcessObservation,
  own: Counted,
): void {
  const place = { step: seen.step, process };
  if (rss.anon !== undefined) {
    const shown = rss.anon - base.anon;
    const text = () => `RssAnon ${shown} KiB, ${own.anon} KiB in pagemap`;
    tally.check('rss-is-pagemap', shown === own.anon, place, text);
  }
  if (rss.swap !== undefined) {
    const shown = rss.swap - base.swap;
    const text = () => `VmSwap ${shown} KiB, ${own.swap} KiB in pagemap`;
    tally.check('swap-is-pagemap', shown === own.swap, place, text);
  }
}

function field(fields: readonly number[], name: SmapsField): number {
  return fields[SMAPS_FIELDS.indexOf(name)]!;
}

function checkSmaps(
  tally: InvariantTally,
  { program, seen }: StepView,
  { process, smaps = [] }: ProcessObservation,
  { anon, swap }: Counted,
) {
  if (smaps.length === 0) return;
  const place = { step: seen.step, process };
  // What is in swap of shmem itself is in no page table, but in smaps (smap_gather_stats).
  const mayHaveMore = program.regions.some(({ backing = 'anonymous' }) => backing.endsWith('shmem'));
  for (const [name, counted, isWhole] of [
    ['Anonymous', anon, true],
    ['Swap', swap, !mayHaveMore],
  ] as const) {
    const total = smaps.reduce((sum, { fields }) => sum + field(fields, name), 0);
    tally.check(
      'smaps-is-pagemap',
      isWhole ? total === counted : total >= counted,
      place,
      () => `${name} ${total} KiB, ${counted} KiB in pagemap`,
    );
  }
  for (const { fields } of smaps) {
    const parts = (['Shared_Clean', 'Shared_Dirty', 'Private_Clean', 'Private_Dirty'] as const).map((name) =>
      field(fields, name),
    );
    const sum = parts.reduce((a, b) => a + b, 0);
    const rss = field(fields, 'Rss');
    tally.check('rss-is-its-parts', sum === rss, place, () => `Rss ${rss}, its parts ${parts.join(' + ')}`);
  }
}

/** smaps_rollup is the sum of smaps. */
function checkRollup(
  tally: InvariantTally,
  { seen }: StepView,
  { process, smaps = [] }: ProcessObservation,
  { fields, others }: RollupObservation,
): void {
  const parts = [others, ...smaps.map((mapping) => mapping.fields)];
  for (const names of SUMMED) {
    const sum = parts.reduce((total, part) => total + totalOf(part, names), 0);
    const shown = totalOf(fields, names);
    tally.check(
      'rollup-is-sum',
      sum === shown,
      { step: seen.step, process },
      () => `${names.join(' + ')}: ${shown} in smaps_rollup, ${sum} in all of smaps`,
    );
  }
}

function totalOf(fields: readonly number[], names: readonly SmapsField[]): number {
  return names.reduce((sum, name) => sum + field(fields, name), 0);
}

/** What a device operation that succeeded counts; the process whose memory it acts on must be the one that opened it. */
function checkMigrated(tally: InvariantTally, { program, chunks, seen, regions, before }: StepView): void {
  const step = program.steps[seen.step];
  if (!step || seen.outcome.kind !== 'ok' || !('at' in step) || !('device' in step)) return;
  const place = { step: seen.step, process: step.by };
  if (step.op === 'read' || step.op === 'write' || step.op === 'migrate-to-dev' || step.op === 'exclusive') {
    if ('flaw' in step && step.flaw !== undefined) return;
    tally.check(
      'cpages-is-npages',
      seen.cpages === step.at.count,
      place,
      () => `${step.op}: cpages ${seen.cpages} of ${step.at.count}`,
    );
  }
  if (step.op !== 'migrate-to-sys' || !isOwn(program, seen.step, step)) return;
  const { own: left } = countOnDevice(regions, step.by, step.at, step.device, chunks);
  tally.check('migrated-pages-are-gone', left === 0, place, () => `${left} pages are left on the device`);
  const { own: moved, unknown } = countOnDevice(before, step.by, step.at, step.device, chunks);
  // Pages whose chunk is not known may be among those that moved.
  if (unknown > 0) return;
  tally.check(
    'cpages-is-moved-pages',
    (seen.cpages ?? 0) <= moved && ((seen.cpages ?? 0) > 0 || moved === 0),
    place,
    () => `cpages ${seen.cpages}, and ${moved} pages were on the device`,
  );
}

/** How many pages of a range are on `device`, and on one that is not known. */
function countOnDevice(
  regions: readonly SeenRegion[],
  process: ProcessId,
  { region, first, count }: PageRange,
  device: number,
  chunks: PageSpans,
): { own: number; unknown: number } {
  let [own, unknown] = [0, 0];
  const seen = regions.find((other) => other.process === process && other.region === region);
  for (let page = first; seen && page < first + count; page++) {
    const minor = deviceOf(chunks, seen, page);
    if (minor === device) own++;
    else if (minor === undefined && seen.isDevice(page)) unknown++;
  }
  return { own, unknown };
}

/** Whether the process of a step has opened the device itself, and not inherited it. */
function isOwn(program: Program, index: number, { by, device }: Step & { device: number }): boolean {
  const last = program.steps
    .slice(0, index)
    .findLast(
      (step) =>
        ((step.op === 'open' || step.op === 'close') && step.by === by && step.device === device) ||
        (step.op === 'fork' && step.child === by),
    );
  return last?.op === 'open';
}
