/** What of a lane's kpageflags and meminfo the model leaves free, and which way each went there. */
import { expectMeminfo, type Gauge, type Gauges } from '../../model/meminfo.ts';
import type { RegionObservation } from '../../model/observation.ts';
import type { ExpectedRegion } from '../../model/observe.ts';
import { PAGE_FLAG_BITS, STALE_SLACK } from '../../model/page-flags.ts';
import type { State } from '../../model/state.ts';
import { DEVICE_PAGE_SLACK } from '../compare/bindings.ts';

/** Of one step: a text by the name of each freedom that there was, equal where it went the same way. */
export type Taken = ReadonlyMap<string, string>;
type Way = readonly [name: string, way: string];

export function byName(ways: Iterable<Way>): Taken {
  const taken = new Map<string, string>();
  for (const [name, way] of ways) taken.set(name, `${taken.get(name) ?? ''} ${way}`);
  return taken;
}

export function* takenFlags(
  expected: readonly ExpectedRegion[],
  seen: readonly RegionObservation[],
): Generator<Way> {
  for (const [index, { process, region, pages }] of expected.entries()) {
    for (const [page, { flags }] of pages.entries()) {
      if (!flags || flags.free.length === 0) continue;
      const bits = seen[index]!.pages.at(page)!.kpageflags ?? 0n;
      for (const { flag, slack } of flags.free) {
        const bit = (bits >> BigInt(PAGE_FLAG_BITS[flag])) & 1n;
        yield [slack, `p${process} ${region}[${page}] ${flag} ${bit}`];
      }
    }
  }
}

/** As compareMeminfo() does it. */
export function* takenGauges(state: State, seen: Partial<Gauges> | undefined): Generator<Way> {
  if (!seen) return;
  for (const [name, { least, most }] of Object.entries(expectMeminfo(state))) {
    const value = seen[name as Gauge];
    if (least < most && value !== undefined) yield [STALE_SLACK, `${name} ${value}`];
  }
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
