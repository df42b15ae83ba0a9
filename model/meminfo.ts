/**
 * Lines of /proc/meminfo (fs/proc/meminfo.c) that only what programs do moves in a guest, and that are exact once each CPU has
 * told what it counted by itself (mm/vmstat.c, vmstat_refresh).
 *
 * Others move behind a program's back: MemFree, MemAvailable, Slab, KReclaimable, Percpu and VmallocUsed with the kernel's own
 * memory; PageTables, KernelStack and Committed_AS with the agent's and dropbear's; Active, Inactive, Cached and
 * Mapped with the pages of their programs and what is on this CPU's LRU batches; HugePages_Rsvd with reservations, which the
 * model does not have. HugePages_Surp, ShmemHugePages and those of files are 0 in every program.
 */
import { PAGE_SIZE, PMD_PAGES } from './program.ts';
import type { Bounds } from './smaps.ts';
import type { Frame, State } from './state.ts';

/** Each with the kernel functions that count. */
export const MEMINFO = {
  SwapCached: '__swap_cache_add_folio, __swap_cache_del_folio (NR_SWAPCACHE)',
  Unevictable: 'lru_add, mlock_folio_batch (NR_UNEVICTABLE)',
  // Also of pages of devices, and for ever of those that are free before they are munlocked (free_zone_device_folio).
  Mlocked: 'mlock_folio, mlock_new_folio, __munlock_folio, __free_pages_prepare (NR_MLOCK)',
  SwapFree: 'swap_range_alloc, swap_range_free',
  // At the end of a program only: while it runs, its processes come to have pages that they shared with the agent.
  AnonPages: '__folio_mod_stat (NR_ANON_MAPPED)',
  Shmem: 'shmem_update_stats, filemap_unaccount_folio (NR_SHMEM)',
  // By PMDs, of folios in RAM and on devices.
  AnonHugePages: '__folio_mod_stat (NR_ANON_THPS)',
  HugePages_Free: 'dequeue_hugetlb_folio_node_exact, enqueue_hugetlb_folio',
} as const;

export type Gauge = keyof typeof MEMINFO;
export const GAUGES = Object.keys(MEMINFO) as Gauge[];
/** By how much a line differs from before the program, in its own unit: KiB, or huge pages. */
export type Gauges = Record<Gauge, number>;
export type ExpectedGauges = Partial<Record<Gauge, Bounds>>;

const PAGE_KIB = PAGE_SIZE / 1024;
/** Of the swap device that the agent makes (qemu/guest/swap.c, SWAP_BYTES), without that of its header. */
export const SWAP_PAGES = (256 << 20) / PAGE_SIZE - 1;

/** Those that this kernel has exact; Mlocked has bounds where a device page may be mlocked from an earlier life. */
export function expectMeminfo(state: State): ExpectedGauges {
  const { folios, slots } = inUse(state);
  const pages = { cached: 0, unevictable: 0, anonymous: 0, shmem: 0, huge: 0 };
  let hugetlb = 0;
  for (const head of folios) {
    const size = head.pages?.length ?? 1;
    if (head.cached) pages.cached += size;
    if (head.onLru && head.unevictable) pages.unevictable += size;
    if (head.file?.kind === 'shmem') pages.shmem += size;
    if (!head.file && !head.hugetlb) pages.anonymous += mappedPages(head);
    if (head.hugetlb) hugetlb++;
    else if (head.entireMapcount > 0) pages.huge += PMD_PAGES;
  }
  return {
    SwapCached: inKib(pages.cached),
    Unevictable: inKib(pages.unevictable),
    Mlocked: { least: state.mlocked.least * PAGE_KIB, most: state.mlocked.most * PAGE_KIB },
    ...(state.profile.swapSlotsAreCached
      ? {}
      : { SwapFree: inKib(state.swap ? SWAP_PAGES - slots.size : 0) }),
    AnonPages: inKib(pages.anonymous),
    Shmem: inKib(pages.shmem),
    AnonHugePages: inKib(pages.huge),
    HugePages_Free: exactly(-hugetlb),
  };
}

/** Pages of a folio that an entry maps. */
function mappedPages({ pages, mapcount, entireMapcount }: Frame): number {
  if (!pages) return Number(mapcount > 0);
  return entireMapcount > 0 ? PMD_PAGES : pages.filter((page) => page.mapcount > 0).length;
}

function exactly(value: number): Bounds {
  return { least: value, most: value };
}

function inKib(pages: number): Bounds {
  return exactly(pages * PAGE_KIB);
}

/**
 * All pages that somebody has, but for the zero pages, each folio by its head: what processes map and pin, what files hold,
 * which end with the last process, and what is in the swap cache; and all slots of the swap device.
 */
function inUse({ processes, files }: State): { folios: Set<Frame>; slots: Set<Frame> } {
  const folios = new Set<Frame>();
  const slots = new Set<Frame>();
  const add = ({ head }: Frame): void => {
    if (head.kind === 'zero' || head.kind === 'none') return;
    if (head.kind === 'swap') {
      slots.add(head);
      if (head.cached) folios.add(head.cached);
      return;
    }
    folios.add(head);
    if (head.cached) slots.add(head.cached);
  };
  let lives = false;
  for (const process of processes) {
    if (!process) continue;
    lives = true;
    for (const ptes of process.mm.ptes) for (const pte of ptes) if (pte) add(pte.frame);
    for (const pmds of process.mm.pmds) for (const pmd of pmds) if (pmd && pmd !== 'table') add(pmd.frame);
    for (const frame of process.pins ?? []) add(frame);
  }
  if (lives) for (const file of files) for (const page of file?.pages ?? []) if (page) add(page);
  return { folios, slots };
}
