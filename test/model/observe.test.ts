import { describe, expect, it } from 'vitest';
import { drainLru, settleOnLru } from '../../model/lru.ts';
import { MINCORE_UNMAPPED } from '../../model/observation.ts';
import {
  type ExpectedRegion,
  observationFaults,
  observe,
  observeProcesses,
  observers,
} from '../../model/observe.ts';
import { SCAN_CATEGORIES } from '../../model/page-scan.ts';
import { makeProfile } from '../../model/profile.ts';
import { play, pte, STOCK } from './play.ts';

const mixed = `
  {mmap: a}
  {cpu-read: "a[0]"}
  {cpu-write: "a[1]"}
  {open: 0}
  {open: 1}
  {migrate-to-dev: "a[2]", device: 0}`;

describe('SNAPSHOT (dmirror_mkentry)', () => {
  it('tells the zero page, RAM, this device and nothing apart', () => {
    const [a] = observe(play(mixed).state);
    expect(a!.snapshots).toEqual([
      { device: 0, bytes: Uint8Array.of(0x11, 0x02, 0x22, 0x00) },
      { device: 1, bytes: Uint8Array.of(0x11, 0x02, 0x00, 0x00) },
    ]);
  });

  it('is an error byte where nothing is mapped or readable', () => {
    const regions = observe(play('{mmap: a, protection: none}\n{open: 0}').state);
    for (const { snapshots } of regions) expect(snapshots[0]!.bytes).toEqual(new Uint8Array(4).fill(0xff));
  });

  it('is taken through files that the process opened itself', () => {
    const regions = observe(
      play(
        `${mixed}\n{fork: p1}\n{open: 1, by: p1}`.replace(
          '{open: 1, by: p1}',
          '{close: 1, by: p1}\n{open: 1, by: p1}',
        ),
      ).state,
    );
    const devices = regions.map(({ process, snapshots }) => [process, snapshots.map((s) => s.device)]);
    expect(devices).toEqual([
      [0, [0, 1]],
      [0, [0, 1]],
      [1, [1]],
      [1, [1]],
    ]);
  });
});

describe('pagemap (pte_to_pagemap_entry)', () => {
  it('is soft-dirty throughout in a new mapping, where the kernel has soft-dirty bits, and outside of none', () => {
    const steps = '{mmap: a}\n{munmap: "a[3]"}\n{cpu-read: "a[0]"}';
    const softDirty = (profile = STOCK) =>
      observe(play(steps, profile).state)[0]!.pages.map((page) => page.softDirty);
    expect(softDirty()).toEqual([true, true, true, false]);
    expect(softDirty(makeProfile({ kernel: '7.3', design: 'pfn', arch: 'aarch64' }))).not.toContain(true);
    const without = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64', softDirty: false });
    expect(softDirty(without)).not.toContain(true);
  });

  it('is exclusive for a page in RAM that is mapped once', () => {
    const exclusive = (steps: string) => observe(play(steps).state)[0]!.pages.map((page) => page.exclusive);
    expect(exclusive(mixed)).toEqual([false, true, false, false]);
    expect(exclusive(`${mixed}\n{fork: p1}`)).toEqual([false, false, false, false]);
  });
});

describe('mincore (mincore_pte_range)', () => {
  it('has pages of a device in core, and nothing where nothing was touched', () => {
    const [a] = observe(play(`${mixed}\n{munmap: "a[1]"}`).state);
    expect(a!.pages.map((page) => page.mincore)).toEqual([1, MINCORE_UNMAPPED, 1, 0]);
  });
});

describe('PAGEMAP_SCAN (pagemap_page_category)', () => {
  const categories = (steps: string, profile = STOCK) =>
    observe(play(steps, profile).state)[0]!.pages.map((page) =>
      page.categories === undefined
        ? undefined
        : Object.entries(SCAN_CATEGORIES)
            .filter(([, bit]) => page.categories! & bit)
            .map(([name]) => name)
            .join(' '),
    );
  const aarch64 = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'aarch64' });
  const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'aarch64' });

  it('calls pages of a device swapped, and knows the zero page', () => {
    expect(categories(mixed, aarch64)).toEqual(['PRESENT PFNZERO', 'PRESENT', 'SWAPPED', '']);
    expect(categories(`${mixed}\n{munmap: "a[3]"}`)).toEqual([
      'PRESENT PFNZERO SOFT_DIRTY',
      'PRESENT SOFT_DIRTY',
      'SWAPPED SOFT_DIRTY',
      undefined,
    ]);
  });

  it('calls what is not write-protected written in 6.12, empty entries of a page table included', () => {
    expect(categories(mixed, old)).toEqual([
      'WRITTEN PRESENT PFNZERO',
      'WRITTEN PRESENT',
      'WRITTEN SWAPPED',
      'WRITTEN',
    ]);
    expect(categories('{mmap: a}', old)).toEqual(['', '', '', '']);
  });

  it('sees page tables come with the first entry and by fork, and go with the last mapping (6.12)', () => {
    const both = (steps: string) =>
      observe(play(steps, old).state)
        .filter(({ region }) => region === 0)
        .map(({ pages }) => pages.map((page) => page.categories));
    const written = SCAN_CATEGORIES.WRITTEN;
    const touched = '{mmap: a}\n{cpu-write: "a[0]"}';
    expect(both(`${touched}\n{fork: p1}`).map((pages) => pages.slice(1))).toEqual([
      [written, written, written],
      [written, written, written],
    ]);
    // Without an anon_vma nothing is copied (vma_needs_copy).
    expect(both('{mmap: a}\n{cpu-read: "a[0]"}\n{fork: p1}')[1]).toEqual([0, 0, 0, 0]);
    expect(both(`${touched}\n{munmap: "a[0..2]"}`)[0]![3]).toBe(written);
    expect(both(`${touched}\n{munmap: a}\n{mmap: a}`)).toEqual([[0, 0, 0, 0]]);
  });

  it('sees a page table that begins with a page that is there (6.12)', () => {
    const { state } = play('{mmap: a}\n{cpu-write: "a[512]"}', old, '{a: {pmds: 3}}');
    const [{ pages }] = observe(state) as [ExpectedRegion];
    const [before, behind, next] = [511, 513, 1024].map((page) => pages[page]!.categories);
    expect([before, behind, next]).toEqual([0, SCAN_CATEGORIES.WRITTEN, 0]);
  });
});

