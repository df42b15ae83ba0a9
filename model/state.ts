/**
 * The state of the model: processes with their mappings and page-table entries, page frames with identity, device
 * files with their own page tables. Plain data; the rules that change it stand in the files beside this one.
 *
 * The state is changed in place, for speed. {@link cloneState} makes an independent copy.
 */
import type { RmapItem } from './ksm.ts';
import { newPageCache } from './page-cache.ts';
import type { Profile } from './profile.ts';
import {
  type DeviceMinor,
  isCoherent,
  MINORS,
  PMD_PAGES,
  type ProcessId,
  type Region,
  type RegionId,
  type UserfaultMode,
} from './program.ts';

/** The function of the kernel that a rule stands for, as a reader of a divergence wants to see it. */
export type Rule = string;

/** An anon_vma (mm/rmap.c): which vmas may map the anonymous pages that were born in one of them. */
export interface AnonVma {
  readonly id: number;
  parent: AnonVma;
  root: AnonVma;
  numChildren: number;
  numActiveVmas: number;
  /** The interval tree in its in-order: by the vma's first page, and by time of insertion where those are equal. */
  tree: Vma[];
}

/** The page cache of a file (struct address_space). The files of a program last as long as it. */
export interface PageCache {
  /** The region that maps it. */
  readonly region: RegionId;
  /** `file` is of ramfs, whose pages are always there and never evicted; `shmem` a memfd; `hugetlb` one of 2 MiB pages. */
  readonly kind: 'file' | 'shmem' | 'hugetlb';
  /** Whether mmap() of the region is MAP_SHARED. */
  readonly isShared: boolean;
  /** By index, of hugetlb by PMD, the heads. As many as the file is long. */
  pages: (Frame | null)[];
  /** i_mmap: all mappings of it, in the order of a reverse-mapping walk. */
  mappings: Vma[];
}

/** A vm_area_struct of a region: pages `first` to `end` (exclusive). */
export interface Vma {
  readonly mm: Mm;
  readonly region: RegionId;
  first: number;
  end: number;
  /** The index of its first page as an anonymous one, which mremap() leaves as it was (model/page-index.ts). */
  pgoff: number;
  /** vm_pgoff of a mapping of a file: the index of its first page in the file; else 0. */
  filePgoff: number;
  /** VM_READ and VM_WRITE. */
  read: boolean;
  write: boolean;
  /** VM_ACCOUNT: it is or was writable. */
  account: boolean;
  /** VM_LOCKED */
  locked: boolean;
  /** vm_file; null for anonymous memory. */
  file: PageCache | null;
  /** VM_SHARED */
  shared: boolean;
  /** vm_page_prot of a shared mapping lets entries be made writable before there is a write (vma_set_page_prot). */
  madeWritable: boolean;
  /** VM_SOFTDIRTY. */
  softDirty: boolean;
  /** VM_HUGEPAGE, VM_NOHUGEPAGE, or neither. */
  thp: 'hugepage' | 'nohugepage' | null;
  /** VM_UFFD_MISSING and VM_UFFD_WP: registered with the userfaultfd of its mm, of which there is one. */
  uffdMissing: boolean;
  uffdWp: boolean;
  /** VM_MERGEABLE */
  mergeable: boolean;
  anonVma: AnonVma | null;
  /** vma->anon_vma_chain from its head on. */
  chain: AnonVma[];
}

/** Pages `first` to `end` (exclusive) of a vma's region. */
export interface VmaRange {
  vma: Vma;
  first: number;
  end: number;
}

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
  /** PG_lru: certainly set, or still in a per-CPU batch of mm/folio.c that may be drained at any time. */
  onLru: boolean;
  /** PG_mlocked */
  mlocked: boolean;
  /** PG_unevictable. */
  unevictable: boolean;
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

/** A page-table entry that is not none: a PTE, or a PMD that maps memory itself. */
export interface Pte {
  /** `marker`: no page, but protected by userfaultfd (PTE_MARKER_UFFD_WP). */
  kind: 'present' | 'device' | 'migration' | 'exclusive' | 'swap' | 'marker';
  /** A PMD: it maps 512 pages, of which `frame` is the head. */
  huge: boolean;
  frame: Frame;
  write: boolean;
  /** Migration entries: a read entry of an exclusive page. Swap entries: that of one (SWP_EXCLUSIVE). */
  readExclusive: boolean;
  young: boolean;
  dirty: boolean;
  softDirty: boolean;
  /** Write-protected by userfaultfd (pte_uffd, pte_swp_uffd). */
  uffdWp: boolean;
  /** What set the entry. */
  rule: Rule;
}

/** A PMD: none, one that points to a table of PTEs, or one that maps 512 pages. */
export type Pmd = null | 'table' | Pte;

/** An entry of the device's own page table (dmirror->pt): the page and its tag. */
export interface DevicePte {
  frame: Frame;
  /** DPT_XA_TAG_WRITE */
  write: boolean;
  /** DPT_XA_TAG_ATOMIC */
  atomic: boolean;
}

