/** /proc/kpageflags (fs/proc/page.c, stable_page_flags): which bits a page in RAM must show. */
import type { Profile } from './profile.ts';
import type { Frame, State } from './state.ts';

/** Bits of kpageflags by the names of include/uapi/linux/kernel-page-flags.h and its kernel-internal sibling. */
export const PAGE_FLAG_BITS = {
  LOCKED: 0,
  ERROR: 1,
  REFERENCED: 2,
  UPTODATE: 3,
  DIRTY: 4,
  LRU: 5,
  ACTIVE: 6,
  SLAB: 7,
  WRITEBACK: 8,
  RECLAIM: 9,
  BUDDY: 10,
  MMAP: 11,
  ANON: 12,
  SWAPCACHE: 13,
  SWAPBACKED: 14,
  COMPOUND_HEAD: 15,
  COMPOUND_TAIL: 16,
  HUGE: 17,
  UNEVICTABLE: 18,
  HWPOISON: 19,
  NOPAGE: 20,
  KSM: 21,
  THP: 22,
  OFFLINE: 23,
  ZERO_PAGE: 24,
  IDLE: 25,
  PGTABLE: 26,
  RESERVED: 32,
  MLOCKED: 33,
  /** PG_owner_2, which is PG_anon_exclusive for anonymous pages (6.12: the same bit as MAPPEDTODISK). */
  ANON_EXCLUSIVE: 34,
  PRIVATE: 35,
  PRIVATE_2: 36,
  OWNER_PRIVATE: 37,
  ARCH: 38,
  SOFTDIRTY: 40,
  ARCH_2: 41,
  ARCH_3: 42,
} as const;

export type PageFlag = keyof typeof PAGE_FLAG_BITS;

/** kpageflags with these bits. */
export function flagMask(flags: readonly PageFlag[]): bigint {
  return flags.reduce((mask, flag) => mask | (1n << BigInt(PAGE_FLAG_BITS[flag])), 0n);
}

/** A bit that may show either way, under the name that its use is counted by. */
export interface FreeFlag {
  flag: PageFlag;
  slack: string;
}

export interface ExpectedPageFlags {
  /** Bits that must be set; all others that are not free must be clear. */
  set: readonly PageFlag[];
  free: readonly FreeFlag[];
  /** The lower and the upper 32 bits of what `set` makes. */
  low: number;
  high: number;
  /** The lower 32 bits of `free`; there are none above. */
  freeLow: number;
}

/** Slack: a new page waits in a per-CPU batch until something drains it (folio_add_lru, mm/folio.c). */
export const LRU_SLACK = 'lru-batch';
/** Slack: flags of an earlier life of the device page (Profile.devicePageFlagsCleared, Frame.active). */
export const STALE_SLACK = 'stale-device-page-flags';

/**
 * Slack: whether a page comes back from swap soon enough to be active: the time is compared with the number of pages that the
 * whole guest has on some lists (workingset_test_recent).
 */
export const REFAULT_SLACK = 'refault-distance';

const LRU_FREE: FreeFlag = { flag: 'LRU', slack: LRU_SLACK };

/** What a frame has that its flags follow from; made once and shared, since each page is asked after each step. */
const MADE = new Map<number, ExpectedPageFlags>();

