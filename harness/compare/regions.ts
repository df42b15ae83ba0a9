import type { PageObservation, RegionObservation, SnapshotObservation } from '../../model/observation.ts';
import type { ExpectedPage, ExpectedRegion, ExpectedSnapshot } from '../../model/observe.ts';
import type { ProcessId } from '../../model/program.ts';
import { firstWord, isTorn } from '../../model/torn.ts';
import type { Context } from './compare.ts';
import { compareKpage } from './kpage.ts';
import { describeBytes, describeOutcome, describeWord, sameBytes, TORN_SLACK } from './outcome.ts';
import { comparePageScans } from './page-scan.ts';
import { comparePagemap } from './pagemap.ts';
import { isSamePage, PAGE_FIELDS } from './same-page.ts';
import type { SeenRegion } from './seen-region.ts';
import type { Place } from './tally.ts';

/**
 * Every page of every region of every process, and the snapshots through the files that the process opened.
 *
 * @param turns the processes in the order in which they looked: a page may come onto an LRU list between two of them
 */
export function compareRegions(
  context: Context,
  step: number,
  expected: readonly ExpectedRegion[],
  seen: readonly SeenRegion[],
  turns: readonly { id: ProcessId }[],
): void {
  const { tally } = context;
  const whole = tally.check(
    sameRegions(expected, seen),
    { step },
    'regions',
    'every living process observes every region',
    () => names(expected),
    () => names(seen.map(({ observation }) => observation)),
  );
  if (!whole) return;
  let same = 0;
  for (const { id } of turns) {
    for (const [index, region] of expected.entries()) {
      if (region.process === id) same += compareRegion(context, step, region, seen[index]!);
    }
  }
  for (const field of PAGE_FIELDS) tally.same(field, same);
}

function sameRegions(expected: readonly ExpectedRegion[], seen: readonly SeenRegion[]): boolean {
  return (
    expected.length === seen.length &&
    expected.every(({ process, region, pages, snapshots }, index) => {
      const { observation: other } = seen[index]!;
      return (
        other.process === process &&
        other.region === region &&
        other.pages.length === pages.length &&
        other.snapshots.length === snapshots.length &&
        snapshots.every(({ device }, at) => other.snapshots[at]!.device === device)
      );
    })
  );
}

function names(list: readonly (ExpectedRegion | RegionObservation)[]): string {
  return list
    .map(
      ({ process, region, pages, snapshots }) =>
        `p${process} region ${region}: ${pages.length} pages, snapshots of ${snapshots.map((s) => s.device)}`,
    )
    .join('; ');
}

/** How many of its pages are as expected in all of {@link PAGE_FIELDS}; those are left to be counted. */
function compareRegion(context: Context, step: number, expected: ExpectedRegion, seen: SeenRegion): number {
  const { process, region, pages, snapshots } = expected;
  let same = 0;
  for (let page = 0; page < pages.length; page++) {
    if (isSamePage(context, pages[page]!, seen, page)) same++;
    else {
      const observed = seen.observation.pages.at(page)!;
      comparePage(context, { step, process, region, page }, pages[page]!, observed);
    }
  }
  const place = { step, process, region };
  comparePageScans(context, place, expected, seen);
  for (let index = 0; index < snapshots.length; index++) {
    compareSnapshot(context, place, snapshots[index]!, seen.observation.snapshots[index]!);
  }
  return same;
}

function comparePage(context: Context, place: Place, expected: ExpectedPage, seen: PageObservation): void {
  const same = comparePagemap(context, place, expected, seen.pagemap);
  // The rest is about the page behind the entry.
  if (!same) return;
  compareKpage(context, place, expected, seen);
  if (expected.word !== undefined && isTorn(expected.word)) {
    // Forked in the middle of a write.
    context.tally.note(TORN_SLACK);
    context.tally.check(
      seen.words?.[0] === firstWord(expected.word),
      place,
      'words',
      'the content of the page',
      () => `${describeWord(firstWord(expected.word!))} … anything`,
      () => (seen.words ? seen.words.map(describeWord).join(' … ') : 'not readable'),
    );
    return;
  }
  const word = expected.word === undefined ? undefined : BigInt(expected.word);
  context.tally.check(
    seen.words?.[0] === word && seen.words?.[1] === word,
    place,
    'words',
    'the content of the page',
    () => (word === undefined ? 'not readable' : describeWord(word)),
    () => (seen.words ? seen.words.map(describeWord).join(' … ') : 'not readable'),
  );
}

function compareSnapshot(
  { tally }: Context,
  place: Place,
  expected: ExpectedSnapshot,
  seen: SnapshotObservation,
): void {
  const succeeded = tally.check(
    seen.outcome.kind === 'ok',
    place,
    'snapshot.outcome',
    'dmirror_snapshot',
    () => `device ${expected.device}: success`,
    () => `device ${expected.device}: ${describeOutcome(seen.outcome)}`,
  );
  if (!succeeded) return;
  tally.check(
    sameBytes(expected.bytes, seen.bytes),
    place,
    'snapshot.bytes',
    'dmirror_mkentry',
    () => `device ${expected.device}: ${describeBytes(expected.bytes)}`,
    () => `device ${expected.device}: ${describeBytes(seen.bytes)}`,
  );
}
