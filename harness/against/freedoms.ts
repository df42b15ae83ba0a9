/** What of a lane's kpageflags the model leaves free, and which way each bit went there. */
import type { RegionObservation } from '../../model/observation.ts';
import type { ExpectedRegion } from '../../model/observe.ts';
import { PAGE_FLAG_BITS } from '../../model/page-flags.ts';
import { DEVICE_PAGE_SLACK } from '../compare/bindings.ts';

/** Of one step: a text by the name of each freedom that there was, equal where it went the same way. */
export type Taken = ReadonlyMap<string, string>;

export function takenFlags(expected: readonly ExpectedRegion[], seen: readonly RegionObservation[]): Taken {
  const taken = new Map<string, string>();
  for (const [index, { process, region, pages }] of expected.entries()) {
    for (const [page, { flags }] of pages.entries()) {
      if (!flags || flags.free.length === 0) continue;
      const bits = seen[index]!.pages.at(page)!.kpageflags ?? 0n;
      for (const { flag, slack } of flags.free) {
        const bit = (bits >> BigInt(PAGE_FLAG_BITS[flag])) & 1n;
        taken.set(slack, `${taken.get(slack) ?? ''} p${process} ${region}[${page}] ${flag} ${bit}`);
      }
    }
  }
  return taken;
}

/**
 * Freedoms that went different ways on two lanes, by the step in which they first did; of what the model adopts and no bit
 * shows, the order of a device's free pages is all that anything follows from.
 */
export function differentlyTaken<T>(
  left: readonly ReadonlyMap<string, T>[],
  right: readonly ReadonlyMap<string, T>[],
  last: number,
): string[] {
  const names = new Set<string>();
  for (let step = 0; step <= last; step++) {
    const [a, b] = [left[step], right[step]];
    for (const name of new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])) {
      if (a?.get(name) !== b?.get(name)) names.add(name);
    }
  }
  return names.size > 0 ? [...names].sort() : [DEVICE_PAGE_SLACK];
}
