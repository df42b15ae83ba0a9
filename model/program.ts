/**
 * Programs: lists of CPU and device operations on a few pages. The same program is run by the agent in a guest
 * (qemu/guest) and by the model (model/apply.ts).
 */

/** Test processes are numbered in order of creation; 0 is the program's first process. */
export type ProcessId = number;
/** Index into {@link Program.regions}. A region is a fixed range of virtual addresses, the same in every process. */
export type RegionId = number;
/** A minor of test_hmm: 0 and 1 are device private, 2 and 3 device coherent. */
export type DeviceMinor = number;
export const MINORS: readonly DeviceMinor[] = [0, 1, 2, 3];

/** hmm_dmirror_init() (lib/test_hmm.c): coherent memory is there for CPUs too, at addresses that the module is given. */
export function isCoherent(minor: DeviceMinor): boolean {
  return minor >= 2;
}

/** At most this many processes, regions and pages per region in one program (the agent's tables have this size). */
export const MAX_PROCESSES = 4;
export const MAX_REGIONS = 4;
export const MAX_REGION_PAGES = 64;
export const MAX_STEPS = 1024;
/** Pages that one PMD entry maps; the pages of a folio of order 9. */
export const PMD_PAGES = 512;
/** The most PMDs of a huge region ({@link isHugeRegion}). */
export const MAX_REGION_PMDS = 3;

/** A run of pages inside one region, in units of 4 KiB pages from the region's first page. `count` ≥ 1. */
export interface PageRange {
  region: RegionId;
  first: number;
  count: number;
}

export type Protection = 'none' | 'read' | 'read-write';

/** Advice of madvise(2) about what memory is still needed. */
export const RECLAIM_ADVICE = ['dontneed', 'free', 'cold', 'pageout'] as const;
export type ReclaimAdvice = (typeof RECLAIM_ADVICE)[number];
/** Advice about pages of equal content (KSM). */
export const MERGE_ADVICE = ['mergeable', 'unmergeable'] as const;
export type MergeAdvice = (typeof MERGE_ADVICE)[number];
/** Advice about transparent huge pages. */
export const HUGE_ADVICE = ['hugepage', 'nohugepage'] as const;
export type HugeAdvice = (typeof HUGE_ADVICE)[number];
export const ADVICE = [...RECLAIM_ADVICE, ...HUGE_ADVICE, 'collapse', ...MERGE_ADVICE] as const;
export type Advice = (typeof ADVICE)[number];

/** Operations that are test_hmm ioctls on pages, on a device fd of the process `by`. Each needs an `open` before it. */
export type DeviceOp =
  | 'read'
  | 'read-unlocked'
  | 'write'
  | 'migrate-to-dev'
  | 'migrate-to-sys'
  | 'snapshot'
  | 'exclusive'
  | 'check-exclusive'
  | 'release';

/**
 * What is wrong with the arguments of a device operation, and nothing else is:
 *
 * - `misaligned`: the address is one byte too high; `no-pages`: npages is 0; `wraps`: npages reaches beyond the end of
 *   all addresses; `excess-pages`: npages is 2^52 too many, which no check finds, since the bytes are the same modulo 2^64
 * - `bad-buffer`: hmm_dmirror_cmd.ptr is not mapped; `bad-command`: the struct itself is not
 * - `unknown`: a command number that test_hmm does not know, instead of the operation's own
 */
export const FLAWS = [
  'misaligned',
  'no-pages',
  'wraps',
  'excess-pages',
  'bad-buffer',
  'bad-command',
  'unknown',
] as const;
export type Flaw = (typeof FLAWS)[number];

/** What a range is registered for with userfaultfd: accesses to missing pages, writes to protected ones, or both. */
export const USERFAULT_KINDS = ['missing', 'wp', 'both'] as const;
export type UserfaultKind = (typeof USERFAULT_KINDS)[number];

/** What a userfaultfd does about a fault: it refuses it (UFFD_FEATURE_SIGBUS), or has a thread of the process answer. */
export const USERFAULT_MODES = ['sigbus', 'handler'] as const;
export type UserfaultMode = (typeof USERFAULT_MODES)[number];

/** What mremap(2) is asked for: MREMAP_FIXED; that and MREMAP_DONTUNMAP; neither, nor MREMAP_MAYMOVE. */
export const REMAP_KINDS = ['move', 'keep', 'resize'] as const;
export type RemapKind = (typeof REMAP_KINDS)[number];

/**
 * What is wrong with the arguments of mremap(2), and nothing else is:
 *
 * - `misaligned`, `misaligned-target`: the old, or the new, address is one byte too high
 * - `beyond`: the new address is the last page of all addresses
 * - `immovable`: MREMAP_FIXED without MREMAP_MAYMOVE; `unknown-flag`: a flag without a meaning
 */
export const REMAP_FLAWS = [
  'misaligned',
  'misaligned-target',
  'beyond',
  'immovable',
  'unknown-flag',
] as const;
export type RemapFlaw = (typeof REMAP_FLAWS)[number];

