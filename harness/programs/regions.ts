/** The regions and devices of a random program. */
import fc from 'fast-check';
import {
  BACKINGS,
  type Backing,
  canBeBackedBy,
  type DeviceMinor,
  PMD_PAGES,
  type Region,
} from '../../model/program.ts';

export type Devices = readonly [DeviceMinor, DeviceMinor];

/** The two devices of a program: the first is open from the start. */
export function devicesArbitrary(share: number): fc.Arbitrary<Devices> {
  const coherent = fc.constantFrom<Devices>([2, 0], [2, 3], [3, 1], [0, 2]);
  const weight = Math.round(share * 100);
  return fc.oneof(
    { arbitrary: fc.constant<Devices>([0, 1]), weight: 100 - weight },
    { arbitrary: coherent, weight },
  );
}

/** Small regions, all anonymous or not; or a huge one and a small one, with another huge one where it is of hugetlb. */
export function regionsArbitrary(share: number, files: number): fc.Arbitrary<Region[]> {
  const hugetlb = fc.constantFrom<Backing>('private-hugetlb', 'shared-hugetlb');
  const backing = fc.oneof(
    { arbitrary: fc.constant<Backing>('anonymous'), weight: 2 },
    { arbitrary: hugetlb, weight: 1 },
  );
  const huge = fc
    .record({
      pmds: fc.integer({ min: 1, max: 2 }),
      pages: fc.integer({ min: 1, max: 6 }),
      backing: files > 0 ? backing : fc.constant<Backing>('anonymous'),
      other: fc.option(hugetlb, { freq: 2 }),
    })
    .map(({ pmds, pages, backing, other }) => [
      backedBy({ name: 'h', pages: pmds * PMD_PAGES }, backing),
      { name: 'a', pages },
      // Where mremap can move it to.
      ...(backing !== 'anonymous' && other ? [backedBy({ name: 'b', pages: PMD_PAGES }, other)] : []),
    ]);
  const weight = Math.round(share * 100);
  const ofFiles = Math.round(files * (100 - weight));
  return fc.oneof(
    { arbitrary: smallRegionsArbitrary(), weight: 100 - weight - ofFiles },
    { arbitrary: fileRegionsArbitrary(), weight: ofFiles },
    { arbitrary: huge, weight },
  );
}

/** The first maps a file, which is what most steps are about. */
function fileRegionsArbitrary(): fc.Arbitrary<Region[]> {
  const small = BACKINGS.filter((backing) => canBeBackedBy(1, backing));
  return fc
    .record({
      regions: smallRegionsArbitrary(),
      first: fc.constantFrom(...small.slice(1)),
      others: fc.array(fc.constantFrom(...small), { minLength: 2, maxLength: 2 }),
    })
    .map(({ regions, first, others }) =>
      regions.map((region, index) => backedBy(region, [first, ...others][index]!)),
    );
}

function backedBy(region: Region, backing: Backing): Region {
  return backing === 'anonymous' ? region : { ...region, backing };
}

/** The second size has a fault of the device cross the border of its 32-page pieces. */
function smallRegionsArbitrary(): fc.Arbitrary<Region[]> {
  const pages = fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 11 },
    { arbitrary: fc.integer({ min: 33, max: 40 }), weight: 1 },
  );
  return fc
    .array(pages, { minLength: 1, maxLength: 3 })
    .map((sizes) => sizes.map((pages, index) => ({ name: 'abc'[index]!, pages })));
}
