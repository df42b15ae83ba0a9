import { settleActive, settleOnLru } from '../../model/lru.ts';
import type { PageObservation } from '../../model/observation.ts';
import type { ExpectedPage } from '../../model/observe.ts';
import {
  type ExpectedPageFlags,
  flagMask,
  PAGE_FLAG_BITS,
  type PageFlag,
  pageFlags,
} from '../../model/page-flags.ts';
import type { Frame, State } from '../../model/state.ts';
import type { Context } from './compare.ts';
import type { Place } from './tally.ts';

/** /proc/kpageflags and /proc/kpagecount of a page; only present pages have them. */
export function compareKpage(
  context: Context,
  place: Place,
  expected: ExpectedPage,
  seen: PageObservation,
): void {
  const { tally } = context;
  compareFlags(context, place, expected, seen.kpageflags);
  tally.check(
    seen.kpagecount === (expected.count === undefined ? undefined : BigInt(expected.count)),
    place,
    'kpagecount',
    'get_kpage_count',
    () => `${expected.count ?? 'none'}`,
    () => `${seen.kpagecount ?? 'none'}`,
  );
}

/** What was adopted from pages before this one, of its folio or its LRU batch, binds it. */
export function settledFlags(state: State, { flags, frame }: ExpectedPage): ExpectedPageFlags | undefined {
  return flags && frame && flags.free.length > 0 ? pageFlags(frame, state) : flags;
}

function compareFlags(
  context: Context,
  place: Place,
  expected: ExpectedPage,
  seen: bigint | undefined,
): void {
  const flags = settledFlags(context.state, expected);
  const free = flags?.free ?? [];
  const freeMask = flagMask(free.map(({ flag }) => flag));
  const same = context.tally.check(
    flags === undefined
      ? seen === undefined
      : seen !== undefined && (seen & ~freeMask) === flagMask(flags.set),
    place,
    'kpageflags',
    'stable_page_flags',
    () => (flags ? describeFlags(flagMask(flags.set)) : 'none'),
    () => (seen === undefined ? 'none' : describeFlags(seen & ~freeMask)),
  );
  if (!same || seen === undefined || !flags) return;
  adoptFree(context, expected, flags, Number(seen & 0xffffffffn));
}

/** Takes over what was seen of the bits that are free. @param low the lower 32 bits of kpageflags */
export function adoptFree(
  context: Context,
  { frame }: ExpectedPage,
  { free }: ExpectedPageFlags,
  low: number,
): void {
  for (const { flag, slack } of free) {
    context.tally.adopt('kpageflags.free', slack);
    if (frame) adopt(context.state, frame.head, flag, ((low >>> PAGE_FLAG_BITS[flag]) & 1) === 1);
  }
}

/** Takes what was seen of a free bit over into the model, which is bound by it from now on. */
export function adopt(state: State, frame: Frame, flag: PageFlag, set: boolean): void {
  if (flag === 'DIRTY') frame.dirty = set;
  else if (flag === 'SWAPBACKED') frame.swapBacked = set;
  else if (flag === 'REFERENCED') frame.referenced = set;
  else if (flag === 'UNEVICTABLE') frame.unevictable = set;
  else if (flag === 'LRU' && set) settleOnLru(state, frame);
  else if (flag === 'ACTIVE') settleActive(state, frame, set);
}

/** The names of the bits that are set, for people; bits without a name by their number. */
export function describeFlags(mask: bigint): string {
  const names = new Map<number, string>(Object.entries(PAGE_FLAG_BITS).map(([name, bit]) => [bit, name]));
  const set: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if ((mask >> BigInt(bit)) & 1n) set.push(names.get(bit) ?? `bit ${bit}`);
  }
  return set.join(' ') || 'none';
}
