import type { ExpectedPage } from '../../model/observe.ts';
import { decodePagemap, type PagemapEntry } from '../../model/pagemap.ts';
import type { Pte } from '../../model/state.ts';
import { describeNumber } from './bindings.ts';
import type { Context } from './compare.ts';
import type { Place } from './tally.ts';

/** The swap type of the guest's one swap device. */
const SWAP_DEVICE = 0;

/** One entry of /proc/PID/pagemap. False when it is of another kind or another page than expected. */
export function comparePagemap(context: Context, place: Place, expected: ExpectedPage, raw: bigint): boolean {
  const { tally, environment } = context;
  const seen = decodePagemap(environment.profile, raw);
  const kind = pagemapKind(expected.pte);
  const same = tally.check(
    seen.kind === kind && (kind !== 'swap' || seen.type === SWAP_DEVICE),
    place,
    'pagemap.kind',
    expected.rule,
    () => describeKind(kind),
    () => `${describeKind(seen.kind)}${seen.type === undefined ? '' : ` (type ${seen.type})`}`,
  );
  compareBits(context, place, expected, seen);
  return same && compareFrame(context, place, expected, seen);
}

/** PTE_MARKER_UFFD_WP, which is where other entries have the number of a page. */
export const MARKER_UFFD_WP = 1n;

/** The kind of a pagemap entry; migration entries are never seen at rest. */
export function pagemapKind(pte: Pte | null): PagemapEntry['kind'] {
  if (pte === null) return 'none';
  if (pte.kind === 'present') return 'present';
  if (pte.kind === 'exclusive') return 'device-exclusive';
  if (pte.kind === 'marker') return 'marker';
  if (pte.kind === 'swap') return 'swap';
  if (pte.kind === 'migration') throw new Error('a migration entry is left');
  return pte.write ? 'device-write' : 'device-read';
}

function describeKind(kind: PagemapEntry['kind']): string {
  return kind === 'present' ? 'a present page' : kind;
}

function describeBit(set: boolean): string {
  return set ? 'set' : 'clear';
}

function compareBits({ tally }: Context, place: Place, expected: ExpectedPage, seen: PagemapEntry): void {
  const rule = 'pte_to_pagemap_entry';
  tally.equal(expected.softDirty, seen.softDirty, place, 'pagemap.soft-dirty', rule, describeBit);
  tally.equal(
    expected.exclusive,
    seen.exclusive,
    place,
    'pagemap.exclusive',
    '__folio_page_mapped_exclusively',
    describeBit,
  );
  tally.equal(expected.uffdWp, seen.uffd, place, 'pagemap.uffd', rule, describeBit);
  const others = ['guard', 'file', 'invalid'] as const;
  tally.check(
    others.every((bit) => seen[bit] === (bit === 'file' && expected.file)),
    place,
    'pagemap.other-bits',
    rule,
    () => (expected.file ? 'file, and not guard' : 'neither guard nor file'),
    () => others.filter((bit) => seen[bit]).join(', ') || 'none',
  );
}

function compareFrame(context: Context, place: Place, expected: ExpectedPage, seen: PagemapEntry): boolean {
  const { tally, bindings } = context;
  const field = 'pagemap.frame';
  if (!expected.frame) {
    const number = expected.pte ? MARKER_UFFD_WP : 0n;
    return tally.equal(number, seen.frame, place, field, 'pte_to_pagemap_entry', describeNumber);
  }
  const binding = bindings.bind(expected.frame, seen.frame);
  if (typeof binding === 'string') {
    tally.adopt(field, binding);
    return true;
  }
  return tally.check(
    binding === null,
    place,
    field,
    binding?.rule ?? expected.rule,
    () => binding?.expected ?? '',
    () => (expected.frame?.kind === 'device' ? bindings.describe(seen.frame) : describeNumber(seen.frame)),
  );
}