describe('observers', () => {
  const order = (index: number, text: string) => {
    const { state, program } = play(text);
    return observers(state, program.steps, index).map(({ id }) => id);
  };

  it('begin with who made the step, and end with who makes the next one', () => {
    const forked =
      '{mmap: a}\n{fork: p1}\n{fork: p2}\n{cpu-write: a, by: p1}\n{cpu-read: a, by: p2}\n{cpu-read: a}';
    expect(order(2, forked)).toEqual([0, 2, 1]);
    expect(order(3, forked)).toEqual([1, 0, 2]);
    expect(order(4, forked)).toEqual([2, 1, 0]);
    expect(order(5, forked)).toEqual([0, 1, 2]);
  });

  it('are those that live', () => {
    expect(order(2, '{mmap: a}\n{fork: p1}\n{exit: p0}\n{mmap: b, by: p1}')).toEqual([1]);
  });

  it('cause faults in that order where they may not read', () => {
    const hidden = `{mmap: a}\n{cpu-write: "a[0..1]"}\n{mprotect: a, protection: none}\n{fork: p1}\n{munmap: "a[0]", by: p1}\n{munmap: b}`;
    const { state, program } = play(hidden);
    const pages = observationFaults(state, observers(state, program.steps, 4)).map(({ page }) => page);
    expect(pages).toEqual([1, 0, 1]);
  });
});

describe('/proc/PID/status (task_mem)', () => {
  const anon = (steps: string) => observeProcesses(play(steps).state).map(({ rss }) => rss.anon);

  it('counts pages of devices as anonymous, and the zero page not', () => {
    expect(anon(mixed)).toEqual([8]);
    expect(anon(`${mixed}\n{fork: p1}`)).toEqual([8, 8]);
    expect(anon(`${mixed}\n{fork: p1}\n{munmap: "a[2]", by: p1}`)).toEqual([8, 4]);
  });

  it('is changed by a hole that becomes a device page, not by pages that move', () => {
    const moved = '{mmap: a}\n{cpu-write: "a[0]"}\n{open: 0}\n{migrate-to-dev: "a[0..1]", device: 0}';
    expect(anon(moved)).toEqual([8]);
    expect(anon(`${moved}\n{migrate-to-sys: a, device: 0}`)).toEqual([8]);
  });
});

describe('kpageflags (stable_page_flags)', () => {
  it('leaves PG_lru free until the batch is drained, for pages up to one that has it', () => {
    const { state } = play('{mmap: a}\n{cpu-write: "a[0..2]"}');
    const free = () =>
      observe(state)[0]!.pages.map((page) => page.flags?.free.map(({ flag }) => flag).join() ?? '');
    expect(free()).toEqual(['LRU', 'LRU', 'LRU', '']);
    settleOnLru(state, pte(state, 0, 1)!.frame);
    expect(free()).toEqual(['', '', 'LRU', '']);
    drainLru(state);
    expect(free()).toEqual(['', '', '', '']);
    expect(observe(state)[0]!.pages[2]!.flags!.set).toContain('LRU');
  });

  it('shows what a page is: exclusive until it is shared, dirty once it was migrated dirty', () => {
    const flags = (steps: string) =>
      observe(play(steps).state)[0]!
        .pages.slice(0, 2)
        .map((page) => page.flags?.set);
    const anon = ['UPTODATE', 'MMAP', 'ANON', 'SWAPBACKED'];
    expect(flags('{mmap: a}\n{cpu-read: "a[0]"}\n{cpu-write: "a[1]"}')).toEqual([
      ['ZERO_PAGE', 'RESERVED'],
      [...anon, 'ANON_EXCLUSIVE'],
    ]);
    expect(flags('{mmap: a}\n{cpu-write: "a[0]"}\n{fork: p1}')[0]).toEqual(anon);
    const returned =
      '{mmap: a}\n{cpu-write: "a[1]"}\n{open: 0}\n{migrate-to-dev: "a[0..1]", device: 0}\n{cpu-read: a}';
    // The second fault drained the batch that the first page waited in.
    expect(flags(returned)).toEqual([
      [...anon, 'ANON_EXCLUSIVE', 'LRU'],
      [...anon, 'ANON_EXCLUSIVE', 'DIRTY'],
    ]);
  });
});