/** An open file of /dev/hmm_dmirrorN (struct dmirror). */
export interface DeviceFile {
  readonly minor: DeviceMinor;
  /** The mm of the process that opened it, which it mirrors for good. */
  readonly mm: Mm;
  /** Descriptors of all processes that refer to it. */
  references: number;
  /** dmirror->flags has HMM_DMIRROR_FLAG_FAIL_ALLOC: the next allocation for a migration fails, once. */
  failAlloc: boolean;
  /** dmirror->pt by region and page. */
  pt: (DevicePte | null)[][];
}

/** An mm_struct. */
export interface Mm {
  readonly id: ProcessId;
  /** False once its process has exited: mmget_not_zero() fails. */
  alive: boolean;
  /** By region, each in ascending order. */
  vmas: Vma[][];
  /** By region and page; null is pte_none, also where there is no table. */
  ptes: (Pte | null)[][];
  /** By region and index (model/page-table.ts). */
  pmds: Pmd[][];
  /** By region: whether there is a table of PMDs for its hugetlb pages. */
  hugetlbTables: boolean[];
  /** Files that mirror it: those whose notifier is registered. */
  mirrors: DeviceFile[];
  /** Its userfaultfd, and what that does about a fault; null while it has none. */
  userfault: UserfaultMode | null;
  /** It protects pages that are not there, too (UFFD_FEATURE_WP_UNPOPULATED). */
  userfaultMarkers: boolean;
  /** What ksmd remembers of pages that it has seen in the last scan (model/ksm.ts). */
  rmapItems: Map<number, RmapItem>;
}

export interface Descriptor {
  file: DeviceFile;
  /** Opened by this process, not inherited. */
  own: boolean;
  /** Its number among the descriptors that this model knows; exit closes the highest first. */
  number: number;
}

export interface Process {
  readonly id: ProcessId;
  readonly mm: Mm;
  /** By minor. */
  devices: (Descriptor | null)[];
  /** What it pins through its file of gup_test; null while it has none. */
  pins: Frame[] | null;
}

/** A page, or folio, that a device can hand out, with the flags that it keeps meanwhile. */
type FreePage = Pick<Frame, 'position' | 'active' | 'swapBacked'> & { known: boolean };

/** The allocator of a minor (dmirror_devmem_alloc_page): a stack of free pages. */
export interface Device {
  readonly minor: DeviceMinor;
  /** Freed pages, the next to be handed out last. */
  free: FreePage[];
  /**
   * The highest position that was never handed out, of a device that nobody used before; null before there is a chunk of
   * pages.
   */
  fresh: number | null;
  /** How often its chunks were taken away; a frame is of the chunk that is made by the next allocation. */
  generation: number;
  /** The generation whose first chunk was made when the module was loaded, and lies where it always does then. */
  loadedGeneration: number;
  /** Chunks that there are, each of pages or of folios of order 9. */
  chunks: number;
  /** As `free` and `fresh`, of folios of order 9; null before there is a chunk for them. */
  freeHuge: FreePage[];
  freshHuge: number | null;
  /** Live frames, of folios the head. */
  live: Set<Frame>;
}

/** What a trace event must say. */
export type ExpectedEvent = ExpectedMigration | ExpectedFault;

export interface ExpectedMigration {
  name: 'set_migration_pte' | 'remove_migration_pte' | 'set_migration_pmd' | 'remove_migration_pmd';
  region: RegionId;
  page: number;
  entry: Readonly<Pte>;
  /** The entry is present, and of a PROT_NONE mapping. */
  inaccessible?: true;
  /** As the event shows it: of the folio for set_migration_pte, of the page for remove_migration_pte, else 0. */
  order: number;
  rule: Rule;
}

/** A page fault of a load or store (arch/x86/mm/fault.c, trace_page_fault_entries). */
export interface ExpectedFault {
  name: 'page_fault_user';
  region: RegionId;
  page: number;
  /** X86_PF_PROT: the entry was there and did not allow the access. */
  present: boolean;
  /** X86_PF_WRITE */
  write: boolean;
  rule: Rule;
}

/** What is left to do to a page when the CPU's batch of mlock is drained: `cull` makes one that is mlocked inactive. */
export type MlockDrain = 'cull' | 'munlock' | 'nothing';

