import { describe, expect, it } from 'vitest';
import { observe } from '../../model/observe.ts';
import { pageFlags } from '../../model/page-flags.ts';
import { fileWord } from '../../model/program.ts';
import { expectSmaps } from '../../model/smaps.ts';
import { expectRss } from '../../model/status.ts';
import { devicePages, last, outcomes, type Played, play, pte } from './play.ts';

const FILES =
  '{s: {pages: 4, backing: shared-shmem}, p: {pages: 4, backing: private-filled-shmem}, f: {pages: 2, backing: shared-file}}';
const [SHARED, PRIVATE] = [0, 1];
const playFiles = (steps: string) => play(steps, undefined, FILES);

const READY = `
  {mmap: s}
  {swapon: p0}
  {open: 0}
  {cpu-write: "s[0..2]"}
  {cpu-read: "s[3]"}`;
const OUT = `${READY}
  {madvise: s, advice: pageout}`;
const PRIVATE_OUT = `
  {mmap: p}
  {swapon: p0}
  {cpu-read: p}
  {madvise: p, advice: pageout}`;

/** What the page cache has: `-`, `ram`, `swap`. */
function cache({ state }: Played, region: number): string {
  return state.files[region]!.pages.map((page) => page?.kind ?? '-').join(' ');
}

/** A region's line Swap of smaps, in pages; one for each mapping. */
function swapOf({ state }: Played, region: number, process = 0): number[] {
  return expectSmaps(state, state.processes[process]!)
    .filter((mapping) => mapping.region === region)
    .map(({ fields }) => fields.Swap!.least / 4);
}

describe('a page of shmem that reclaim takes', () => {
  it('goes to swap from the page cache, and no entry tells where it is: shmem_writeout()', () => {
    const played = playFiles(OUT);
    const { state } = played;
    expect(cache(played, SHARED)).toBe('swap swap swap -');
    expect(state.processes[0]!.mm.ptes[SHARED]).toEqual([null, null, null, null]);
    expect(expectRss(state.processes[0]!)).toEqual({ anon: 0, file: 0, shmem: 0, swap: 0 });
    expect(observe(state)[SHARED]!.pages.map(({ mincore, fileInSwap }) => [mincore, fileInSwap])).toEqual([
      [0, true],
      [0, true],
      [0, true],
      [0, false],
    ]);
    expect(state.vmEvents).toMatchObject({ pswpout: 3, swpout_zero: 0 });
  });

  it('is lost to devices first: try_to_unmap_one()', () => {
    const { state } = playFiles(`${READY}\n{read: s, device: 0}\n{madvise: "s[0..1]", advice: pageout}`);
    expect(devicePages(state, 0, 0, SHARED)).toBe('---w');
  });

  it('stays where it is pinned, or mapped by somebody else: shrink_folio_list()', () => {
    const pinned = playFiles(`${READY}\n{pin: "s[0]"}\n{madvise: s, advice: pageout}`);
    expect(cache(pinned, SHARED)).toBe('ram swap swap -');
    const shared = playFiles(
      `${READY}\n{fork: p1}\n{cpu-write: "s[1]", by: p1}\n{madvise: s, advice: pageout}`,
    );
    expect(cache(shared, SHARED)).toBe('swap ram swap -');
  });

  it('comes back dirty, for whoever faults, and leaves its slot: shmem_swapin_folio()', () => {
    const played = playFiles(`${OUT}\n{fork: p1}\n{cpu-read: "s[0]", by: p1}\n{write: "s[1]", device: 0}`);
    expect(cache(played, SHARED)).toBe('ram ram swap -');
    const back = pte(played.state, 1, 0, SHARED)!.frame;
    expect(pageFlags(back, played.state)!.set).toEqual(
      expect.arrayContaining(['DIRTY', 'SWAPBACKED', 'ACTIVE']),
    );
    expect(pageFlags(back, played.state)!.set).not.toContain('SWAPCACHE');
    expect(played.state.vmEvents).toMatchObject({ pswpin: 2 });
    expect(outcomes(playFiles(`${OUT}\n{exclusive: "s[2]", device: 0}`)).at(-1)).toBe('EOPNOTSUPP');
  });

  it('is not brought back by those who only look, or migrate: migrate_vma_collect_hole()', () => {
    const played = playFiles(
      `${OUT}\n{migrate-to-dev: s, device: 0}\n{snapshot: s, device: 0}\n{munlock: s}`,
    );
    expect(outcomes(played).slice(-3)).toEqual(['ENOENT', 'success', 'success']);
    expect(cache(played, SHARED)).toBe('swap swap swap -');
  });

  it('is not mapped by faults around it: filemap_map_pages()', () => {
    const { state } = playFiles(`${OUT}\n{cpu-read: "s[1]"}\n{cpu-read: "s[0]"}`);
    expect(state.processes[0]!.mm.ptes[SHARED]!.map((entry) => entry !== null)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('private mappings of shmem in swap', () => {
  it('copy what comes back: do_cow_fault()', () => {
    const played = playFiles(`${PRIVATE_OUT}\n{cpu-write: "p[0]"}\n{cpu-read: "p[1]"}`);
    expect(cache(played, PRIVATE)).toBe('ram ram swap swap');
    expect(last(played).data).toEqual([Number(fileWord(PRIVATE, 1))]);
    expect(pte(played.state, 0, 0, PRIVATE)!.frame.file).toBeNull();
  });

  it('count, while they are writable, what they have no entry of: smaps_pte_hole()', () => {
    const copied = `${PRIVATE_OUT}\n{cpu-write: "p[0]"}\n{cpu-read: "p[0]"}`;
    expect(swapOf(playFiles(copied), PRIVATE)).toEqual([3]);
    // Its own copy, and the pages of the file that it has no entry of.
    const both = `${copied}\n{madvise: "p[0]", advice: pageout}`;
    expect(swapOf(playFiles(both), PRIVATE)).toEqual([4]);
  });

  it('count all that the file has in swap, while they are read-only: smap_gather_stats()', () => {
    const steps = `${PRIVATE_OUT}
      {fork: p1}
      {cpu-write: "p[0]"}
      {cpu-read: "p[0]", by: p1}
      {madvise: "p[0]", advice: pageout, by: p1}`;
    expect(swapOf(playFiles(steps), PRIVATE)).toEqual([3]);
    expect(swapOf(playFiles(`${steps}\n{mprotect: p, protection: read}`), PRIVATE)).toEqual([4]);
    expect(swapOf(playFiles(`${OUT}\n{munmap: "s[1]"}`), SHARED)).toEqual([1, 1]);
  });
});

describe('swapoff', () => {
  it('has all pages of shmem in the page cache again, where nothing maps them: shmem_unuse()', () => {
    const played = playFiles(`${OUT}\n{swapoff: p0}`);
    expect(cache(played, SHARED)).toBe('ram ram ram -');
    expect(played.state.processes[0]!.mm.ptes[SHARED]).toEqual([null, null, null, null]);
    expect(played.state.files[SHARED]!.pages[0]).toMatchObject({ dirty: true, mapcount: 0, cached: null });
  });

  it('leaves reclaim of shmem nowhere to go: shmem_writeout()', () => {
    const played = playFiles(`${OUT}\n{swapoff: p0}\n{cpu-read: s}\n{madvise: s, advice: pageout}`);
    expect(cache(played, SHARED)).toBe('ram ram ram -');
  });
});
