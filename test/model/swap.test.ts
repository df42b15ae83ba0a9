import { describe, expect, it } from 'vitest';
import { observe } from '../../model/observe.ts';
import { pageFlags, REFAULT_SLACK } from '../../model/page-flags.ts';
import { makeProfile } from '../../model/profile.ts';
import { hazardOf } from '../../model/safe.ts';
import { expectSmaps } from '../../model/smaps.ts';
import { expectRss } from '../../model/status.ts';
import { devicePages, last, outcomes, pages, play, pte, STOCK } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

const READY = `
  {mmap: a}
  {cpu-write: a}
  {open: 0}
  {swapon: p0}`;
const OUT = `${READY}
  {madvise: a, advice: pageout}`;
const SHARED = `${OUT}
  {fork: p1}`;

/** Whether pages of a process are in the swap cache. */
function cached(state: Parameters<typeof pages>[0], process = 0): string {
  return state.processes[process]!.mm.ptes[0]!.map((entry) => (entry?.frame.cached ? 'c' : '-')).join('');
}

describe('a page that is swapped out', () => {
  it('leaves an exclusive entry, and the device forgets it: try_to_unmap_one()', () => {
    const { state } = play(`${READY}
      {read: a, device: 0}
      {madvise: "a[0..1]", advice: pageout}`);
    expect(pages(state)).toBe('swap swap ram+ ram+');
    // One page too many is invalidated.
    expect(devicePages(state, 0, 0)).toBe('---w');
    expect(pte(state, 0, 0)).toMatchObject({ readExclusive: true, frame: { mapcount: 1, cached: null } });
    expect(expectRss(state.processes[0]!)).toEqual({ anon: 8, file: 0, shmem: 0, swap: 8 });
  });

  it('comes back for a load as writable as it was, and dirty, since its slot is free: do_swap_page()', () => {
    const { state } = play(`${OUT}\n{cpu-read: "a[0]"}\n{cpu-write: "a[1]"}`);
    expect(pages(state)).toBe('ram+ ram+ swap swap');
    expect(pte(state, 0, 0)).toMatchObject({ dirty: false, young: true, frame: { dirty: true } });
    expect(pte(state, 0, 1)!.dirty).toBe(true);
  });

  it('of 6.12 comes back past the swap cache, and clean', () => {
    const { state } = play(`${OUT}\n{cpu-read: "a[0]"}`, old);
    expect(pte(state, 0, 0)).toMatchObject({ write: true, frame: { dirty: false } });
  });

  it('does not migrate, but a device has it faulted in: migrate_vma_collect_pmd(), hmm_vma_handle_pte()', () => {
    const played = play(`${OUT}
      {migrate-to-dev: a, device: 0}
      {read: a, device: 0}
      {migrate-to-dev: a, device: 0}`);
    expect(outcomes(played).slice(-3)).toEqual(['ENOENT', 'success', 'success']);
    expect(pages(played.state)).toBe('dev0+ dev0+ dev0+ dev0+');
  });

  it('is nothing to SNAPSHOT and mincore, and SWAPPED to PAGEMAP_SCAN', () => {
    const played = play(`${OUT}\n{snapshot: a, device: 0}`);
    expect([...last(played).bytes!]).toEqual([0, 0, 0, 0]);
    const [page] = observe(played.state)[0]!.pages;
    expect(page).toMatchObject({ mincore: 0, count: undefined, word: undefined });
    expect(page!.categories! & 0x18).toBe(0x10);
  });

  it('is not taken where it is on a device, pinned or shared: shrink_folio_list()', () => {
    const { state } = play(`${READY}
      {migrate-to-dev: "a[0]", device: 0}
      {exclusive: "a[1]", device: 0}
      {pin: "a[2]"}
      {madvise: a, advice: pageout}`);
    expect(pages(state)).toBe('dev0+ ram ram+ swap');
    const { state: shared } = play(`${READY}\n{fork: p1}\n{madvise: a, advice: pageout}`);
    expect(pages(shared)).toBe('ram ram ram ram');
  });

  it('keeps its entry when its protection changes, and its soft-dirty bit over a fork', () => {
    const { state } = play(`${SHARED}\n{mprotect: a, protection: read}`);
    expect(pte(state, 0, 0)).toMatchObject({ kind: 'swap', softDirty: true, readExclusive: false });
    expect(pte(state, 1, 0)).toMatchObject({ kind: 'swap', softDirty: true });
  });

  it('goes at once with MADV_FREE, and its slot with the last entry: madvise_free_pte_range()', () => {
    const { state } = play(`${SHARED}
      {madvise: "a[0..1]", advice: free}
      {madvise: "a[0]", advice: dontneed, by: p1}`);
    expect(pages(state)).toBe('- - swap swap');
    expect(pages(state, 1)).toBe('- swap swap swap');
    expect(pte(state, 1, 1)!.frame.mapcount).toBe(1);
  });
});

