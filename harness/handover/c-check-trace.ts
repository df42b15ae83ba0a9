/** Checks of the trace events of a step: all of them, in their order, with the entries that they carry. */
import { encodePte } from '../../model/pagemap.ts';
import type { Profile } from '../../model/profile.ts';
import type { ExpectedEvent, ExpectedMigration, Frame } from '../../model/state.ts';
import { faultCode, traceKind } from '../compare/events.ts';
import type { Divergence } from '../compare/tally.ts';
import type { Check } from './c-checks.ts';
import type { Context } from './c-context.ts';
import { addressOf, hex, indent, quote } from './c-text.ts';
import { placeInWords } from './words.ts';

export function traceCheck(context: Context, { step }: Divergence): Check[] {
  const { events } = context.views[step]!.expected;
  if (events.length === 0) return [{ phase: 'trace', lines: ['check_trace(NULL, 0);'] }];
  const rows = events.flatMap((event) => row(context, step, event));
  return [
    {
      phase: 'trace',
      lines: [
        '{',
        '\tstatic const struct event expected[] = {',
        ...rows.map((line) => indent(indent(line))),
        '\t};',
        '',
        `\tcheck_trace(expected, ${events.length});`,
        '}',
      ],
    },
  ];
}

function row(context: Context, step: number, event: ExpectedEvent): string[] {
  const { program, profile } = context;
  const { region, page, name } = event;
  const place = quote(placeInWords({ step, region, page }, program.regions));
  const order = 'order' in event ? event.order : 0;
  const start = `{ ${quote(name)}, ${addressOf(program, region, page)}, ${order},`;
  if (event.name === 'page_fault_user') return [start, `  ${hex(faultCode(event))}, ~0ull, -1, ${place} },`];
  const { kind, value, mask } = rawEntry(profile, event);
  const slot = slotOf(context, step, event.entry.frame);
  return [
    `/* ${kind}${bits(profile, event)} */`,
    start,
    `  ${hex(value)}, ${hex(mask)}, ${slot}, ${place} },`,
  ];
}

function bits(profile: Profile, { entry }: ExpectedMigration): string {
  const set = [
    ...(entry.kind === 'present' && entry.write ? ['write'] : []),
    ...(entry.young ? ['young'] : []),
    ...(entry.dirty ? ['dirty'] : []),
    ...(profile.softDirty && entry.softDirty ? ['soft-dirty'] : []),
  ];
  return set.length > 0 ? `: ${set.join(' ')}` : '';
}

/** The entry as it must be but for its PFN, and the mask of all other bits. */
function rawEntry(
  profile: Profile,
  { entry, inaccessible }: ExpectedMigration,
): { kind: string; value: bigint; mask: bigint } {
  const kind = traceKind(profile.design, entry);
  const known = {
    kind,
    write: entry.kind === 'present' && entry.write,
    accessible: !inaccessible,
    young: entry.young,
    dirty: entry.dirty,
    softDirty: profile.softDirty && entry.softDirty,
    uffd: entry.uffdWp,
  };
  const raw = (frame: bigint) => encodePte(profile, { ...known, frame }, entry.huge);
  const field = raw(0n) ^ raw((1n << BigInt(profile.swapPfnBits)) - 1n);
  const mask = ~field & 0xffff_ffff_ffff_ffffn;
  return { kind, value: raw(0n) & mask, mask };
}

/** Where the page's number is to be found: where it was seen at rest, else what the trace itself says first. */
function slotOf(context: Context, step: number, frame: Frame): number {
  const seen = context.sightingsOf(frame.id).find((sighting) => sighting.step <= step);
  return seen ? context.slots.of(seen) : context.slots.unseen(step, frame.id);
}
