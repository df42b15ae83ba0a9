/**
 * The state of the model: processes with their mappings and page-table entries, page frames with identity, device
 * files with their own page tables. Plain data; the rules that change it stand in the files beside this one.
 *
 * The state is changed in place, for speed. {@link cloneState} makes an independent copy.
 */
import type { Frame } from './frame.ts';
import type { RmapItem } from './ksm.ts';
import type { Profile } from './profile.ts';
import type { DeviceMinor, ProcessId, RegionId, UserfaultMode } from './program.ts';
import type { VmEvents } from './vm-events.ts';

export type { Frame, FrameKind, LargeMapcount } from './frame.ts';

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
  /** By index, of hugetlb by PMD, the heads; of shmem in swap, the slots. As many as the file is long. */
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
  /** Set by itself since its folio was mapped, so that its group has no PTE_CONT (Profile.foldsPtes). */
  alone?: true;
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
type FreePage = Pick<Frame, 'position' | 'active' | 'swapBacked' | 'unevictable' | 'mlocked'> & {
  known: boolean;
};

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

/** What is done to a page when the CPU's batch of mlock is drained (mlock_folio_batch). */
export type MlockDrain = 'mlock' | 'new' | 'munlock';

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
  /** By how much counters of /proc/vmstat have gone up since the program began. */
  vmEvents: VmEvents;
  /**
   * NR_MLOCK: by how many pages more are mlocked than before the program began. The two differ where it is not known what an
   * earlier life of a device page has left.
   */
  mlocked: { least: number; most: number };
  /** Trace events of the step that is being applied. */
  events: ExpectedEvent[];
  /** What userfaultfds were asked in the step that is being applied. */
  messages: number;
  /** MMs that ksmd scans, in their order. */
  ksmMms: Mm[];
  /** RAM frames that may still be in the CPU's LRU batch. */
  batched: Set<Frame>;
  /** RAM frames that may still be in the CPU's batch of pages to activate, which then has a reference to them. */
  activating: Map<Frame, Activation>;
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

/**
 * Of a page to activate: it `waits` for the batch to be drained, and will be active; or the batch may have been drained,
 * and the page that is not active still waits; or nobody knows whether it was put there.
 */
export type Activation = 'waits' | 'active-or-waits' | 'unknown';

/** A table of nulls by region and page. */
export function emptyTables<T>(state: Pick<State, 'regions'>): (T | null)[][] {
  return state.regions.map((pages) => new Array<T | null>(pages).fill(null));
}

/** @throws Error for a process that does not live: a program that was not checked. */
export function processOf(state: State, id: ProcessId): Process {
  const process = state.processes[id];
  if (!process) throw new Error(`process ${id} does not live`);
  return process;
}
