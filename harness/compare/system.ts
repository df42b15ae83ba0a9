import type { Design } from '../../model/profile.ts';
import { expectSystem, type PageSpan, STILL_COUNTERS } from '../../model/system.ts';

/** The text of two files of the guest. */
export interface SystemObservation {
  /** /proc/iomem, read as root. */
  iomem: string;
  /** /proc/zoneinfo. */
  zoneinfo: string;
}

export interface SystemDivergence {
  field: 'iomem' | 'zoneinfo.device-spanned' | `vmstat.${(typeof STILL_COUNTERS)[number]}`;
  expected: string;
  seen: string;
  rule: string;
}

/** Compares what the machine shows with what the model expects of a design with these chunks. */
export function compareSystem(
  seen: SystemObservation,
  design: Design,
  chunks: readonly PageSpan[],
  gone: readonly PageSpan[] = [],
): { fieldsCompared: number; divergences: SystemDivergence[] } {
  const expected = expectSystem(design, chunks, gone);
  const divergences: SystemDivergence[] = [];
  const check = (field: SystemDivergence['field'], rule: string, want: string, got: string) => {
    if (want !== got) divergences.push({ field, expected: want, seen: got, rule });
  };
  check(
    'iomem',
    'lib/test_hmm.c, dmirror_allocate_chunk()',
    describeRanges(expected.iomem),
    describeRanges(parseIomem(seen.iomem)),
  );
  check(
    'zoneinfo.device-spanned',
    'mm/memory_hotplug.c, resize_zone_range(), remove_pfn_range_from_zone()',
    `${expected.deviceZoneSpanned} pages`,
    `${parseDeviceSpanned(seen.zoneinfo)} pages`,
  );
  return { fieldsCompared: 2, divergences };
}

/** Compares /proc/vmstat after a suite with that before it: counters that device memory must not move. */
export function compareVmstat(
  before: string,
  after: string,
): { fieldsCompared: number; divergences: SystemDivergence[] } {
  const divergences: SystemDivergence[] = [];
  let fieldsCompared = 0;
  for (const name of STILL_COUNTERS) {
    const [old, now] = [before, after].map((text) => parseCounter(text, name));
    // Without CONFIG_MIGRATION or transparent huge pages there is no such counter.
    if (old === undefined || now === undefined) continue;
    fieldsCompared++;
    if (old === now) continue;
    divergences.push({
      field: `vmstat.${name}`,
      expected: `${old}, as before`,
      seen: `${now}`,
      rule: 'mm/migrate.c, migrate_pages()',
    });
  }
  return { fieldsCompared, divergences };
}

function parseCounter(vmstat: string, name: string): bigint | undefined {
  const value = new RegExp(`^${name} (\\d+)$`, 'm').exec(vmstat)?.[1];
  return value === undefined ? undefined : BigInt(value);
}

/** The ranges that test_hmm has named in /proc/iomem, ascending. */
export function parseIomem(text: string): { start: bigint; end: bigint }[] {
  return [...text.matchAll(/^\s*([0-9a-f]+)-([0-9a-f]+) : hmm_dmirror$/gm)]
    .map((match) => ({ start: BigInt(`0x${match[1]}`), end: BigInt(`0x${match[2]}`) }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
}

/** Pages that zone Device spans, summed over nodes; 0 without such a zone. */
export function parseDeviceSpanned(text: string): bigint {
  return [...text.matchAll(/^Node \d+, zone\s+Device\n(?:.*\n)*?\s+spanned\s+(\d+)/gm)].reduce(
    (total, match) => total + BigInt(match[1]!),
    0n,
  );
}

function describeRanges(ranges: readonly { start: bigint; end: bigint }[]): string {
  if (ranges.length === 0) return 'no hmm_dmirror';
  return ranges.map(({ start, end }) => `${start.toString(16)}-${end.toString(16)}`).join(', ');
}