describe('entries that two processes have of one slot', () => {
  it('share it in SwapPss: smaps_pte_entry()', () => {
    const { state } = play(`${SHARED}\n{munmap: "a[0]", by: p1}`);
    const [mapping] = expectSmaps(state, state.processes[0]!);
    expect(mapping!.fields.Swap).toEqual({ least: 16, most: 16 });
    expect(mapping!.fields.SwapPss).toEqual({ least: 10, most: 10 });
  });

  it('have the page stay in the swap cache until the second comes: folio_free_swap()', () => {
    const { state } = play(`${SHARED}\n{cpu-read: "a[0..1]"}\n{cpu-read: "a[0]", by: p1}`);
    expect(pages(state)).toBe('ram ram swap swap');
    expect(pages(state, 1)).toBe('ram swap swap swap');
    // Of both processes: an entry of a page in the cache counts as resident.
    expect(cached(state)).toBe('-c--');
    expect(cached(state, 1)).toBe('-c--');
    expect(observe(state)[2]!.pages.map(({ mincore }) => mincore)).toEqual([1, 1, 0, 0]);
    expect(pte(state, 0, 0)!.frame).toMatchObject({ mapcount: 2, dirty: true, exclusive: false });
  });

  it('have the page stay there in 6.12 until it is written to: should_try_to_free_swap()', () => {
    const { state } = play(`${SHARED}\n{cpu-read: "a[0..1]"}\n{cpu-read: "a[0]", by: p1}`, old);
    expect(cached(state)).toBe('cc--');
    expect(pte(state, 0, 0)!.frame.cached!.mapcount).toBe(0);
  });

  it('have the first that writes make a copy, and the last have the page: wp_can_reuse_anon_folio()', () => {
    const { state } = play(`${SHARED}\n{cpu-write: "a[0]"}`);
    expect(pages(state)).toBe('ram+ swap swap swap');
    const kept = pte(state, 1, 0)!.frame.cached!;
    expect(kept.mapcount).toBe(0);
    const { state: after } = play(`${SHARED}\n{cpu-write: "a[0]"}\n{cpu-write: "a[0]", by: p1}`);
    expect(pte(after, 1, 0)).toMatchObject({ write: true, frame: { exclusive: true, cached: null } });
  });

  it('have a page belong to the oldest anon_vma: __folio_set_anon()', () => {
    const { state } = play(`${SHARED}\n{cpu-read: "a[0]", by: p1}`);
    expect(pte(state, 1, 0)!.frame.anonVma).toBe(state.processes[0]!.mm.vmas[0]![0]!.anonVma);
  });

  it('keep a page in the swap cache from a device: __migrate_device_pages(), folio_free_swap()', () => {
    const steps = `${SHARED}
      {cpu-read: "a[0..1]"}
      {migrate-to-dev: "a[0]", device: 0}`;
    const played = play(steps);
    expect(outcomes(played).at(-1)).toBe('ENOENT');
    expect(pages(played.state)).toBe('ram ram swap swap');
    expect(played.state.devices[0]!.live.size).toBe(0);
    const free = `${steps}\n{munmap: "a[0]", by: p1}`;
    const migrate = '{migrate-to-dev: "a[0]", device: 0}';
    expect(pages(play(`${free}\n${migrate}`).state)).toBe('dev0 ram swap swap');
    // 6.12 puts the device page into the swap cache, for good.
    const step = play(`{open: 0}\n${migrate}`).program.steps[1]!;
    expect(hazardOf(play(free).state, step)).toBeUndefined();
    expect(hazardOf(play(free, old).state, step)).toMatch(/never be free again/);
  });
});

