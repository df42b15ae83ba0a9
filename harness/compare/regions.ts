import type { PageObservation, RegionObservation, SnapshotObservation } from '../../model/observation.ts';
import type { ExpectedPage, ExpectedRegion, ExpectedSnapshot } from '../../model/observe.ts';
import type { Context } from './compare.ts';
import { compareKpage } from './kpage.ts';
import { describeBytes, describeOutcome, describeWord, sameBytes } from './outcome.ts';
import { comparePageScans } from './page-scan.ts';
import { comparePagemap } from './pagemap.ts';
import type { Place } from './tally.ts';

/** Every page of every region of every process, and the snapshots through the files that the process opened. */
export function compareRegions(
  context: Context,
  step: number,
  expected: readonly ExpectedRegion[],
  seen: readonly RegionObservation[],
): void {
  const { tally } = context;
  const name = ({ process, region, pages, snapshots }: ExpectedRegion | RegionObservation) =>
    `p${process} region ${region}: ${pages.length} pages, snapshots of ${snapshots.map((s) => s.device)}`;
  const names = (list: readonly (ExpectedRegion | RegionObservation)[]) => list.map(name).join('; ');
  const whole = tally.check(
    names(expected) === names(seen),
    { step },
    'regions',
    'every living process observes every region',
    () => names(expected),
    () => names(seen),
  );
  if (!whole) return;
  expected.forEach((region, index) => {
    compareRegion(context, step, region, seen[index]!);
  });
}

function compareRegion(
  context: Context,
  step: number,
  expected: ExpectedRegion,
  seen: RegionObservation,
): void {
  const { process, region } = expected;
  expected.pages.forEach((page, index) => {
    comparePage(context, { step, process, region, page: index }, page, seen.pages.at(index)!);
  });
  comparePageScans(context, { step, process, region }, expected, seen);
  expected.snapshots.forEach((snapshot, index) => {
    compareSnapshot(context, { step, process, region }, snapshot, seen.snapshots[index]!);
  });
}

function comparePage(context: Context, place: Place, expected: ExpectedPage, seen: PageObservation): void {
  const same = comparePagemap(context, place, expected, seen.pagemap);
  // The rest is about the page behind the entry.
  if (!same) return;
  compareKpage(context, place, expected, seen);
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
