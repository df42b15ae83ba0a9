/** Page frames: what a struct page says, and how one comes and goes. */
import type { DeviceMinor } from './program.ts';
import type { AnonVma, DeviceFile, Mm, PageCache, State } from './state.ts';

/**
 * Pages of devices: of a private one, which no CPU can reach, or of a coherent one (model/coherent.ts); `swap`: a slot of the
 * swap device (model/swap.ts); `none`: of no entry.
 */
export type FrameKind = 'zero' | 'ram' | 'device' | 'coherent' | 'swap' | 'none';

/** A struct page. Its whole content is one repeated word, since every operation fills whole pages. */
export interface Frame {
  readonly id: number;
  /** compound_head(): the page itself, unless it is the tail of a folio of order 9. */
  head: Frame;
  /** Index in its folio. */
  offset: number;
  /** Of the head of a folio of order 9: all pages of it. */
  pages: Frame[] | null;
  /** As `pages`: how often entries map parts of the folio. Null for the huge zero page. */
  large: LargeMapcount | null;
  /** Of a head: PMDs that map the whole folio (folio->_entire_mapcount). */
  entireMapcount: number;
  readonly kind: FrameKind;
  /** Device frames: the minor whose chunk the page is from; -1 for RAM. */
  readonly minor: DeviceMinor;
  /** The 64-bit word that fills the page; below 2^53. */
  word: number;
  /** PTEs that map the page (page->_mapcount). */
  mapcount: number;
  /** Of a head: folio->mapping of an anonymous page. */
  anonVma: AnonVma | null;
  /** folio->mapping of a page of a file, which is there whether it is mapped or not. */
  file: PageCache | null;
  /** Of a head: folio->index, by which a reverse-mapping walk finds its place in each vma. */
  index: number;
  /** PageAnonExclusive. */
  exclusive: boolean;
  /** PG_dirty. Undefined: a kernel may show either (see Profile.devicePageFlagsCleared). */
  dirty: boolean | undefined;
  /** PG_referenced. Undefined as for `dirty`. */
  referenced: boolean | undefined;
  /** folio_test_ksm(): in the stable tree of KSM, by which its mappings are found, and not by `anonVma`. */
  ksm: boolean;
  /** Of a head: a page of hugetlb. */
  hugetlb: boolean;
  /** Of a head: pinned for DMA (FOLL_PIN), folio_maybe_dma_pinned(). */
  pinned: boolean;
  /** PG_swapbacked: not of pages that MADV_FREE took. Undefined: it may be left from an earlier life of the page. */
  swapBacked: boolean | undefined;
  /**
   * PG_active. Undefined: in a per-CPU batch of mm/folio.c that may be drained at any time (`State.activating`), or of
   * an earlier life of the device page: no kernel clears it when the page is handed out again (zone_device_page_init
   * clears only the lowest eight flags, if any); or of a page that has come back from swap late (`refaulted`).
   */
  active: boolean | undefined;
  /** Came in from swap: where PG_active is undefined, it was away for nobody knows how long. */
  refaulted: boolean;
  /** Of a slot: `State.nonresidentAge` when its page went. */
  evictedAt: number;
  /** Of a slot: its page was of zeroes, and was not written (swap_zeromap_folio_set). */
  inZeromap: boolean;
  /** PG_lru: certainly set, or still in a per-CPU batch of mm/folio.c that may be drained at any time. */
  onLru: boolean;
  /** PG_mlocked; undefined where an earlier life of a device page may have left it. */
  mlocked: boolean | undefined;
  /** PG_unevictable; undefined where an earlier life of a device page may have left it. */
  unevictable: boolean | undefined;
  /** folio->mlock_count of an unevictable page on the LRU. */
  mlockCount: number;
  /** Of a page in the swap cache: its slot. Of a slot: the page that the swap cache has of it. */
  cached: Frame | null;
  /** Device frames: the dmirror that the backing page points to, which is the file that migrated the page. */
  migrator: DeviceFile | null;
  /** Device frames: the page's place among all pages of its minor, chunk by chunk; decides the order of eviction. */
  position: number;
  /** Device frames: that of the device when it was handed out. */
  generation: number;
  /** Device frames: of the chunk that was made when the module was loaded. */
  isOfLoad: boolean;
  /** Whether `position` follows from the stack of free pages, or was seen, and is not a guess. */
  positionKnown: boolean;
}

/** folio->_large_mapcount and folio->_mm_ids: all entries of a large folio, and by whom, for two mms at most. */
export interface LargeMapcount {
  /** PTEs and PMDs; a PMD counts as one. */
  entries: number;
  readonly owners: [owner: Mm | null, owner: Mm | null];
  /** Entries of each owner. An mm that came when both places were taken is not counted. */
  readonly counts: [count: number, count: number];
  /** FOLIO_MM_IDS_SHARED_BIT: more than one mm maps the folio, or may. */
  shared: boolean;
}

export function newFrame(id: number, kind: FrameKind, minor: DeviceMinor): Frame {
  const frame: Frame = {
    id,
    head: null as unknown as Frame,
    offset: 0,
    pages: null,
    large: null,
    entireMapcount: 0,
    kind,
    minor,
    word: 0,
    mapcount: 0,
    anonVma: null,
    file: null,
    index: -1,
    exclusive: false,
    dirty: false,
    referenced: false,
    ksm: false,
    hugetlb: false,
    pinned: false,
    swapBacked: true,
    active: false,
    refaulted: false,
    evictedAt: 0,
    inZeromap: false,
    onLru: false,
    mlocked: false,
    unevictable: false,
    mlockCount: 0,
    cached: null,
    migrator: null,
    position: -1,
    generation: 0,
    isOfLoad: false,
    positionKnown: false,
  };
  frame.head = frame;
  return frame;
}

/** A page of RAM, on no LRU list yet (model/lru.ts, addToLru). */
export function newRamFrame(state: State, word: number): Frame {
  const frame = newFrame(state.nextId++, 'ram', -1);
  frame.word = word;
  return frame;
}

/**
 * The last reference is gone: dmirror_devmem_free() pushes a device page back to its stack. A page of RAM is mlocked no more
 * (__free_pages_prepare); a device page stays so, and is counted for ever (free_zone_device_folio).
 */
export function freeFrame(state: State, frame: Frame): void {
  if (frame.minor >= 0) {
    const device = state.devices[frame.minor]!;
    device.live.delete(frame);
    const { position, positionKnown: known, active, swapBacked, unevictable, mlocked } = frame;
    const free = frame.pages ? device.freeHuge : device.free;
    free.push({ position, known, active, swapBacked, unevictable, mlocked });
  } else {
    state.batched.delete(frame);
    state.activating.delete(frame);
    clearMlocked(state, frame);
    if (frame.hugetlb) state.freeHugetlb.push(frame.dirty === true);
  }
}

/** folio_test_set_mlocked(), and NR_MLOCK if it was clear. */
export function setMlocked({ mlocked }: State, frame: Frame): void {
  if (frame.mlocked === false) mlocked.least++;
  if (!frame.mlocked) mlocked.most++;
  frame.mlocked = true;
}

/** folio_test_clear_mlocked(), and NR_MLOCK if it was set. */
export function clearMlocked({ mlocked }: State, frame: Frame): void {
  if (frame.mlocked !== false) mlocked.least--;
  if (frame.mlocked) mlocked.most--;
  frame.mlocked = false;
}
