/** What /proc/meminfo says of the whole machine. */
import { expectMeminfo, GAUGES, type Gauge, type Gauges, MEMINFO } from '../../model/meminfo.ts';
import { STALE_SLACK } from '../../model/page-flags.ts';
import type { State } from '../../model/state.ts';
import type { Place, Tally } from './tally.ts';

const FIELD_NAMES = Object.fromEntries(GAUGES.map((name) => [name, `meminfo.${name}`])) as {
  [Name in Gauge]: `meminfo.${Name}`;
};

/** @param seen undefined where it was not looked at */
export function compareMeminfo(
  tally: Tally,
  place: Place,
  state: State,
  seen: Partial<Gauges> | undefined,
): void {
  if (!seen) return;
  const expected = expectMeminfo(state);
  for (const name of GAUGES) {
    const [bounds, value] = [expected[name], seen[name]];
    if (bounds === undefined || value === undefined) continue;
    const { least, most } = bounds;
    const field = FIELD_NAMES[name];
    if (least < most && least <= value && value <= most) {
      tally.adopt(field, STALE_SLACK);
      continue;
    }
    tally.check(
      least === most && value === least,
      place,
      field,
      MEMINFO[name],
      () => `${least === most ? least : `${least} to ${most}`}${unitOf(name)} more than before`,
      () => `${value}${unitOf(name)} more than before`,
    );
  }
}

function unitOf(name: Gauge): string {
  return name.startsWith('HugePages') ? '' : ' KiB';
}
