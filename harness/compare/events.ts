/** Trace events: their order, and what the raw page-table entries in them say. */
import type { TraceEvent } from '../../model/observation.ts';
import { decodePte, type TraceEntry } from '../../model/pagemap.ts';
import type { Design } from '../../model/profile.ts';
import { pageAddress } from '../../model/program.ts';
import type { ExpectedEvent, ExpectedFault, ExpectedMigration, Frame, Pte } from '../../model/state.ts';
import { describeNumber } from './bindings.ts';
import type { Context } from './compare.ts';
import type { Place } from './tally.ts';

/** Slack: an event names a page that was gone again before it could be observed. */
export const UNSEEN_PAGE_SLACK = 'trace-page-never-observed';

export function compareEvents(
  context: Context,
  step: number,
  expected: readonly ExpectedEvent[],
  seen: readonly TraceEvent[],
): void {
  const { tally } = context;
  tally.check(
    expected.length === seen.length,
    { step },
    'trace.count',
    expected.at(-1)?.rule ?? 'nothing migrates',
    () =>
      `${expected.length} events${expected.length > 0 ? `: ${expected.map(describeExpected).join(', ')}` : ''}`,
    () => `${seen.length} events${seen.length > 0 ? `: ${seen.map(describeSeen).join(', ')}` : ''}`,
  );
  const unseen = new Map<Frame, bigint>();
  for (const [index, event] of expected.entries()) {
    const other = seen[index];
    // One that is out of order says nothing more than that.
    if (other && !compareEvent(context, step, event, other, unseen)) return;
  }
}

function compareEvent(
  context: Context,
  step: number,
  expected: ExpectedEvent,
  seen: TraceEvent,
  unseen: Map<Frame, bigint>,
): boolean {
  const { tally, environment, state } = context;
  const { region, page, rule } = expected;
  const place: Place = { step, region, page };
  const same = tally.check(
    seen.name === expected.name &&
      seen.addr === BigInt(pageAddress(region, page, state.regions[region])) &&
      seen.order === orderOf(expected),
    place,
    'trace.event',
    rule,
    () => describeExpected(expected),
    () => describeSeen(seen),
  );
  if (!same) return false;

  if (expected.name === 'page_fault_user') {
    compareFault(context, place, expected, seen);
    return true;
  }
  const entry = decodePte(environment.profile, seen.entry, expected.entry.huge);
  const kind = traceKind(environment.profile.design, expected.entry);
  const sameKind = tally.check(
    entry.kind === kind,
    place,
    'trace.kind',
    rule,
    () => `${expected.name}: ${kind}`,
    () => `${expected.name}: ${entry.kind} (${describeNumber(seen.entry)})`,
  );
  if (sameKind) {
    compareBits(context, place, expected, entry);
    compareFrame(context, place, expected, entry, unseen);
  }
  return true;
}

/** Bits of a page fault's error code (arch/x86/include/asm/trap_pf.h). */
const FAULT_BITS = { prot: 1n, write: 2n, user: 4n } as const;

export function faultCode({ present, write }: Pick<ExpectedFault, 'present' | 'write'>): bigint {
  return FAULT_BITS.user | (present ? FAULT_BITS.prot : 0n) | (write ? FAULT_BITS.write : 0n);
}

function compareFault({ tally }: Context, place: Place, expected: ExpectedFault, seen: TraceEvent): void {
  const code = faultCode(expected);
  const describe = (shown: bigint) => `error code ${describeNumber(shown)}`;
  tally.equal(code, seen.entry, place, 'trace.fault', expected.rule, describe);
}

/** In design `offset` the migration entries of device pages have types of their own. */
export function traceKind(design: Design, pte: Pte): TraceEntry['kind'] {
  if (pte.kind === 'present') return 'present';
  if (pte.kind === 'exclusive') return 'device-exclusive';
  if (pte.kind === 'marker') return 'marker';
  if (pte.kind === 'swap') return 'swap';
  if (pte.kind === 'device') return pte.write ? 'device-write' : 'device-read';
  const access = pte.write ? 'write' : pte.readExclusive ? 'read-exclusive' : 'read';
  return design === 'offset' && pte.frame.kind === 'device'
    ? `device-migration-${access}`
    : `migration-${access}`;
}

function compareBits(
  { tally, environment }: Context,
  place: Place,
  expected: ExpectedMigration,
  seen: TraceEntry,
): void {
  const { entry, inaccessible, name, rule } = expected;
  const wanted = {
    write: entry.kind === 'present' && entry.write,
    accessible: !inaccessible,
    young: entry.young,
    dirty: entry.dirty,
    softDirty: environment.profile.softDirty && entry.softDirty,
    uffd: entry.uffdWp,
    otherBits: 0n,
  };
  tally.check(
    sameBits(wanted, seen),
    place,
    'trace.bits',
    rule,
    () => `${name}: ${describeBits(wanted)}`,
    () => `${name}: ${describeBits(seen)}`,
  );
}

type Bits = Pick<TraceEntry, (typeof FLAGS)[number] | 'otherBits'>;
const FLAGS = ['write', 'accessible', 'young', 'dirty', 'softDirty', 'uffd'] as const;

function sameBits(a: Bits, b: Bits): boolean {
  return FLAGS.every((flag) => a[flag] === b[flag]) && a.otherBits === b.otherBits;
}

function describeBits(bits: Bits): string {
  const set: string[] = FLAGS.filter((flag) => bits[flag]);
  if (bits.otherBits !== 0n) set.push(`other bits ${describeNumber(bits.otherBits)}`);
  return set.join(' ') || 'no bits';
}

function compareFrame(
  { tally, bindings }: Context,
  place: Place,
  { entry, rule }: ExpectedMigration,
  seen: TraceEntry,
  unseen: Map<Frame, bigint>,
): void {
  const { frame } = entry;
  const known = bindings.numberOf(frame) ?? unseen.get(frame);
  if (known === undefined) {
    unseen.set(frame, seen.frame);
    tally.adopt('trace.frame', UNSEEN_PAGE_SLACK);
    return;
  }
  const describe = (number: bigint) =>
    frame.kind === 'device' ? bindings.describe(number) : describeNumber(number);
  tally.equal(known, seen.frame, place, 'trace.frame', rule, describe);
}

/** Page faults have none. */
function orderOf(expected: ExpectedEvent): number {
  return 'order' in expected ? expected.order : 0;
}

function describeExpected(expected: ExpectedEvent): string {
  const { name, region, page } = expected;
  const order = orderOf(expected);
  return `${name} of region ${region} page ${page}${order === 0 ? '' : ` order ${order}`}`;
}

function describeSeen({ name, addr, order }: TraceEvent): string {
  return `${name} at ${describeNumber(addr)}${order === 0 ? '' : ` order ${order}`}`;
}
