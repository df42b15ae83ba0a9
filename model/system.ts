/** What the whole machine shows of device memory, beside what each process shows (OBSERVABLES 2.5). */
import type { Design } from './profile.ts';
import type { DeviceMinor } from './program.ts';

/** Pages of one device, as numbers `first` to `end` (exclusive): PFNs, or device offsets of private minors in design `offset`. */
export interface PageSpan {
  minor: DeviceMinor;
  first: bigint;
  end: bigint;
}

export interface SystemExpectation {
  /** Physical address ranges (bytes, both ends inclusive) of the "hmm_dmirror" lines of /proc/iomem, ascending. */
  iomem: { start: bigint; end: bigint }[];
  /** "spanned" of zone Device in /proc/zoneinfo, in pages; all nodes together. */
  deviceZoneSpanned: bigint;
}

const PAGE_SHIFT = 12n;
/** Minors below are device private, the others device coherent (lib/test_hmm.c, hmm_dmirror_init). */
const FIRST_COHERENT: DeviceMinor = 2;

/**
 * - iomem: design `pfn` takes a chunk of a private device from the physical address space
 *   (lib/test_hmm.c, dmirror_allocate_chunk: request_free_mem_region); design `offset` takes none. Coherent devices
 *   are given memory that exists and name nothing.
 * - zone Device: mm/memory_hotplug.c, move_pfn_range_to_zone() grows the zone over each range that
 *   mm/memremap.c, pagemap_range() adds, gaps included (resize_zone_range), and remove_pfn_range_from_zone() never
 *   shrinks a zone of device memory. Design `offset` adds no private range.
 *
 * @param chunks what is there now
 * @param gone what was there since the boot and is no more
 */
export function expectSystem(
  design: Design,
  chunks: readonly PageSpan[],
  gone: readonly PageSpan[] = [],
): SystemExpectation {
  const isPrivate = ({ minor }: PageSpan) => minor < FIRST_COHERENT;
  const ever = [...chunks, ...gone];
  const physical = design === 'pfn' ? ever : ever.filter((chunk) => !isPrivate(chunk));
  const [lowest] = physical.map(({ first }) => first).sort(ascending);
  const highest = physical
    .map(({ end }) => end)
    .sort(ascending)
    .at(-1);
  return {
    iomem: (design === 'pfn' ? chunks.filter(isPrivate) : [])
      .map(({ first, end }) => ({ start: first << PAGE_SHIFT, end: (end << PAGE_SHIFT) - 1n }))
      .sort((a, b) => ascending(a.start, b.start)),
    deviceZoneSpanned: lowest === undefined || highest === undefined ? 0n : highest - lowest,
  };
}

/**
 * Counters of /proc/vmstat that no operation on device memory moves: only migrate_pages() counts (mm/migrate.c), through
 * which neither migrate_vma_*() nor migrate_device_*() goes.
 */
export const STILL_COUNTERS = [
  'pgmigrate_success',
  'pgmigrate_fail',
  'thp_migration_success',
  'thp_migration_fail',
  'thp_migration_split',
] as const;

/** A condition of machine or command line under which a kernel is tested. */
export type ScenarioName = 'default' | 'full-address-space';

/** How loading test_hmm ends: it loads, or fails with an errno. */
export type LoadOutcome = 'loads' | 'ENOMEM';

/**
 * With a physical address space that is full, request_free_mem_region() finds no room for a private chunk
 * (kernel/resource.c, get_free_mem_region: -ERANGE), which test_hmm reports as -ENOMEM; design `offset` needs none.
 */
export function expectLoad(scenario: ScenarioName, design: Design): LoadOutcome {
  return scenario === 'full-address-space' && design === 'pfn' ? 'ENOMEM' : 'loads';
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
