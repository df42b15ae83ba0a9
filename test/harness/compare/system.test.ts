import { expect, it } from 'vitest';
import {
  compareSystem,
  compareVmstat,
  parseDeviceSpanned,
  parseIomem,
} from '../../../harness/compare/system.ts';
import { expectLoad, expectSystem } from '../../../model/system.ts';

const privateChunks = [
  { minor: 0, first: 0xfff0000n, end: 0x10000000n },
  { minor: 1, first: 0xffe0000n, end: 0xfff0000n },
];
const coherentChunks = [
  { minor: 2, first: 0x70000n, end: 0x80000n },
  { minor: 3, first: 0x60000n, end: 0x70000n },
];
const iomem = `60000000-7fffffff : Reserved
ffe0000000-ffefffffff : hmm_dmirror
  fff0000000-ffffffffff : hmm_dmirror
`;
const zoneinfo = (spanned: bigint) => `Node 0, zone   Normal
  pages free     10
        spanned  99
Node 0, zone   Device
  pages free     0
        boost    0
        spanned  ${spanned}
        present  0
`;

it('reads the ranges of test_hmm and the span of zone Device', () => {
  expect(parseIomem(iomem)).toEqual([
    { start: 0xffe0000000n, end: 0xffefffffffn },
    { start: 0xfff0000000n, end: 0xffffffffffn },
  ]);
  expect(parseDeviceSpanned(zoneinfo(131072n))).toBe(131072n);
  expect(parseDeviceSpanned('Node 0, zone   Normal\n        spanned  99\n')).toBe(0n);
});

it('expects private chunks in the physical address space of design pfn alone', () => {
  expect(expectSystem('pfn', privateChunks).deviceZoneSpanned).toBe(0x20000n);
  expect(expectSystem('offset', privateChunks)).toEqual({ iomem: [], deviceZoneSpanned: 0n });
  // The zone spans the gap between coherent and private memory.
  expect(expectSystem('pfn', [...privateChunks, ...coherentChunks]).deviceZoneSpanned).toBe(
    0x10000000n - 0x60000n,
  );
  expect(expectSystem('offset', [...privateChunks, ...coherentChunks]).deviceZoneSpanned).toBe(0x20000n);
});

it('expects zone Device to go on spanning what was there: it is never shrunk', () => {
  expect(expectSystem('pfn', [], privateChunks)).toEqual({ iomem: [], deviceZoneSpanned: 0x20000n });
  expect(expectSystem('offset', [], [...privateChunks, ...coherentChunks]).deviceZoneSpanned).toBe(0x20000n);
});

it('reports a line of iomem too many or too few, and a zone that spans something else', () => {
  expect(compareSystem({ iomem, zoneinfo: zoneinfo(0x20000n) }, 'pfn', privateChunks)).toEqual({
    fieldsCompared: 2,
    divergences: [],
  });
  const fields = (design: 'pfn' | 'offset', text: string, spanned: bigint) =>
    compareSystem({ iomem: text, zoneinfo: zoneinfo(spanned) }, design, privateChunks).divergences.map(
      ({ field }) => field,
    );
  expect(fields('offset', iomem, 0n)).toEqual(['iomem']);
  expect(fields('pfn', iomem.replace(/^ffe0.*\n/m, ''), 0x20000n)).toEqual(['iomem']);
  expect(fields('pfn', iomem.replace('fff0000000', 'fff1000000'), 0x20000n)).toEqual(['iomem']);
  expect(fields('offset', '', 0x20000n)).toEqual(['zoneinfo.device-spanned']);
});

it('expects test_hmm not to load into a full physical address space in design pfn', () => {
  expect(expectLoad('full-address-space', 'pfn')).toBe('ENOMEM');
  expect(expectLoad('full-address-space', 'offset')).toBe('loads');
  expect(expectLoad('default', 'pfn')).toBe('loads');
});

it('expects counters of migrate_pages() to stand still, where they are', () => {
  const vmstat = (success: number) => `nr_free_pages 5\npgmigrate_success ${success}\npgmigrate_fail 3\n`;
  expect(compareVmstat(vmstat(7), vmstat(7))).toEqual({ fieldsCompared: 2, divergences: [] });
  expect(compareVmstat(vmstat(7), vmstat(8)).divergences).toMatchObject([
    { field: 'vmstat.pgmigrate_success', expected: '7, as before', seen: '8' },
  ]);
});
