/** The quick way through the comparison of a page: nearly always all of it is as the model says. */
import type { ExpectedPage } from '../../model/observe.ts';
import type { Pte } from '../../model/state.ts';
import type { Context } from './compare.ts';
import { adoptFree, settledFlags } from './kpage.ts';
import { MARKER_UFFD_WP } from './pagemap.ts';
import { SeenBits, SeenKind, type SeenRegion } from './seen-region.ts';
import type { FieldName } from './tally.ts';

/** What {@link isSamePage} compares. */
export const PAGE_FIELDS = [
  'pagemap.kind',
  'pagemap.soft-dirty',
  'pagemap.exclusive',
  'pagemap.uffd',
  'pagemap.other-bits',
  'pagemap.frame',
  'kpageflags',
  'kpagecount',
  'words',
] as const satisfies readonly FieldName[];

const HALF = 2 ** 32;

/**
 * Whether each of {@link PAGE_FIELDS} is seen as expected; what is free of kpageflags is then taken over. When not,
 * comparePage() has to tell what differs, or to take over which page it is.
 */
export function isSamePage(
  context: Context,
  expected: ExpectedPage,
  seen: SeenRegion,
  page: number,
): boolean {
  const { bindings, state } = context;
  const { frame, word } = expected;
  const kind = seenKind(expected.pte);
  // Of which swap device it is, only the entry as a whole tells.
  if (kind === SeenKind.swap) return false;
  if (seen.kind[page] !== kind || seen.bits[page] !== seenBits(expected, kind)) return false;
  const number = frame ? bindings.boundNumber(frame) : expected.pte ? Number(MARKER_UFFD_WP) : 0;
  if (seen.frame[page] !== number) return false;
  const flags = settledFlags(state, expected);
  if (flags === undefined) {
    if (seen.flags.present[page] !== 0 || seen.count.present[page] !== 0) return false;
  } else {
    if (seen.flags.present[page] === 0) return false;
    if ((seen.flags.low[page]! & ~flags.freeLow) >>> 0 !== flags.low) return false;
    if (seen.flags.high[page] !== flags.high) return false;
    if (seen.count.low[page] !== expected.count || seen.count.high[page] !== 0) return false;
  }
  if (!hasWord(seen, page, word)) return false;
  if (flags !== undefined && flags.freeLow !== 0) adoptFree(context, expected, flags, seen.flags.low[page]!);
  return true;
}

/** Whether the page is full of the word, as far as its first and its last one tell; undefined: it is not readable. */
function hasWord({ first, last }: SeenRegion, page: number, word: number | undefined): boolean {
  if (word === undefined) return first.present[page] === 0 && last.present[page] === 0;
  return (
    first.present[page] === 1 &&
    first.high[page]! * HALF + first.low[page]! === word &&
    last.high[page]! * HALF + last.low[page]! === word
  );
}

/** As pagemapKind(). */
function seenKind(pte: Pte | null): number {
  if (pte === null) return SeenKind.none;
  if (pte.kind === 'present') return SeenKind.present;
  if (pte.kind === 'exclusive') return SeenKind.deviceExclusive;
  if (pte.kind === 'marker') return SeenKind.marker;
  if (pte.kind === 'swap') return SeenKind.swap;
  return pte.write ? SeenKind.deviceWrite : SeenKind.deviceRead;
}

function seenBits({ softDirty, exclusive, uffdWp, file }: ExpectedPage, kind: number): number {
  const place = kind === SeenKind.none ? 0 : kind === SeenKind.present ? SeenBits.present : SeenBits.swap;
  return (
    place |
    (softDirty ? SeenBits.softDirty : 0) |
    (exclusive ? SeenBits.exclusive : 0) |
    (uffdWp ? SeenBits.uffd : 0) |
    (file ? SeenBits.file : 0)
  );
}
