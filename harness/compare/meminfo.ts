/** What /proc/meminfo says of the whole machine. */
import { expectMeminfo, GAUGES, type Gauges, MEMINFO } from '../../model/meminfo.ts';
import { STALE_SLACK } from '../../model/page-flags.ts';
import type { State } from '../../model/state.ts';
import type { Place, Tally } from './tally.ts';

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
    const field = `meminfo.${name}` as const;
    const unit = name.startsWith('HugePages') ? '' : ' KiB';
    if (least < most && least <= value && value <= most) {
      tally.adopt(field, STALE_SLACK);
      continue;
    }
    tally.check(
      least === most && value === least,
      place,
      field,
      MEMINFO[name],
      () => `${least === most ? least : `${least} to ${most}`}${unit} more than before`,
      () => `${value}${unit} more than before`,
    );
  }
}
