import { describe, expect, it } from 'vitest';
import { applyEnd } from '../../model/apply.ts';
import { expectMeminfo, type Gauges, SWAP_PAGES } from '../../model/meminfo.ts';
import { makeProfile } from '../../model/profile.ts';
import { play, STOCK } from './play.ts';

/** The lines that differ from before the program, but for AnonPages. */
function moved(steps: string, regions = '{a: 4}', profile = STOCK): Partial<Gauges> {
  return differing(play(steps, profile, regions).state);
}

function differing(state: Parameters<typeof expectMeminfo>[0]): Partial<Gauges> {
  const exact = Object.entries(expectMeminfo(state)).map(([name, { least, most }]) => {
    expect(most).toBe(least);
    return [name, least] as const;
  });
  return Object.fromEntries(exact.filter(([name, value]) => value !== 0 && name !== 'AnonPages'));
}

const HUGE = '{mmap: a}\n{open: 0}\n{madvise: a, advice: hugepage}\n{cpu-write: a}';
const OUT = '{mmap: a}\n{open: 0}\n{swapon: p0}\n{cpu-write: "a[0..2]"}\n{madvise: a, advice: pageout}';

describe('lines of /proc/meminfo', () => {
  it('count PMDs of folios in RAM and on devices, each folio once, until its last PMD is split: __folio_mod_stat()', () => {
    expect(moved(HUGE, '{a: {pmds: 1}}')).toEqual({ AnonHugePages: 2048 });
    const there = `${HUGE}\n{migrate-to-dev: a, device: 0}`;
    expect(moved(there, '{a: {pmds: 1}}')).toEqual({ AnonHugePages: 2048 });
    expect(moved(`${there}\n{fork: p1}`, '{a: {pmds: 1}}')).toEqual({ AnonHugePages: 2048 });
    const half = `${there}\n{fork: p1}\n{munmap: "a[0]"}`;
    expect(moved(half, '{a: {pmds: 1}}')).toEqual({ AnonHugePages: 2048 });
    expect(moved(`${half}\n{munmap: "a[0]", by: p1}`, '{a: {pmds: 1}}')).toEqual({});
  });

  it('count pages that entries map, each once, in RAM and on devices, until the last is gone: __folio_mod_stat()', () => {
    const anonymous = (steps: string, regions = '{a: 4}') =>
      expectMeminfo(play(steps, STOCK, regions).state).AnonPages!.most;
    const there = '{mmap: a}\n{open: 0}\n{cpu-write: "a[0..1]"}\n{migrate-to-dev: "a[1..2]", device: 0}';
    expect(anonymous(there)).toBe(12);
    expect(anonymous(`${there}\n{fork: p1}`)).toBe(12);
    expect(anonymous(`${there}\n{fork: p1}\n{cpu-write: "a[0]"}\n{munmap: "a[1]"}`)).toBe(16);
    expect(anonymous(`${there}\n{munmap: a}`)).toBe(0);
    expect(anonymous('{mmap: a}\n{cpu-read: a}')).toBe(0);
    expect(anonymous(HUGE, '{a: {pmds: 1}}')).toBe(2048);
    // The folio is as large as it was, and has a page that nobody has.
    expect(anonymous(`${HUGE}\n{migrate-to-dev: a, device: 0}\n{munmap: "a[0]"}`, '{a: {pmds: 1}}')).toBe(
      2044,
    );
    const { state } = play(there);
    applyEnd(state);
    expect(expectMeminfo(state).AnonPages).toEqual({ least: 0, most: 0 });
  });

  it('do not count the huge zero page', () => {
    expect(moved('{mmap: a}\n{madvise: a, advice: hugepage}\n{cpu-read: a}', '{a: {pmds: 1}}')).toEqual({});
  });

  it('count pages that are mlocked, also those on a device, and those of them in RAM as unevictable', () => {
    const locked = '{mmap: a}\n{open: 0}\n{release: a, device: 0}\n{cpu-write: "a[0..1]"}\n{mlock: a}';
    expect(moved(locked)).toEqual({ Mlocked: 16, Unevictable: 16 });
    const there = `${locked}\n{migrate-to-dev: "a[0]", device: 0}`;
    expect(moved(there)).toEqual({ Mlocked: 16, Unevictable: 12 });
    expect(moved(`${there}\n{munmap: a}`)).toEqual({});
    // munlock() passes by what is on a device, and nobody looks when that is free: free_zone_device_folio().
    const forgotten = `${there}\n{munlock: a}\n{munmap: a}`;
    expect(moved(forgotten)).toEqual({ Mlocked: 4 });
    expect(moved(`${forgotten}\n{release: a, device: 0}`)).toEqual({ Mlocked: 4 });
    // The page that is handed out next is still mlocked, and is not counted again.
    const again = `${forgotten}\n{mmap: a}\n{cpu-write: "a[0]"}\n{mlock: "a[0]"}\n{migrate-to-dev: "a[0]", device: 0}`;
    expect(moved(again)).toEqual({ Mlocked: 4 });
    expect(moved(`${again}\n{munmap: a}`)).toEqual({});
  });

  it('do not say whether an earlier program left a device page mlocked', () => {
    const steps =
      '{mmap: a}\n{open: 0}\n{cpu-write: "a[0]"}\n{mlock: "a[0]"}\n{migrate-to-dev: "a[0]", device: 0}';
    expect(expectMeminfo(play(steps).state).Mlocked).toEqual({ least: 0, most: 4 });
    expect(expectMeminfo(play(`${steps}\n{munmap: a}`).state).Mlocked).toEqual({ least: -4, most: 0 });
  });

  it('count slots of the swap device, as long as an entry or the swap cache has them: swap_range_alloc()', () => {
    const all = SWAP_PAGES * 4;
    expect(moved('{mmap: a}\n{swapon: p0}')).toEqual({ SwapFree: all });
    expect(moved(OUT)).toEqual({ SwapFree: all - 12 });
    expect(moved(`${OUT}\n{fork: p1}`)).toEqual({ SwapFree: all - 12 });
    expect(moved(`${OUT}\n{cpu-read: a}`)).toEqual({ SwapFree: all });
    expect(moved(`${OUT}\n{swapoff: p0}`)).toEqual({});
  });

  it('count pages that came in for one process while another has an entry of their slots: __swap_cache_add_folio()', () => {
    expect(moved(`${OUT}\n{fork: p1}\n{cpu-read: "a[0]"}`)).toEqual({
      SwapCached: 4,
      SwapFree: SWAP_PAGES * 4 - 12,
    });
  });

  it('do not have the slots of 6.12, which each CPU takes in advance: swap_slots.c', () => {
    const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
    expect(expectMeminfo(play(OUT, old).state)).not.toHaveProperty('SwapFree');
  });

  it('count pages of files by their kind, until the last process has ended', () => {
    const shmem = '{mmap: a}\n{cpu-read: "a[0..1]"}\n{munmap: a}';
    expect(moved(shmem, '{a: {pages: 4, backing: shared-shmem}}')).toEqual({ Shmem: 8 });
    // Those of ramfs are there from the start.
    expect(moved('{mmap: a}', '{a: {pages: 4, backing: shared-file}}')).toEqual({ Unevictable: 16 });
    const { state } = play(shmem, STOCK, '{a: {pages: 4, backing: shared-shmem}}');
    applyEnd(state);
    expect(differing(state)).toEqual({});
  });

  it('count pages that are taken from the pool of hugetlb: dequeue_hugetlb_folio_node_exact()', () => {
    const regions = '{a: {pmds: 2, backing: private-hugetlb}}';
    expect(moved('{mmap: a}', regions)).toEqual({});
    expect(moved('{mmap: a}\n{cpu-write: a}', regions)).toEqual({ HugePages_Free: -2 });
    expect(moved('{mmap: a}\n{cpu-write: a}\n{fork: p1}\n{cpu-write: "a[0]"}', regions)).toEqual({
      HugePages_Free: -3,
    });
    expect(moved('{mmap: a}\n{cpu-write: a}\n{munmap: a}', regions)).toEqual({});
  });
});