export interface State {
  readonly profile: Profile;
  /** Pages of each region. */
  readonly regions: readonly number[];
  /** By region; null for anonymous ones. */
  files: (PageCache | null)[];
  /** By process id; null for those that were not created yet or have ended. */
  processes: (Process | null)[];
  devices: Device[];
  /** The pool of hugetlb (hugepage_freelists): whether those that were given back have PG_dirty; the next one last. */
  freeHugetlb: boolean[];
  readonly zero: Frame;
  /** The huge zero page; null until it is needed. */
  hugeZero: Frame | null;
  nextId: number;
  /** Trace events of the step that is being applied. */
  events: ExpectedEvent[];
  /** What userfaultfds were asked in the step that is being applied. */
  messages: number;
  /** MMs that ksmd scans, in their order. */
  ksmMms: Mm[];
  /** RAM frames that may still be in the CPU's LRU batch. */
  batched: Set<Frame>;
  /**
   * RAM frames that may still be in the CPU's batch of pages to activate, which then has a reference to them; true for
   * those that certainly are active once it is drained.
   */
  activating: Map<Frame, boolean>;
  /** The CPU's batch of mlock, which has a reference to each frame for each time that it is in it. */
  mlocking: { frame: Frame; drain: MlockDrain }[];
  /** Those of them that nothing else holds. */
  freeing: Set<Frame>;
  /** The agent drains the CPU's batches after each step: where there are files, and since the first mlock. */
  settles: boolean;
  /** There is a swap device (swapon). */
  swap: boolean;
  /** lruvec->nonresident_age: how many pages went to swap, and how many came back soon (model/swap.ts, readSlot). */
  nonresidentAge: number;
}

/** Pages of one chunk of test_hmm (DEVMEM_CHUNK_SIZE): 256 MiB. */
export const CHUNK_PAGES = 65536;

/** One process, 0, without mappings and open files. */
export function initialState(profile: Profile, regions: readonly Pick<Region, 'pages' | 'backing'>[]): State {
  const state: State = {
    profile,
    regions: regions.map((region) => region.pages),
    files: [],
    processes: [],
    devices: MINORS.map((minor) => ({
      minor,
      free: [],
      fresh: CHUNK_PAGES - 1,
      generation: 0,
      loadedGeneration: 0,
      chunks: 1,
      freeHuge: [],
      freshHuge: null,
      live: new Set(),
    })),
    freeHugetlb: [],
    zero: newFrame(0, 'zero', -1),
    hugeZero: null,
    nextId: 1,
    events: [],
    messages: 0,
    ksmMms: [],
    batched: new Set(),
    activating: new Map(),
    mlocking: [],
    freeing: new Set(),
    settles: false,
    swap: false,
    nonresidentAge: 0,
  };
  state.files = regions.map((region, index) => newPageCache(state, region, index));
  state.settles = state.files.some((file) => file !== null);
  state.processes.push(newProcess(state, 0));
  return state;
}

export function newProcess(state: State, id: ProcessId): Process {
  const mm: Mm = {
    id,
    alive: true,
    vmas: state.regions.map(() => []),
    ptes: emptyTables(state),
    pmds: state.regions.map((pages) => new Array<Pmd>(Math.ceil(pages / PMD_PAGES)).fill(null)),
    hugetlbTables: state.regions.map(() => false),
    mirrors: [],
    userfault: null,
    userfaultMarkers: false,
    rmapItems: new Map(),
  };
  return { id, mm, devices: state.devices.map(() => null), pins: null };
}

/** A table of nulls by region and page. */
export function emptyTables<T>(state: Pick<State, 'regions'>): (T | null)[][] {
  return state.regions.map((pages) => new Array<T | null>(pages).fill(null));
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

/** The chunk that is made when it is needed (dmirror_allocate_chunk): the place behind its last page. */
export function makeChunk(device: Device): number {
  device.chunks++;
  return device.chunks * CHUNK_PAGES;
}

function takeFresh(device: Device): number {
  const position = device.fresh ?? makeChunk(device) - 1;
  device.fresh = position - 1;
  return position;
}

/**
 * dmirror_devmem_alloc_page(): the page that was freed last. Beyond those that this program freed, the stack is as
 * earlier programs left it; a fresh device hands out its highest page.
 */
export function newDeviceFrame(state: State, file: DeviceFile, word: number): Frame {
  const device = state.devices[file.minor]!;
  const frame = newFrame(state.nextId++, isCoherent(file.minor) ? 'coherent' : 'device', file.minor);
  frame.word = word;
  frame.migrator = file;
  const freed = device.free.pop();
  const renewed = device.generation > 0;
  frame.position = freed?.position ?? takeFresh(device);
  frame.positionKnown = freed?.known ?? renewed;
  frame.active = freed || !renewed ? freed?.active : false;
  frame.swapBacked = freed || !renewed ? freed?.swapBacked : false;
  frame.generation = device.generation;
  frame.isOfLoad = device.generation === device.loadedGeneration && frame.position < CHUNK_PAGES;
  device.live.add(frame);
  return frame;
}

/** The last reference is gone: dmirror_devmem_free() pushes a device page back to its stack. */
export function freeFrame(state: State, frame: Frame): void {
  if (frame.minor >= 0) {
    const device = state.devices[frame.minor]!;
    device.live.delete(frame);
    const { position, positionKnown: known, active, swapBacked } = frame;
    (frame.pages ? device.freeHuge : device.free).push({ position, known, active, swapBacked });
  } else {
    state.batched.delete(frame);
    state.activating.delete(frame);
    if (frame.hugetlb) state.freeHugetlb.push(frame.dirty === true);
  }
}

/** @throws Error for a process that does not live: a program that was not checked. */
export function processOf(state: State, id: ProcessId): Process {
  const process = state.processes[id];
  if (!process) throw new Error(`process ${id} does not live`);
  return process;
}
