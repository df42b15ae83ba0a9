import type { Outcome, PageBytes, StepObservation } from '../../model/observation.ts';
import type { Expected } from '../../model/outcome.ts';
import { MAX_ACTOR_PARTS, MAX_ACTORS, MAX_REGION_PMDS, MAX_STEPS, PMD_PAGES } from '../../model/program.ts';
import { firstWord, isTorn } from '../../model/torn.ts';
import { USERFAULT_RULE } from '../../model/userfault.ts';
import { ROUND_SHIFT } from '../programs/protocol.ts';
import { describeNumber } from './bindings.ts';
import type { Tally } from './tally.ts';

/** Slack: a page was copied while somebody wrote to it. */
export const TORN_SLACK = 'page-being-written';

/** The result of the call of a step, and what it handed back. */
export function compareOutcome(
  tally: Tally,
  step: number,
  expected: Expected,
  seen: Pick<StepObservation, 'outcome' | 'cpages' | 'faults' | 'data' | 'bytes'> & { messages?: number },
): void {
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
  tally.equal(expected.cpages, seen.cpages, place, 'cpages', rule);
  tally.equal(expected.faults, seen.faults, place, 'faults', rule);
  tally.equal(expected.messages, seen.messages, place, 'messages', USERFAULT_RULE);
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
  const counted = tally.equal(data?.length, seen?.length, { step }, 'data', rule, (length) =>
    length === undefined ? 'no pages' : `${length} pages`,
  );
  if (!counted || !data || !seen) return;
  let same = 0;
  for (const [page, word] of data.entries()) {
    const bytes = seen[page]!;
    if (isTorn(word)) tally.note(TORN_SLACK);
    if (isTorn(word) ? bytes.word === firstWord(word) : bytes.uniform && Number(bytes.word) === word) {
      same++;
      continue;
    }
    tally.check(
      false,
      { step },
      'data',
      rule,
      () =>
        `page ${page} of the range: ${describeWord(firstWord(word))}${isTorn(word) ? ' and others' : ' throughout'}`,
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
  const round = word >> ROUND_SHIFT;
  const token = ((word & ((1n << ROUND_SHIFT) - 1n)) >> 32n) - 1n;
  const step = token % BigInt(MAX_STEPS);
  const part = token / BigInt(MAX_STEPS) - 1n;
  const actor = part / BigInt(MAX_ACTOR_PARTS);
  const region = ((word >> 16n) & 0xffffn) - 1n;
  const page = (word & 0xffffn) - 1n;
  const known =
    token >= 0n && actor < MAX_ACTORS && region >= 0n && region < 4n && page >= 0n && page < MOST_PAGES;
  if (!known) return describeNumber(word);
  const who =
    part < 0n
      ? `step ${step}`
      : `part ${part % BigInt(MAX_ACTOR_PARTS)} of list ${actor} of step ${step}${round > 0n ? ` in round ${round}` : ''}`;
  return `what ${who} wrote to region ${region} page ${page}`;
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
