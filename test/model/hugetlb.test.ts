import { describe, expect, it } from 'vitest';
import { hazardOf } from '../../model/safe.ts';
import { expectSmaps } from '../../model/smaps.ts';
import { expectRss } from '../../model/status.ts';
import { outcomes, type Played, play } from './play.ts';

const HUGETLB = '{h: {pmds: 2, backing: private-hugetlb}, s: {pmds: 1, backing: shared-hugetlb}, a: 2}';
const READY = '{mmap: h}\n{mmap: s}\n{open: 0}';
const playHugetlb = (steps: string) => play(`${READY}\n${steps}`, undefined, HUGETLB);

/** One word per PMD of a region: `-`, or `page`, with `+` when writable and `!` when it is this process' alone. */
function pmds({ state }: Played, region: number, process = 0): string {
  return state.processes[process]!.mm.pmds[region]!.map((pmd) => {
    if (pmd === null || pmd === 'table') return '-';
    return `page${pmd.write ? '+' : ''}${pmd.frame.exclusive ? '!' : ''}`;
  }).join(' ');
}

describe('hugetlb', () => {
  it('has a page for a read, which a private mapping may not write to yet: hugetlb_no_page(), make_huge_pte()', () => {
    const read = playHugetlb('{cpu-read: "h[3]"}\n{cpu-read: "s[3]"}');
    expect(pmds(read, 0)).toBe('page! -');
    expect(pmds(read, 1)).toBe('page+');
    expect(pmds(playHugetlb('{cpu-read: "h[3]"}\n{cpu-write: "h[4]"}'), 0)).toBe('page+! -');
    expect(pmds(playHugetlb('{cpu-write: "h[512]"}'), 0)).toBe('- page+!');
  });

  it('shares private pages with a child until one of them writes: copy_hugetlb_page_range(), hugetlb_wp()', () => {
    const steps = '{cpu-write: "h[0]"}\n{cpu-write: "s[0]"}\n{fork: p1}';
    expect(pmds(playHugetlb(steps), 0)).toBe('page -');
    expect(pmds(playHugetlb(steps), 0, 1)).toBe('page -');
    expect(pmds(playHugetlb(steps), 1, 1)).toBe('-');
    const copied = playHugetlb(`${steps}\n{cpu-write: "h[1]", by: p1}`);
    expect(pmds(copied, 0, 1)).toBe('page+! -');
    expect(pmds(copied, 0)).toBe('page -');
    // Nobody else maps it any more.
    expect(pmds(playHugetlb(`${steps}\n{cpu-write: "h[1]", by: p1}\n{cpu-write: "h[2]"}`), 0)).toBe(
      'page+! -',
    );
  });

  it('is refused by migrations and cannot be exclusive: migrate_vma_setup(), check_vma_flags()', () => {
    const steps =
      '{migrate-to-dev: "h[0]", device: 0}\n{migrate-to-sys: s, device: 0}\n{exclusive: "s[0]", device: 0}';
    expect(outcomes(playHugetlb(steps)).slice(3)).toEqual(['EINVAL', 'EINVAL', 'EOPNOTSUPP']);
  });

  it('is written to by a device where it is, and keeps what a shared file has: hmm_vma_walk_hugetlb_entry()', () => {
    const steps = '{write: "s[5]", device: 0}\n{munmap: s}\n{mmap: s}\n{read: "s[5]", device: 0}';
    const { steps: played } = playHugetlb(steps);
    expect(played.at(-1)!.data![0]).toBeGreaterThan(0);
    expect(played.at(-1)!.faults).toBe(1);
  });

  it('is not resident, but counted apart: smaps_hugetlb_range()', () => {
    const { state } = playHugetlb(
      '{cpu-write: "h[0]"}\n{cpu-write: "s[0]"}\n{fork: p1}\n{cpu-read: "s[0]", by: p1}',
    );
    const [first, second] = expectSmaps(state, state.processes[0]!);
    expect(first!.vmFlags).toBe('rd wr mr mw me de ht sd');
    expect(first!.fields.Shared_Hugetlb).toEqual({ least: 2048, most: 2048 });
    expect(second!.fields.Shared_Hugetlb).toEqual({ least: 2048, most: 2048 });
    expect(first!.fields.Rss).toBeUndefined();
    expect(expectRss(state.processes[0]!)).toEqual({ anon: 0, file: 0, shmem: 0, swap: 0 });
  });

  it('is taken as a whole by what would split a mapping', () => {
    const { state } = playHugetlb('{cpu-read: "h[0]"}');
    const at = { region: 0, first: 0, count: 512 };
    expect(hazardOf(state, { op: 'munmap', by: 0, at })).toContain('part of hugetlb');
    expect(hazardOf(state, { op: 'munmap', by: 0, at: { ...at, count: 1024 } })).toBeUndefined();
    expect(hazardOf(state, { op: 'madvise', by: 0, at, advice: 'dontneed' })).toBeUndefined();
    expect(hazardOf(state, { op: 'madvise', by: 0, at, advice: 'cold' })).toBeDefined();
  });
});