/**
 * One step. `by` is the process that acts.
 *
 * - `mmap` maps the whole region with MAP_FIXED_NOREPLACE, what it is backed by from the start; `munmap` unmaps `at`.
 * - `madvise` calls madvise(2); `clear-refs` writes 4 to the process's own /proc/self/clear_refs.
 * - `pin` pins pages for writing, for long (gup_test); `unpin` gives up all that the process has pinned.
 * - `ksmd` has ksmd run until it has merged what it can of pages of the same content, of all processes.
 * - `swapon` and `swapoff` add the guest's swap device, and take it away; without one, nothing is swapped out.
 * - `mprotect` gives pages another protection.
 * - `mlock` faults pages in and keeps them in RAM, as far as reclaim is concerned; `munlock` takes that back.
 * - `mremap` moves pages to `to` with mremap(2) (`move`), which unmaps what was there; leaves their mapping behind, empty
 *   (`keep`: MREMAP_DONTUNMAP); or has the mapping end where `to` ends, which begins where `at` does (`resize`).
 * - `uffd-open` makes the userfaultfd of `by`. Where it has a say, accesses are refused; or a handler answers each message
 *   with a zero page, or takes the protection of the page away. With `unpopulated`, pages can be
 *   protected that are not there (UFFD_FEATURE_WP_UNPOPULATED).
 *   `uffd-register` and `uffd-unregister` are for ranges of its memory; `uffd-protect` and `uffd-unprotect`
 *   (UFFDIO_WRITEPROTECT) for pages that are there. `uffd-zeropage` and `uffd-copy` fill missing pages with the zero page,
 *   and with the {@link pageToken}s of the step. `uffd-move` moves pages that are nobody else's to as many missing ones
 *   (UFFDIO_MOVE); `holes`: what is missing may be missing there, too.
 * - `cpu-read` reads each page of `at`, lowest first; `cpu-write` fills each page with its {@link pageToken}.
 * - `fork` makes process `child`, with a copy of every mapping and of every open device fd of `by`.
 *   (An inherited fd still mirrors the mm of its opener.)
 * - `exit` ends process `by` (its fds close); the last step of a program may leave processes, which then end
 *   in ascending order.
 * - `open` opens /dev/hmm_dmirror{device} in `by`; `close` closes that fd. One fd per process and device.
 * - `flags` gives the file of that fd its flags (HMM_DMIRROR_FLAGS, which takes them in npages): `fail-alloc` for
 *   FAIL_ALLOC, `other` for a bit without a meaning, which clears it, `none` for 0, which no command may have.
 * - `reload` unloads test_hmm and loads it anew, as it was loaded at first.
 * - Device ops act through the fd that `by` has for `device`. `write` writes {@link pageToken}s. `release` needs its pages
 *   for the checks that all commands make, and takes away the whole device.
 */
export type Step = OrdinaryStep | Together;

export type OrdinaryStep =
  | { op: 'mmap'; by: ProcessId; region: RegionId; protection: Protection }
  | { op: 'munmap'; by: ProcessId; at: PageRange }
  | { op: 'clear-refs'; by: ProcessId }
  | { op: 'reload'; by: ProcessId }
  | { op: 'pin'; by: ProcessId; at: PageRange }
  | { op: 'unpin'; by: ProcessId }
  | { op: 'swapon'; by: ProcessId }
  | { op: 'swapoff'; by: ProcessId }
  | { op: 'mprotect'; by: ProcessId; at: PageRange; protection: Protection }
  | { op: 'madvise'; by: ProcessId; at: PageRange; advice: Advice }
  | { op: 'mlock'; by: ProcessId; at: PageRange }
  | { op: 'munlock'; by: ProcessId; at: PageRange }
  | { op: 'mremap'; by: ProcessId; at: PageRange; to: PageRange; how: RemapKind; flaw?: RemapFlaw }
  | { op: 'ksmd'; by: ProcessId }
  | { op: 'uffd-open'; by: ProcessId; mode: UserfaultMode; unpopulated: boolean }
  | { op: 'uffd-register'; by: ProcessId; at: PageRange; kind: UserfaultKind }
  | { op: 'uffd-unregister'; by: ProcessId; at: PageRange }
  | { op: 'uffd-protect'; by: ProcessId; at: PageRange }
  | { op: 'uffd-unprotect'; by: ProcessId; at: PageRange }
  | { op: 'uffd-zeropage'; by: ProcessId; at: PageRange }
  | { op: 'uffd-copy'; by: ProcessId; at: PageRange; protect: boolean }
  | { op: 'uffd-move'; by: ProcessId; at: PageRange; to: PageRange; holes: boolean }
  | { op: 'cpu-read'; by: ProcessId; at: PageRange }
  | { op: 'cpu-write'; by: ProcessId; at: PageRange }
  | { op: 'fork'; by: ProcessId; child: ProcessId }
  | { op: 'exit'; by: ProcessId }
  | { op: 'open'; by: ProcessId; device: DeviceMinor }
  | { op: 'close'; by: ProcessId; device: DeviceMinor }
  | { op: 'flags'; by: ProcessId; device: DeviceMinor; flags: DeviceFlags }
  | DeviceStep;

