import type { Outcome, PageBytes, StepObservation } from '../../model/observation.ts';
import type { Expected } from '../../model/outcome.ts';
import { MAX_REGION_PMDS, PMD_PAGES } from '../../model/program.ts';
import { describeNumber } from './bindings.ts';
import type { Tally } from './tally.ts';

/** The result of the call of a step, and what it handed back. */
export function compareOutcome(tally: Tally, step: number, expected: Expected, seen: StepObservation): void {
  const { rule } = expected;
  const place = { step };
  const same = tally.check(
    sameOutcome(expected.outcome, seen.outcome),
    place,
    'outcome',
    rule,
    () => describeOutcome(expected.outcome),
    () => describeOutcome(seen.outcome),
  );
  // What comes with the outcome says nothing more when that differs.
  if (!same) return;
  for (const field of ['cpages', 'faults'] as const) {
    tally.check(
      expected[field] === seen[field],
      place,
      field,
      rule,
      () => String(expected[field]),
      () => String(seen[field]),
    );
  }
  compareData(tally, step, expected, seen.data);
  tally.check(
    sameBytes(expected.bytes, seen.bytes),
    place,
    'bytes',
    rule,
    () => describeBytes(expected.bytes),
    () => describeBytes(seen.bytes),
  );
}

function sameOutcome(a: Outcome, b: Outcome): boolean {
  return (a.kind === 'ok' && b.kind === 'ok') || describeOutcome(a) === describeOutcome(b);
}

function compareData(
  tally: Tally,
  step: number,
  { data, rule }: Expected,
  seen: PageBytes[] | undefined,
): void {
  const counted = tally.check(
    data?.length === seen?.length,
    { step },
    'data',
    rule,
    () => (data ? `${data.length} pages` : 'no pages'),
    () => (seen ? `${seen.length} pages` : 'no pages'),
  );
  if (!counted || !data || !seen) return;
  let same = 0;
  for (const [page, word] of data.entries()) {
    const bytes = seen[page]!;
    if (bytes.uniform && Number(bytes.word) === word) {
      same++;
      continue;
    }
    tally.check(
      false,
      { step },
      'data',
      rule,
      () => `page ${page} of the range: ${describeWord(BigInt(word))} throughout`,
      () =>
        `page ${page} of the range: ${describeWord(bytes.word)}${bytes.uniform ? ' throughout' : ' and others'}`,
    );
  }
  tally.same('data', same);
}

export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'errno') return outcome.errno;
  return outcome.kind === 'signal' ? `${outcome.signal} at page ${outcome.page}` : 'success';
}

/** A word that a page was filled with: which step wrote it, for people (model/program.ts, pageToken). */
export function describeWord(word: bigint): string {
  if (word === 0n) return 'zeroes';
  const step = (word >> 32n) - 1n;
  const region = ((word >> 16n) & 0xffffn) - 1n;
  const page = (word & 0xffffn) - 1n;
  const token = step >= 0n && step < 1024n && region >= 0n && region < 4n && page >= 0n && page < MOST_PAGES;
  return token ? `what step ${step} wrote to region ${region} page ${page}` : describeNumber(word);
}

const MOST_PAGES = BigInt(MAX_REGION_PMDS * PMD_PAGES);

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (!a || !b) return a === b;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

export function describeBytes(bytes: Uint8Array | undefined): string {
  return bytes ? [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ') || 'empty' : 'none';
}
