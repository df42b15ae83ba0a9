import { describe, expect, it } from 'vitest';
import { observationFaults } from '../../model/observe.ts';
import { makeProfile } from '../../model/profile.ts';
import type { Step } from '../../model/program.ts';
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

function vmas({ state }: Played, region: number): [number, number][] {
  return state.processes[0]!.mm.vmas[region]!.map(({ first, end }) => [first, end]);
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

  it('is cut at its pages only, and does not merge again: hugetlb_vm_op_split()', () => {
    const cut = playHugetlb(
      '{cpu-read: h}\n{munmap: "h[1]"}\n{mprotect: "h[512..600]", protection: read}\n{madvise: "h[3..4]", advice: hugepage}',
    );
    expect(outcomes(cut).slice(4)).toEqual(['EINVAL', 'EINVAL', 'EINVAL']);
    // The lower end was split before the upper one was refused.
    expect(vmas(cut, 0)).toEqual([
      [0, 512],
      [512, 1024],
    ]);
    expect(pmds(cut, 0)).toBe('page! page!');
    const unmapped = playHugetlb('{cpu-read: h}\n{munmap: "h[0..511]"}');
    expect(vmas(unmapped, 0)).toEqual([[512, 1024]]);
    expect(pmds(unmapped, 0)).toBe('- page!');
  });

  it('drops whole pages on DONTNEED, and refuses advice about reclaim: madvise_dontneed_free_valid_vma()', () => {
    const advised = playHugetlb(`{cpu-write: h}
      {madvise: "h[1..1023]", advice: dontneed}
      {madvise: "h[0..1022]", advice: dontneed}
      {madvise: h, advice: free}
      {madvise: h, advice: cold}
      {madvise: h, advice: pageout}
      {madvise: h, advice: collapse}
      {madvise: h, advice: mergeable}`);
    expect(outcomes(advised).slice(4)).toEqual([
      'EINVAL',
      'success',
      'EINVAL',
      'EINVAL',
      'EINVAL',
      'EINVAL',
      'success',
    ]);
    expect(pmds(advised, 0)).toBe('- page+!');
    expect(advised.state.ksmMms).toEqual([]);
  });

  it('moves by whole pages, and neither grows nor stays behind: align_hugetlb(), check_prep_vma()', () => {
    const moved = playHugetlb(`{cpu-write: "s[3]"}
      {cpu-read: "h[0]"}
      {mremap: "s[0..1]", to: "h[512..513]"}
      {cpu-read: "h[515]"}`);
    expect(outcomes(moved).slice(3)).toEqual(['success', 'success', 'success', 'success']);
    expect(moved.steps.at(-1)!.data![0]).toBeGreaterThan(0);
    expect(pmds(moved, 0)).toBe('page! page+');
    expect(vmas(moved, 1)).toEqual([]);
    const refused = playHugetlb(`{mremap: "s[1]", to: "h[1]"}
      {mremap: "s[0]", to: "h[1]"}
      {mremap: s, to: "h[0..511]", keep: true}
      {mremap: "h[0..99]", pages: 600}
      {mremap: "h[0..99]", pages: 300}
      {mremap: h, pages: 300}`);
    expect(outcomes(refused).slice(3)).toEqual([
      'EINVAL',
      'EINVAL',
      'EINVAL',
      'EINVAL',
      'success',
      'success',
    ]);
    expect(vmas(refused, 0)).toEqual([[0, 512]]);
  });

  it('is not mlocked, but faulted in: vma_supports_mlock()', () => {
    const locked = playHugetlb('{mlock: "h[511..512]"}');
    expect(pmds(locked, 0)).toBe('page+! page+!');
    expect(locked.state.processes[0]!.mm.vmas[0]!.map((vma) => vma.locked)).toEqual([false]);
  });

  it('is copied for a child while it is pinned, and goes to the pool with the pin: hugetlb_install_folio()', () => {
    const pinned = playHugetlb('{pin: "h[3..4]"}\n{fork: p1}');
    expect(pmds(pinned, 0)).toBe('page+! -');
    expect(pmds(pinned, 0, 1)).toBe('page+! -');
    const pool = (steps: string) => playHugetlb(`{pin: "h[3..4]"}\n{munmap: h}${steps}`).state.freeHugetlb;
    expect(pool('')).toEqual([]);
    expect(pool('\n{unpin: p0}')).toEqual([true]);
  });

  it('is asked once for a page that nobody may read', () => {
    const { state } = playHugetlb('{cpu-write: h}\n{mprotect: h, protection: none}');
    expect(observationFaults(state, [state.processes[0]!]).map(({ page }) => page)).toEqual([0, 512]);
  });

  it('leaves nothing reserved: clear_vma_resv_huge_pages()', () => {
    const { state } = playHugetlb('{cpu-read: "h[0]"}\n{cpu-read: "s[0]"}');
    const move = (from: number, count: number, to: number, first = 0): Step => ({
      op: 'mremap',
      by: 0,
      at: { region: from, first, count },
      to: { region: to, first: 0, count },
      how: 'move',
    });
    expect(hazardOf(state, move(0, 512, 1))).toContain('reserved');
    expect(hazardOf(state, move(0, 9, 1, 512))).toContain('reserved');
    expect(hazardOf(state, move(1, 512, 0))).toBeUndefined();
    expect(hazardOf(state, move(0, 1, 2))).toBeDefined();
  });

  it('is not forked by 6.12 where a child could write to what is read-only', () => {
    const profile = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
    const steps = `${READY}\n{pin: "h[3]"}\n{mprotect: h, protection: read}`;
    const fork: Step = { op: 'fork', by: 0, child: 1 };
    expect(hazardOf(play(steps, profile, HUGETLB).state, fork)).toContain('read-only');
    expect(hazardOf(play(steps, undefined, HUGETLB).state, fork)).toBeUndefined();
  });
});
