/** Invariants of pages and swap slots that several entries name: in which chunks they are, and that no two may write. */

import { PAGE_FLAG_BITS } from '../../model/page-flags.ts';
import { SCAN_CATEGORIES } from '../../model/page-scan.ts';
import type { Profile } from '../../model/profile.ts';
import { PMD_PAGES } from '../../model/program.ts';
import { coherentMinorOf, minorOf, type PageSpans } from './device-chunks.ts';
import { placeOf } from './invariant-pages.ts';
import type { InvariantTally } from './invariant-tally.ts';
import { NOTHING, SeenBits, SeenKind, type SeenRegion } from './seen-region.ts';

const HALF = 2 ** 32;

/** Above all page numbers. */
const BEHIND_RAM = 2 ** 52;
/** Above all page numbers of devices, too. */
const BEHIND_DEVICES = BEHIND_RAM + 2 ** 51;

/** Entries that name one page. */
interface Sharers {
  entries: number;
  /** A bit for each process. */
  processes: number;
  /** Entries that say that they are alone, or that may write. */
  writers: number;
}

interface FoundSharers extends Sharers {
  /** The first of them. */
  region: SeenRegion;
  page: number;
}

const ALONE: Sharers = { entries: 1, processes: 1, writers: 1 };

/**
 * @param chunksKnown false where the program has made some, which nothing but the model can tell
 * @param merges the program has ksmd merge pages
 */
export function checkSharing(
  tally: InvariantTally,
  step: number,
  regions: readonly SeenRegion[],
  chunks: PageSpans,
  { chunksKnown, merges }: { chunksKnown: boolean; merges: boolean },
  profile: Profile,
): void {
  let [inChunks, once, alone, counted] = [0, 0, 0, 0];
  const check = (region: SeenRegion, page: number, sharers: Sharers) => {
    if (region.kind[page] === SeenKind.swap) {
      once += checkOwners(tally, step, region, page, sharers);
      return;
    }
    if (coherentMinorOf(chunks, region, page) !== undefined) inChunks++;
    else if (!region.isDevice(page)) counted += checkKpagecount(tally, step, region, page, sharers.entries);
    else if (chunksKnown) inChunks += checkChunk(tally, step, region, page, chunks);
    // KSM maps one page in several places of a process; 6.12 shows its flag for every page.
    if (!(merges && region.hasFlag(page, PAGE_FLAG_BITS.KSM)))
      once += checkOwners(tally, step, region, page, sharers);
    alone += checkWriters(tally, step, region, page, sharers);
  };
  if (isEachPageOnce(regions)) {
    for (const region of regions) {
      for (let page = 0; page < region.length; page++)
        if (namesPage(region, page)) check(region, page, ALONE);
    }
  } else {
    for (const sharers of sharersOf(regions, profile)) check(sharers.region, sharers.page, sharers);
  }
  tally.held('kpagecount-is-pagemap', counted);
  tally.held('device-page-in-chunk', inChunks);
  tally.held('page-once-per-process', once);
  tally.held('one-writer', alone);
}

function checkKpagecount(
  tally: InvariantTally,
  step: number,
  region: SeenRegion,
  page: number,
  entries: number,
): number {
  const { count } = region;
  const shown = count.high[page]! * HALF + count.low[page]!;
  if (count.present[page] === 0 || shown >= entries) return 1;
  const text = `kpagecount ${shown}, and ${entries} entries`;
  tally.broken('kpagecount-is-pagemap', placeOf(step, region, page), text);
  return 0;
}

function checkChunk(
  tally: InvariantTally,
  step: number,
  region: SeenRegion,
  page: number,
  chunks: PageSpans,
): number {
  const frame = region.frame[page]!;
  if (minorOf(chunks.device, frame) !== undefined) return 1;
  tally.broken('device-page-in-chunk', placeOf(step, region, page), `page 0x${frame.toString(16)}`);
  return 0;
}

function checkOwners(
  tally: InvariantTally,
  step: number,
  region: SeenRegion,
  page: number,
  { entries, processes }: Sharers,
): number {
  const owners = bitsIn(processes);
  // What maps a file twice has its pages twice.
  if (owners === entries || (region.bits[page]! & SeenBits.file) !== 0) return 1;
  const text = `${entries} entries of ${owners} processes map one page`;
  tally.broken('page-once-per-process', placeOf(step, region, page), text);
  return 0;
}

function checkWriters(
  tally: InvariantTally,
  step: number,
  region: SeenRegion,
  page: number,
  { entries, writers }: Sharers,
): number {
  if (writers === 0 || entries === 1) return 1;
  const text = `${entries} entries map a page, and ${writers} of them as if alone`;
  tally.broken('one-writer', placeOf(step, region, page), text);
  return 0;
}

/** Of a folio that a PMD maps, 7.3 asks the head alone whether it is mapped once (pagemap_pmd_range_thp). */
function isTailByPmd(region: SeenRegion, page: number): boolean {
  const categories = region.categories[page]!;
  return page % PMD_PAGES !== 0 && categories !== NOTHING && (categories & SCAN_CATEGORIES.HUGE) !== 0;
}

/** Swap slots, in design offset device pages, and RAM have the same numbers: they are put behind each other. */
function keyOf(region: SeenRegion, page: number): number {
  if (region.kind[page] === SeenKind.swap) return region.frame[page]! + BEHIND_DEVICES;
  return region.frame[page]! + (region.isDevice(page) ? BEHIND_RAM : 0);
}

/** Entries by the page that they name. */
function sharersOf(regions: readonly SeenRegion[], { pagemapAsksEachPage }: Profile): Iterable<FoundSharers> {
  const shared = new Map<number, FoundSharers>();
  for (const region of regions) {
    for (let page = 0; page < region.length; page++) {
      if (!namesPage(region, page)) continue;
      const key = keyOf(region, page);
      let sharers = shared.get(key);
      if (!sharers) {
        sharers = { region, page, entries: 0, processes: 0, writers: 0 };
        shared.set(key, sharers);
      }
      sharers.entries++;
      sharers.processes |= 1 << region.process;
      const alone = (region.bits[page]! & SeenBits.exclusive) !== 0;
      const exclusive = alone && (pagemapAsksEachPage || !isTailByPmd(region, page));
      if (exclusive || region.kind[page] === SeenKind.deviceWrite) sharers.writers++;
    }
  }
  return shared.values();
}

/** Whether no page is named twice, by the stretches of consecutive pages that regions name. */
function isEachPageOnce(regions: readonly SeenRegion[]): boolean {
  const stretches: { first: number; end: number }[] = [];
  for (const region of regions) {
    let last: { first: number; end: number } | undefined;
    for (let page = 0; page < region.length; page++) {
      if (!namesPage(region, page)) continue;
      const key = keyOf(region, page);
      if (last?.end === key) last.end++;
      else {
        last = { first: key, end: key + 1 };
        stretches.push(last);
      }
    }
  }
  stretches.sort((a, b) => a.first - b.first);
  for (let index = 1; index < stretches.length; index++) {
    if (stretches[index]!.first < stretches[index - 1]!.end) return false;
  }
  return true;
}

/** Whether it is an entry of a page that is not the zero page, or of a swap slot. */
function namesPage(region: SeenRegion, page: number): boolean {
  return (
    region.isDevice(page) ||
    region.kind[page] === SeenKind.swap ||
    (region.kind[page] === SeenKind.present && !region.hasFlag(page, PAGE_FLAG_BITS.ZERO_PAGE))
  );
}

function bitsIn(word: number): number {
  let count = 0;
  for (let left = word; left !== 0; left &= left - 1) count++;
  return count;
}
