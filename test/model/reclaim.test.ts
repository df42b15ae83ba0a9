import { describe, expect, it } from 'vitest';
import { devicePages, outcomes, pages, play, pte } from './play.ts';

const READY = `
  {mmap: a}
  {cpu-write: a}
  {open: 0}
  {migrate-to-dev: "a[0]", device: 0}`;

describe('madvise()', () => {
  it('DONTNEED zaps device pages too, and notifies for one page too many', () => {
    const { state } = play(`${READY}
      {read: "a[2..3]", device: 0}
      {madvise: "a[0..1]", advice: dontneed}`);
    expect(pages(state)).toBe('- - ram+ ram+');
    expect(devicePages(state, 0, 0)).toBe('---w');
    expect(state.devices[0]!.live.size).toBe(0);
  });

  it('FREE makes pages clean and takes PG_swapbacked, but not of device pages: madvise_free_pte_range()', () => {
    const { state } = play(`${READY}
      {madvise: a, advice: free}`);
    expect(pages(state)).toBe('dev0+ ram+ ram+ ram+');
    expect(pte(state, 0, 1)).toMatchObject({ dirty: false, frame: { dirty: false, swapBacked: false } });
    expect(devicePages(state, 0, 0)).toBe('----');
  });

  it('PAGEOUT takes pages that were freed, unless they were written to since: try_to_unmap_one()', () => {
    const { state } = play(`${READY}
      {madvise: "a[1..2]", advice: free}
      {cpu-write: "a[2]"}
      {madvise: a, advice: pageout}`);
    expect(pages(state)).toBe('dev0+ - ram+ ram+');
    expect(pte(state, 0, 2)!.frame).toMatchObject({ swapBacked: true, active: true });
    expect(pte(state, 0, 3)!.frame).toMatchObject({ swapBacked: true, active: true });
  });

  it('COLD undoes what made a page active: lru_deactivate()', () => {
    const { state } = play(`${READY}
      {madvise: a, advice: pageout}
      {madvise: "a[1]", advice: cold}`);
    expect([1, 2].map((page) => pte(state, 0, page)!.frame.active)).toEqual([false, true]);
  });

  it('leaves pages alone that another process maps, and says ENOMEM of holes', () => {
    const played = play(`${READY}
      {fork: p1}
      {munmap: "a[3]"}
      {madvise: a, advice: pageout}`);
    expect(pte(played.state, 0, 1)!.frame.active).toBe(false);
    expect(outcomes(played).at(-1)).toBe('ENOMEM');
  });
});

describe('clear_refs', () => {
  it('write-protects present entries and no others, and drops all entries of devices: clear_soft_dirty()', () => {
    const { state } = play(`${READY}
      {read: "a[2..3]", device: 0}
      {clear-refs: p0}`);
    expect(pages(state)).toBe('dev0+ ram ram ram');
    expect(devicePages(state, 0, 0)).toBe('----');
    expect(pte(state, 0, 0)!.softDirty).toBe(false);
  });

  it('misses a write to a page that was on a device meanwhile', () => {
    const { state } = play(`${READY}
      {clear-refs: p0}
      {migrate-to-sys: "a[0]", device: 0}
      {cpu-write: "a[0..1]"}`);
    expect([0, 1].map((page) => pte(state, 0, page)!.softDirty)).toEqual([false, true]);
  });
});
