import { expect, it } from 'vitest';
import { hugeEntry } from '../../model/page-table.ts';
import { makeProfile } from '../../model/profile.ts';
import { devicePages, outcomes, play, pte, STOCK } from './play.ts';

const older = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
const playHuge = (steps: string, profile = STOCK) => play(steps, profile, '{h: {pmds: 2}}');
const FIRST = 'h[0..511]';

it('copies small pages, zero pages and holes to a folio, dirty and writable: collapse_huge_page()', () => {
  const { state } = playHuge(`
    {mmap: h}
    {cpu-write: "h[0..1]"}
    {cpu-read: "h[2]"}
    {madvise: "${FIRST}", advice: collapse}`);
  const pmd = hugeEntry(state.processes[0]!.mm, 0, 0)!;
  expect(pmd).toMatchObject({ kind: 'present', huge: true, write: true, dirty: true, softDirty: true });
  const words = pmd.frame.pages!.map(({ word }) => word !== 0);
  expect(words.slice(0, 4)).toEqual([true, true, false, false]);
  expect(pmd.frame).toMatchObject({ exclusive: true, entireMapcount: 1, onLru: true });
});

it('brings back what devices have, and has them forget it: __collapse_huge_page_swapin()', () => {
  const { state, steps } = playHuge(`
    {mmap: h}
    {open: 0}
    {cpu-write: "h[0..3]"}
    {migrate-to-dev: "h[0]", device: 0}
    {exclusive: "h[1]", device: 0}
    {read: "h[2]", device: 0}
    {madvise: "${FIRST}", advice: collapse}`);
  expect(hugeEntry(state.processes[0]!.mm, 0, 0)).toMatchObject({ kind: 'present' });
  expect(steps.at(-1)!.events.map(({ name }) => name)).toEqual(['remove_migration_pte']);
  expect(devicePages(state, 0, 0).slice(0, 4)).toBe('----');
  expect(state.devices[0]!.live.size).toBe(0);
});

it('copies what a child has too, which keeps the small page alone', () => {
  const { state } = playHuge(`
    {mmap: h}
    {cpu-write: "h[0..1]"}
    {fork: p1}
    {cpu-write: "h[1]"}
    {madvise: "${FIRST}", advice: collapse}`);
  expect(hugeEntry(state.processes[0]!.mm, 0, 0)).toMatchObject({ write: true });
  expect(pte(state, 1, 0)).toMatchObject({ huge: false, write: false });
  expect(pte(state, 1, 0)!.frame.mapcount).toBe(1);
});

const COLLAPSE = '{madvise: h, advice: collapse}';

it.each([
  ['EINVAL', 'without an anon_vma', '{cpu-read: "h[0]"}'],
  ['EINVAL', 'after NOHUGEPAGE', '{cpu-write: h}\n{madvise: h, advice: nohugepage}'],
  ['EINVAL', 'where a PMD is none', '{cpu-write: "h[0]"}'],
  ['EAGAIN', 'of a pinned page', '{cpu-write: "h[0]"}\n{cpu-write: "h[512]"}\n{pin: "h[0]"}'],
  [
    'EBUSY',
    'of holes that userfaultfd hears of',
    '{cpu-write: "h[0]"}\n{uffd-open: p0}\n{uffd-register: "h[0..511]", for: missing}',
  ],
  ['ENOMEM', 'over a hole', '{cpu-write: "h[0]"}\n{munmap: "h[512..1023]"}'],
  [
    'success',
    'of huge pages',
    '{madvise: h, advice: hugepage}\n{cpu-write: "h[0]"}\n{cpu-read: "h[512]"}\n{cpu-write: "h[1]"}',
  ],
])('is %s %s', (outcome, _when, steps) => {
  expect(outcomes(playHuge(`{mmap: h}\n${steps}\n${COLLAPSE}`)).at(-1)).toBe(outcome);
});

it('goes on behind a PMD that is none, which 6.12 does not (SCAN_PMD_NONE)', () => {
  const steps = `
    {mmap: h}
    {cpu-write: "h[512]"}
    ${COLLAPSE}`;
  const isHuge = (profile: typeof STOCK) =>
    hugeEntry(playHuge(steps, profile).state.processes[0]!.mm, 0, 512) !== null;
  expect([STOCK, older].map(isHuge)).toEqual([true, false]);
});

it('wants a writable entry on 6.12 (SCAN_PAGE_RO), and a border of a PMD in the range', () => {
  const readOnly = `
    {mmap: h}
    {cpu-write: "h[0]"}
    {mprotect: "h[0..511]", protection: read}
    {madvise: "${FIRST}", advice: collapse}`;
  const within = '{mmap: h}\n{cpu-write: "h[0]"}\n{madvise: "h[1..2]", advice: collapse}';
  for (const steps of [readOnly, within]) {
    const results = [STOCK, older].map((profile) => outcomes(playHuge(steps, profile)).at(-1));
    expect(results).toEqual(['success', 'EINVAL']);
  }
});

it('is EINVAL for mappings of files, whatever they map, and in small regions: thp_vma_allowable_orders()', () => {
  const regions =
    '{f: {pages: 2, backing: private-file}, s: {pages: 2, backing: shared-shmem}, h: {pmds: 1, backing: shared-hugetlb}, a: 2}';
  for (const region of ['f', 's', 'h', 'a']) {
    const steps = `{mmap: ${region}}\n{cpu-write: ${region}}\n{madvise: ${region}, advice: collapse}`;
    expect([STOCK, older].map((profile) => outcomes(play(steps, profile, regions)).at(-1))).toEqual([
      'EINVAL',
      'EINVAL',
    ]);
  }
});
