/** SNAPSHOT says what pagemap does (dmirror_mkentry), but for what may be written in RAM, which pagemap does not say. */
import { PAGE_FLAG_BITS } from '../../model/page-flags.ts';
import { SnapshotBits } from '../../model/snapshot.ts';
import { coherentMinorOf, minorOf, type PageSpans } from './device-chunks.ts';
import { placeOf } from './invariant-pages.ts';
import type { InvariantTally } from './invariant-tally.ts';
import { SEEN_KINDS, SeenKind, type SeenRegion } from './seen-region.ts';

const { read, write, none, zero, pmd, error, devicePrivateLocal, deviceCoherentLocal, deviceCoherentRemote } =
  SnapshotBits;

export function checkSnapshots(
  tally: InvariantTally,
  step: number,
  region: SeenRegion,
  chunks: PageSpans,
): void {
  region.foundOut.snapshots ??= checkEach(tally, step, region, chunks);
  tally.held('snapshot-is-pagemap', region.foundOut.snapshots ?? 0);
}

/** Undefined when the invariant is broken. */
function checkEach(
  tally: InvariantTally,
  step: number,
  region: SeenRegion,
  chunks: PageSpans,
): number | undefined {
  let same = 0;
  let isBroken = false;
  for (const { device, bytes, outcome } of region.observation.snapshots) {
    if (outcome.kind !== 'ok' || bytes?.length !== region.length) continue;
    for (let page = 0; page < region.length; page++) {
      const byte = bytes[page]!;
      if (byte === error || agrees(region, page, byte, device, chunks)) same++;
      else {
        const kind = SEEN_KINDS[region.kind[page]!];
        isBroken = true;
        const text = `device ${device}: byte 0x${byte.toString(16)}, ${kind} in pagemap`;
        tally.broken('snapshot-is-pagemap', placeOf(step, region, page), text);
      }
    }
  }
  return isBroken ? undefined : same;
}

function agrees(region: SeenRegion, page: number, byte: number, device: number, chunks: PageSpans): boolean {
  const kind = region.kind[page]!;
  const level = byte & pmd;
  if (kind === SeenKind.present) {
    const coherent = coherentMinorOf(chunks, region, page);
    // The huge zero page is not told from others.
    const inRam = level === 0 && region.hasFlag(page, PAGE_FLAG_BITS.ZERO_PAGE) ? zero : none;
    const onDevice = coherent === device ? deviceCoherentLocal : deviceCoherentRemote;
    const base = coherent === undefined ? inRam : onDevice;
    return byte === (base | read | level) || byte === (base | write | level);
  }
  if (!region.isDevice(page)) return byte === none;
  const local = devicePrivateLocal | (kind === SeenKind.deviceWrite ? write : read) | level;
  const minor = minorOf(chunks.device, region.frame[page]!);
  // Of a chunk that is not known, either.
  if (minor === undefined) return byte === none || byte === local;
  return byte === (minor === device ? local : none);
}
