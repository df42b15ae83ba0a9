/** The quick way through the comparison of a page: nearly always all of it is as the model says. */
import type { ExpectedPage } from '../../model/observe.ts';
import type { Pte } from '../../model/state.ts';
import type { Context } from './compare.ts';
import { settledFlags } from './kpage.ts';
import { SeenBits, SeenKind, type SeenRegion } from './seen-region.ts';
import type { FieldName } from './tally.ts';

/** What {@link isSamePage} compares. */
export const PAGE_FIELDS = [
  'pagemap.kind',
  'pagemap.soft-dirty',
  'pagemap.exclusive',
  'pagemap.other-bits',
  'pagemap.frame',
  'kpageflags',
  'kpagecount',
  'words',
] as const satisfies readonly FieldName[];

const HALF = 2 ** 32;

/**
 * Whether each of {@link PAGE_FIELDS} is seen as expected, and none of it is slack. When not, comparePage() has to tell
 * what differs, or to take over what was seen.
 */
export function isSamePage(
  { bindings, state }: Pick<Context, 'bindings' | 'state'>,
  expected: ExpectedPage,
  seen: SeenRegion,
  page: number,
): boolean {
  const { frame, word } = expected;
  const kind = seenKind(expected.pte);
  if (seen.kind[page] !== kind || seen.bits[page] !== seenBits(expected, kind)) return false;
  if (seen.frame[page] !== (frame === null ? 0 : bindings.boundNumber(frame))) return false;
  const flags = settledFlags(state, expected);
  if (flags === undefined) {
    if (seen.flags.present[page] !== 0 || seen.count.present[page] !== 0) return false;
  } else {
    if (flags.free.length > 0 || seen.flags.present[page] === 0) return false;
    if (seen.flags.low[page] !== flags.low || seen.flags.high[page] !== flags.high) return false;
    if (seen.count.low[page] !== expected.count || seen.count.high[page] !== 0) return false;
  }
  if (word === undefined) return seen.first.present[page] === 0 && seen.last.present[page] === 0;
  return (
    seen.first.present[page] === 1 &&
    seen.first.high[page]! * HALF + seen.first.low[page]! === word &&
    seen.last.high[page]! * HALF + seen.last.low[page]! === word
  );
}

/** As pagemapKind(). */
function seenKind(pte: Pte | null): number {
  if (pte === null) return SeenKind.none;
  if (pte.kind === 'present') return SeenKind.present;
  if (pte.kind === 'exclusive') return SeenKind.deviceExclusive;
  return pte.write ? SeenKind.deviceWrite : SeenKind.deviceRead;
}

function seenBits({ softDirty, exclusive, file }: ExpectedPage, kind: number): number {
  const place = kind === SeenKind.none ? 0 : kind === SeenKind.present ? SeenBits.present : SeenBits.swap;
  return (
    place |
    (softDirty ? SeenBits.softDirty : 0) |
    (exclusive ? SeenBits.exclusive : 0) |
    (file ? SeenBits.file : 0)
  );
}
