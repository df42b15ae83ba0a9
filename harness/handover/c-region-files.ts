/** The files that regions map, in a stand-alone program. */
import type { Backing, Program } from '../../model/program.ts';
import { regionMacro } from './c-text.ts';

const ramfs = (region: number, pages: string) => `ramfs_file(${region}, ${pages})`;
const shmem = (_region: number, pages: string) => `shmem_file(${pages})`;
const hugetlb = (_region: number, pages: string) => `hugetlb_file(${pages})`;
const FILE_CALLS: Readonly<Record<Backing, ((region: number, pages: string) => string) | null>> = {
  anonymous: null,
  'private-file': ramfs,
  'shared-file': ramfs,
  'private-shmem': shmem,
  'shared-shmem': shmem,
  'private-filled-shmem': (region, pages) => `filled_shmem_file(${region}, ${pages})`,
  'private-hugetlb': hugetlb,
  'shared-hugetlb': hugetlb,
};

/** What makes the files that regions map, on the LRU lists where they are looked for. */
export function filesOf(program: Program): string[] {
  const lines = program.regions.flatMap(({ backing = 'anonymous' }, index) => {
    const call = FILE_CALLS[backing];
    return call ? [`region_file[${index}] = ${call(index, `${regionMacro(program, index)}_PAGES`)};`] : [];
  });
  return lines.length > 0 ? [...lines, 'drain_lru();'] : [];
}
