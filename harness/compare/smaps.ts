/** What /proc/PID/smaps says of the mappings of regions. */
import {
  type MappingObservation,
  type ProcessObservation,
  SMAPS_FIELDS,
  type SmapsField,
} from '../../model/observation.ts';
import { STALE_SLACK } from '../../model/page-flags.ts';
import { pageAddress } from '../../model/program.ts';
import { type ExpectedMapping, expectSmaps } from '../../model/smaps.ts';
import { describeNumber } from './bindings.ts';
import type { Context } from './compare.ts';
import type { Place, Tally } from './tally.ts';

/** To be called when what else was seen of the step is taken over into the model. */
export function compareSmaps(context: Context, step: number, seen: readonly ProcessObservation[]): void {
  const { state, tally } = context;
  for (const { process, smaps } of seen) {
    const owner = state.processes[process];
    // Who is observed and should not be is told by compareProcesses().
    if (!smaps || !owner) continue;
    const expected = expectSmaps(state, owner);
    const ranges = expected.map((mapping) => addressesOf(mapping, state.regions[mapping.region]!));
    const seenRanges = smaps.map(({ start, end }) => describeRange(start, end));
    const same = tally.check(
      ranges.join() === seenRanges.join(),
      { step, process },
      'smaps.mappings',
      'show_map_vma',
      () => ranges.join(' ') || 'none',
      () => seenRanges.join(' ') || 'none',
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

function addressesOf({ region, first, end }: ExpectedMapping, pages: number): string {
  const start = BigInt(pageAddress(region, first, pages));
  return describeRange(start, start + BigInt(end - first) * 4096n);
}

function describeRange(start: bigint, end: bigint): string {
  return `${describeNumber(start)}-${describeNumber(end)}`;
}

function compareMapping(
  { tally }: Context,
  place: Place,
  expected: ExpectedMapping,
  seen: MappingObservation,
): void {
  tally.equal(expected.vmFlags, seen.vmFlags, place, 'smaps.VmFlags', 'show_smap_vma_flags');
  const free: SmapsField[] = [];
  for (const [index, name] of SMAPS_FIELDS.entries()) {
    const bounds = expected.fields[name];
    if (name === 'THPeligible' && !bounds) continue;
    const { least, most } = bounds ?? { least: 0, most: 0 };
    const value = seen.fields[index]!;
    if (least !== most && least <= value && value <= most) {
      free.push(name);
      tally.adopt(`smaps.${name}`, STALE_SLACK);
      continue;
    }
    tally.check(
      least === most && value === least,
      place,
      `smaps.${name}`,
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