describe('a swap device', () => {
  it('is added and taken away once: swapon(), swapoff()', () => {
    const played = play('{swapoff: p0}\n{swapon: p0}\n{swapon: p0}\n{swapoff: p0}');
    expect(outcomes(played)).toEqual(['EINVAL', 'success', 'EBUSY', 'success']);
  });

  it('that goes gives every page back, old and read-only: unuse_pte()', () => {
    const { state } = play(`${OUT}
      {cpu-read: "a[3]"}
      {migrate-to-dev: "a[3]", device: 0}
      {fork: p1}
      {cpu-read: "a[0]"}
      {munmap: "a[1]", by: p1}
      {munmap: "a[2]", by: p1}
      {swapoff: p1}`);
    expect(pages(state)).toBe('ram ram ram dev0');
    expect(pages(state, 1)).toBe('ram - - dev0');
    expect(cached(state)).toBe('----');
    expect(pte(state, 0, 1)).toMatchObject({ write: false, frame: { exclusive: false, dirty: true } });
    expect(expectRss(state.processes[1]!)).toEqual({ anon: 8, file: 0, shmem: 0, swap: 0 });
  });

  it('takes what is exclusive for that: pte_swp_exclusive()', () => {
    const { state } = play(`${OUT}\n{swapoff: p0}`);
    expect(pte(state, 0, 0)).toMatchObject({ write: false, frame: { exclusive: true } });
    expect(pages(play(`${OUT}\n{swapoff: p0}\n{madvise: a, advice: pageout}`).state)).toBe('ram ram ram ram');
  });
});

it('a page that comes in for an mlocked mapping is mlocked only if it was mapped before', () => {
  const { state } = play(`${SHARED}
    {mprotect: a, protection: read}
    {cpu-read: "a[0]", by: p1}
    {mlock: "a[0..1]"}`);
  expect(pte(state, 0, 0)!.frame.mlocked).toBe(true);
  expect(pte(state, 0, 1)!.frame.mlocked).toBe(false);
});

describe('a folio of order 9', () => {
  const huge = '{h: {pmds: 1}}';
  const MAPPED = `
    {mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: "h[0..1]"}`;
  const kinds = (steps: string, profile = STOCK) =>
    pages(play(`${MAPPED}\n${steps}`, profile, huge).state)
      .split(' ')
      .slice(0, 3)
      .join(' ');

  it('goes to swap whole, and comes back in pages: shrink_folio_list()', () => {
    const { state, steps } = play(`${MAPPED}\n{swapon: p0}\n{madvise: h, advice: pageout}`, STOCK, huge);
    expect(expectRss(state.processes[0]!)).toEqual({ anon: 0, file: 0, shmem: 0, swap: 2048 });
    expect(pte(state, 0, 511)).toMatchObject({ kind: 'swap', readExclusive: true });
    // It is not split.
    expect(steps.at(-1)!.events).toEqual([]);
    expect(kinds('{swapon: p0}\n{madvise: h, advice: pageout}\n{cpu-read: "h[1]"}')).toBe('swap ram+ swap');
  });

  it('is split where a part of it is meant: madvise_cold_or_pageout_pte_range()', () => {
    // What is all zeroes becomes the zero page.
    expect(kinds('{swapon: p0}\n{madvise: "h[1..511]", advice: pageout}')).toBe('ram+ swap zero');
  });

  it('is split without swap, too, and its pages are active', () => {
    const { state } = play(`${MAPPED}\n{madvise: h, advice: pageout}`, STOCK, huge);
    expect(pte(state, 0, 0)).toMatchObject({ huge: false, frame: { active: true, large: null } });
  });

  it('stays when it is pinned or shared', () => {
    const pinned = play(`${MAPPED}\n{pin: "h[0]"}\n{swapon: p0}\n{madvise: h, advice: pageout}`, STOCK, huge);
    expect(pinned.state.processes[0]!.mm.pmds[0]![0]).toMatchObject({ kind: 'present' });
    for (const profile of [STOCK, old]) {
      const steps = `${MAPPED}\n{swapon: p0}\n{fork: p1}\n{madvise: h, advice: pageout}`;
      expect(play(steps, profile, huge).state.processes[0]!.mm.pmds[0]![0]).toMatchObject({
        kind: 'present',
      });
    }
  });
});

it('a page that was away for long may be active or not: workingset_test_recent()', () => {
  const huge = '{h: {pmds: 2}}';
  const steps = `
    {mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: h}
    {swapon: p0}
    {madvise: h, advice: pageout}
    {cpu-read: "h[0]"}
    {cpu-read: "h[1023]"}`;
  const { state } = play(steps, STOCK, huge);
  expect(pageFlags(pte(state, 0, 0)!.frame, state)!.free).toContainEqual({
    flag: 'ACTIVE',
    slack: REFAULT_SLACK,
  });
  expect(pte(state, 0, 1023)!.frame.active).toBe(true);
});
