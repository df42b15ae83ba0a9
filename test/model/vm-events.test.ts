import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import type { VmEvents } from '../../model/vm-events.ts';
import { play, STOCK } from './play.ts';

/** The counters that moved. */
function moved(steps: string, profile = STOCK, regions = '{a: {pmds: 1}}'): Partial<VmEvents> {
  const { vmEvents } = play(steps, profile, regions).state;
  return Object.fromEntries(Object.entries(vmEvents).filter(([, count]) => count !== 0));
}

const HUGE = '{mmap: a}\n{open: 0}\n{madvise: a, advice: hugepage}\n{cpu-write: a}';

describe('counters of /proc/vmstat', () => {
  it('count folios that a fault or a migration of a hole makes: map_anon_folio_pmd_pf(), migrate_vma_insert_huge_pmd_page()', () => {
    expect(moved(HUGE)).toEqual({ thp_fault_alloc: 1 });
    expect(moved('{mmap: a}\n{open: 0}\n{migrate-to-dev: a, device: 0}')).toEqual({ thp_fault_alloc: 1 });
  });

  it('do not count migrations to devices and back, whole ones neither: only migrate_pages() does', () => {
    const there = `${HUGE}\n{migrate-to-dev: a, device: 0}`;
    expect(moved(there)).toEqual({ thp_fault_alloc: 1 });
    expect(moved(`${there}\n{migrate-to-sys: a, device: 0}`)).toEqual({ thp_fault_alloc: 1 });
  });

  it('count each PMD that is split, and each folio: __split_huge_pmd_locked(), __folio_split()', () => {
    expect(moved(`${HUGE}\n{munmap: "a[0]"}`)).toEqual({ thp_fault_alloc: 1, thp_split_pmd: 1 });
    const part = '{migrate-to-dev: "a[3]", device: 0}';
    expect(moved(`${HUGE}\n${part}`)).toEqual({ thp_fault_alloc: 1, thp_split_pmd: 1, thp_split_page: 1 });
    // 6.12 splits whatever it migrates.
    const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
    expect(moved(`${HUGE}\n{migrate-to-dev: a, device: 0}`, old)).toEqual({
      thp_fault_alloc: 1,
      thp_split_pmd: 1,
      thp_split_page: 1,
    });
  });

  it('count pages that are written to swap and read from it, those of zeroes apart: swap_writeout(), swap_read_folio()', () => {
    const out = '{mmap: a}\n{swapon: p0}\n{cpu-write: "a[0..2]"}\n{madvise: a, advice: pageout}';
    expect(moved(out, STOCK, '{a: 4}')).toEqual({ pswpout: 3 });
    expect(moved(`${out}\n{cpu-read: "a[0..1]"}`, STOCK, '{a: 4}')).toEqual({ pswpout: 3, pswpin: 2 });
    const empty = '{mmap: a}\n{open: 0}\n{swapon: p0}\n{migrate-to-dev: a, device: 0}\n{close: 0}';
    expect(moved(`${empty}\n{madvise: a, advice: pageout}\n{cpu-read: a}`, STOCK, '{a: 4}')).toEqual({
      swpout_zero: 4,
      swpin_zero: 4,
    });
  });

  it('count a folio that goes to swap as a whole by itself: __swap_writepage()', () => {
    expect(moved(`${HUGE}\n{swapon: p0}\n{madvise: a, advice: pageout}`)).toEqual({
      thp_fault_alloc: 1,
      thp_split_pmd: 1,
      thp_swpout: 1,
      pswpout: 512,
    });
  });
});
