/** What /proc/PID/smaps says of the mappings of regions. */
import {
  type MappingObservation,
  type ProcessObservation,
  SMAPS_FIELDS,
  type SmapsField,
} from '../../model/observation.ts';
import { STALE_SLACK } from '../../model/page-flags.ts';
import { pageAddress } from '../../model/program.ts';
import { type Bounds, type ExpectedMapping, expectSmaps } from '../../model/smaps.ts';
import { describeNumber } from './bindings.ts';
import type { Context } from './compare.ts';
import type { Place, Tally } from './tally.ts';

const FIELD_NAMES = SMAPS_FIELDS.map((name) => `smaps.${name}` as const);
const ZERO: Bounds = { least: 0, most: 0 };

/** To be called when what else was seen of the step is taken over into the model. */
export function compareSmaps(context: Context, step: number, seen: readonly ProcessObservation[]): void {
  const { state, tally } = context;
  for (const { process, smaps } of seen) {
    const owner = state.processes[process];
    // Who is observed and should not be is told by compareProcesses().
    if (!smaps || !owner) continue;
    const expected = expectSmaps(state, owner);
    const ranges = expected.map((mapping) => addressesOf(mapping, state.regions[mapping.region]!));
    const same = tally.check(
      sameRanges(ranges, smaps),
      { step, process },
      'smaps.mappings',
      'show_map_vma',
      () => describeRanges(ranges),
      () => describeRanges(smaps),
    );
    if (!same) continue;
    expected.forEach((mapping, index) => {
      compareMapping(
        context,
        { step, process, region: mapping.region, page: mapping.first },
        mapping,
        smaps[index]!,
      );
    });
  }
}

type Range = Pick<MappingObservation, 'start' | 'end'>;

function addressesOf({ region, first, end }: ExpectedMapping, pages: number): Range {
  const start = BigInt(pageAddress(region, first, pages));
  return { start, end: start + BigInt(end - first) * 4096n };
}

function sameRanges(a: readonly Range[], b: readonly Range[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ start, end }, index) => start === b[index]!.start && end === b[index]!.end)
  );
}

function describeRanges(ranges: readonly Range[]): string {
  const texts = ranges.map(({ start, end }) => `${describeNumber(start)}-${describeNumber(end)}`);
  return texts.join(' ') || 'none';
}

function compareMapping(
  { tally }: Context,
  place: Place,
  expected: ExpectedMapping,
  seen: MappingObservation,
): void {
  tally.equal(expected.vmFlags, seen.vmFlags, place, 'smaps.VmFlags', 'show_smap_vma_flags');
  const free: SmapsField[] = [];
  for (let index = 0; index < SMAPS_FIELDS.length; index++) {
    const name = SMAPS_FIELDS[index]!;
    const field = FIELD_NAMES[index]!;
    const bounds = expected.fields[name];
    if (name === 'THPeligible' && !bounds) continue;
    const { least, most } = bounds ?? ZERO;
    const value = seen.fields[index]!;
    if (least !== most && least <= value && value <= most) {
      free.push(name);
      tally.adopt(field, STALE_SLACK);
      continue;
    }
    tally.check(
      least === most && value === least,
      place,
      field,
      'smaps_account',
      () => (least === most ? `${least}` : `${least} to ${most}`),
      () => `${value}`,
    );
  }
  for (const owner of ['Private', 'Shared'] as const) {
    if (free.includes(`${owner}_Dirty`)) compareTotal(tally, place, expected, seen, owner);
  }
}

/** What may be clean or dirty is one of the two. */
function compareTotal(
  tally: Tally,
  place: Place,
  { fields }: ExpectedMapping,
  seen: MappingObservation,
  owner: 'Private' | 'Shared',
): void {
  const [clean, dirty] = [`${owner}_Clean`, `${owner}_Dirty`] as const;
  const total = (fields[clean]?.least ?? 0) + (fields[dirty]?.most ?? 0);
  const kibOf = (name: SmapsField) => seen.fields[SMAPS_FIELDS.indexOf(name)]!;
  const seenTotal = kibOf(clean) + kibOf(dirty);
  tally.check(
    total === seenTotal,
    place,
    `smaps.${dirty}`,
    'smaps_page_accumulate',
    () => `${total} with ${clean}`,
    () => `${seenTotal} with ${clean}`,
  );
}