export interface DeviceStep {
  op: DeviceOp;
  by: ProcessId;
  device: DeviceMinor;
  at: PageRange;
  flaw?: Flaw;
}

/** Steps that may be parts of a {@link Together}, on regions that are not huge and without flaws. */
export const PART_DEVICE_OPERATIONS = ['read', 'write', 'migrate-to-dev', 'migrate-to-sys'] as const;
export const PART_OPERATIONS = [
  'mmap',
  'munmap',
  'mprotect',
  'madvise',
  'cpu-read',
  'cpu-write',
  'fork',
  'close',
  ...PART_DEVICE_OPERATIONS,
] as const;
export type PartDeviceStep = DeviceStep & { op: (typeof PART_DEVICE_OPERATIONS)[number] };
export type Part =
  | Extract<Exclude<OrdinaryStep, DeviceStep>, { op: (typeof PART_OPERATIONS)[number] }>
  | PartDeviceStep;

/** At most this many actors, and parts of each (qemu/guest/protocol.h). */
export const MAX_ACTORS = 3;
export const MAX_ACTOR_PARTS = 4;
export const MAX_APART_MS = 1000;

/**
 * Actors that make their parts at the same time, on different CPUs as far as there are enough: each is one process
 * (`by` of all its parts); a further actor of the same process is a thread of it.
 *
 * With one round, what comes of it must be explained by some order of the parts (model/together.ts). With more, actors
 * repeat their parts until all have done so many rounds; what they leave is not known to the model any more.
 */
export interface Together {
  op: 'together';
  /** The process of the first actor. */
  by: ProcessId;
  actors: Part[][];
  /** 1..65535 */
  rounds: number;
  /** ms: a part is begun up to so much later than it could be; 0..MAX_APART_MS. */
  apart: number;
}

/**
 * What a region maps: private anonymous memory; or a file of its own, which has as many pages and is the same for all
 * processes. Pages of a `file` (ramfs) are in the page cache from the start, with {@link fileWord}s; those of `shmem` (a
 * memfd) come into being when they are first needed, and are zero, unless it is filled with {@link fileWord}s as well; so are
 * those of `hugetlb`, of 2 MiB each, which is for huge regions.
 */
export const BACKINGS = [
  'anonymous',
  'private-file',
  'shared-file',
  'private-shmem',
  'shared-shmem',
  'private-filled-shmem',
  'private-hugetlb',
  'shared-hugetlb',
] as const;
export type Backing = (typeof BACKINGS)[number];

export const DEVICE_FLAGS = ['fail-alloc', 'other', 'none'] as const;
export type DeviceFlags = (typeof DEVICE_FLAGS)[number];

export interface Region {
  name: string;
  /** 1..MAX_REGION_PAGES, or 1..MAX_REGION_PMDS times PMD_PAGES */
  pages: number;
  /** Huge regions are anonymous, or of hugetlb. @default 'anonymous' */
  backing?: Backing;
}

/** A region of whole PMDs begins at a multiple of 2 MiB, so that order-9 folios fit into it; no other does. */
export function isHugeRegion(pages: number): boolean {
  return pages % PMD_PAGES === 0;
}

/** Whether a region of so many pages can have a backing. */
export function canBeBackedBy(pages: number, backing: Backing): boolean {
  return backing === 'anonymous' || isHugeRegion(pages) === backing.endsWith('hugetlb');
}

export interface Program {
  name: string;
  about?: string;
  regions: Region[];
  steps: Step[];
}

/** Bytes between the starts of two regions: a region never shares a 2 MiB block with another. */
export const REGION_STRIDE = 0x40000000;
/** Virtual address of region 0; 2 MiB aligned, far from what the kernel chooses by itself on both architectures. */
export const REGION_BASE = 0x200000000000;
/** A small region starts this many pages into its 2 MiB block, so that no order-9 page can cover it. */
export const REGION_OFFSET_PAGES = 16;
export const PAGE_SIZE = 4096;

/**
 * Virtual address (bytes) of page `page` of region `region`; the agent computes the same.
 *
 * @param pages of the region
 */
export function pageAddress(region: RegionId, page: number, pages = 1): number {
  const offset = isHugeRegion(pages) ? 0 : REGION_OFFSET_PAGES;
  return REGION_BASE + region * REGION_STRIDE + (offset + page) * PAGE_SIZE;
}

/**
 * The 64-bit word that step `step` (0-based) writes into every word of page `page` of its region: never zero, and
 * different for each step, region and page, so that a page in the wrong place shows.
 */
export function pageToken(step: number, region: RegionId, page: number): bigint {
  return (BigInt(step + 1) << 32n) | (BigInt(region + 1) << 16n) | BigInt(page + 1);
}

/** What fills page `page` of the file of region `region` at first: no step's token. */
export function fileWord(region: RegionId, page: number): bigint {
  return (BigInt(region + 1) << 16n) | BigInt(page + 1);
}

/** The step that a part's tokens name: no ordinary step's, and another for each part (qemu/guest/protocol.h). */
export function partTokenStep(step: number, actor: number, part: number): number {
  return (1 + actor * MAX_ACTOR_PARTS + part) * MAX_STEPS + step;
}