function make(set: readonly PageFlag[], free: readonly FreeFlag[] = []): ExpectedPageFlags {
  let [low, high, freeLow] = [0, 0, 0];
  for (const flag of set) {
    const bit = PAGE_FLAG_BITS[flag];
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  for (const { flag } of free) {
    if (PAGE_FLAG_BITS[flag] >= 32) throw new Error(`${flag} is in the upper half and cannot be free`);
    freeLow |= 1 << PAGE_FLAG_BITS[flag];
  }
  return { set, free, low: low >>> 0, high: high >>> 0, freeLow: freeLow >>> 0 };
}

/** PG_reserved is of a page that the page allocator never had; is_zero_pfn(). */
const ZERO_PAGE = make(['ZERO_PAGE', 'RESERVED']);
/** kpage_read(): a page that pfn_to_online_page() does not know, as none of ZONE_DEVICE. */
const OFFLINE = make([]);
const NO_PAGE = make(['NOPAGE']);
/** is_huge_zero_pfn(); the folio has no flags but PG_head (get_huge_zero_folio). */
const HUGE_ZERO = {
  head: make(['ZERO_PAGE', 'THP', 'COMPOUND_HEAD']),
  tail: make(['ZERO_PAGE', 'THP', 'COMPOUND_TAIL']),
};

/**
 * A mapped page of RAM. Of anonymous pages, only GUP and reclaim set REFERENCED and ACTIVE, only mlock UNEVICTABLE; those of
 * files also get to know of accesses when they are unmapped.
 */
export function pageFlags(frame: Frame, { profile, activating }: State): ExpectedPageFlags | undefined {
  // All flags but one are the head's, also of a tail page (snapshot_page).
  const { head } = frame;
  if (frame.kind === 'coherent') return coherentFlags(profile);
  if (frame.kind === 'zero') {
    return head.pages ? (frame === head ? HUGE_ZERO.head : HUGE_ZERO.tail) : ZERO_PAGE;
  }
  const isActivating = head.active === undefined && activating.has(head);
  if (head.cached || (head.refaulted && head.active === undefined))
    return mappedFlags(frame, isActivating, profile);
  const key =
    (head.pages ? (frame === head ? 1 : 2) : 0) +
    3 * (tristate(head.swapBacked) + 3 * (tristate(head.dirty) + 3 * tristate(head.referenced))) +
    81 * tristate(head.active) +
    243 * (Number(isActivating) + 2 * Number(profile.anonShowsKsm)) +
    972 * (Number(head.exclusive) + 2 * Number(head.onLru)) +
    3888 * (Number(head.mlocked) + 2 * tristate(head.unevictable)) +
    23328 * (Number(head.file !== null) + 2 * Number(head.ksm) + 4 * Number(head.hugetlb));
  const known = MADE.get(key);
  if (known) return known;
  const made = mappedFlags(frame, isActivating, profile);
  MADE.set(key, made);
  return made;
}

function coherentFlags({ showsCoherentPages, offlineIsNoPage }: Profile): ExpectedPageFlags | undefined {
  if (!showsCoherentPages) return undefined;
  return offlineIsNoPage ? NO_PAGE : OFFLINE;
}

/** Pages of hugetlb are on no LRU list, and nothing but the fault and the page cache sets flags of theirs. */
function hugetlbFlags(frame: Frame, set: PageFlag[], profile: Profile): ExpectedPageFlags {
  const { head } = frame;
  set.push('HUGE', frame === head ? 'COMPOUND_HEAD' : 'COMPOUND_TAIL');
  if (head.dirty) set.push('DIRTY');
  if (head.exclusive) set.push('ANON_EXCLUSIVE');
  if (profile.anonShowsKsm && !head.file) set.push('KSM');
  return make(set);
}

function tristate(flag: boolean | undefined): number {
  return flag === undefined ? 2 : flag ? 1 : 0;
}

function slackOf({ refaulted }: Frame, flag: PageFlag, isActivating: boolean): string {
  if (flag !== 'ACTIVE') return STALE_SLACK;
  return isActivating ? LRU_SLACK : refaulted ? REFAULT_SLACK : STALE_SLACK;
}

function mappedFlags(frame: Frame, isActivating: boolean, profile: Profile): ExpectedPageFlags {
  const { head } = frame;
  const set: PageFlag[] = head.file ? ['UPTODATE', 'MMAP'] : ['UPTODATE', 'MMAP', 'ANON'];
  const free: FreeFlag[] = [];
  if (head.hugetlb) return hugetlbFlags(frame, set, profile);
  if (head.pages) set.push('THP', frame === head ? 'COMPOUND_HEAD' : 'COMPOUND_TAIL');
  if (head.swapBacked) set.push('SWAPBACKED');
  else if (head.swapBacked === undefined) free.push({ flag: 'SWAPBACKED', slack: STALE_SLACK });
  // PG_swapcache is PG_owner_priv_1.
  if (head.cached) set.push('SWAPCACHE', 'OWNER_PRIVATE');
  if ((profile.anonShowsKsm && !head.file) || head.ksm) set.push('KSM');
  if (head.exclusive) set.push('ANON_EXCLUSIVE');
  if (head.mlocked) set.push('MLOCKED');
  for (const [flag, isSet] of [
    ['DIRTY', head.dirty],
    ['REFERENCED', head.referenced],
    ['ACTIVE', head.active],
    ['UNEVICTABLE', head.unevictable],
  ] as const) {
    if (isSet) set.push(flag);
    else if (isSet === undefined) free.push({ flag, slack: slackOf(head, flag, isActivating) });
  }
  if (head.onLru) set.push('LRU');
  else free.push(LRU_FREE);
  return make(set, free);
}
