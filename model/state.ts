/**
 * The state of the model: processes with their mappings and page-table entries, page frames with identity, device
 * files with their own page tables. Plain data; the rules that change it stand in the files beside this one.
 *
 * The state is changed in place, for speed. {@link cloneState} makes an independent copy.
 */
import type { Profile } from './profile.ts';
import {
  type DeviceMinor,
  PAGE_SIZE,
  PMD_PAGES,
  type ProcessId,
  REGION_STRIDE,
  type Region,
  type RegionId,
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

/** A vm_area_struct of a region: pages `first` to `end` (exclusive). */
export interface Vma {
  readonly mm: Mm;
  readonly region: RegionId;
  first: number;
  end: number;
  /** VM_READ and VM_WRITE. */
  read: boolean;
  write: boolean;
  /** VM_ACCOUNT: it is or was writable. */
  account: boolean;
  /** VM_LOCKED */
  locked: boolean;
  /** VM_SOFTDIRTY. */
  softDirty: boolean;
  anonVma: AnonVma | null;
  /** vma->anon_vma_chain from its head on. */
  chain: AnonVma[];
}

export type FrameKind = 'zero' | 'ram' | 'device';

/** A struct page of order 0. Its whole content is one repeated word, since every operation fills whole pages. */
export interface Frame {
  readonly id: number;
  readonly kind: FrameKind;
  /** Device frames: the minor whose chunk the page is from; -1 for RAM. */
  readonly minor: DeviceMinor;
  /** The 64-bit word that fills the page; below 2^53. */
  word: number;
  mapcount: number;
  /** folio->mapping of an anonymous page. */
  anonVma: AnonVma | null;
  /** PageAnonExclusive. */
  exclusive: boolean;
  /** PG_dirty. Undefined: a kernel may show either (see Profile.devicePageFlagsCleared). */
  dirty: boolean | undefined;
  /** PG_referenced. Undefined as for `dirty`. */
  referenced: boolean | undefined;
  /** PG_swapbacked: not of pages that MADV_FREE took. Undefined: it may be left from an earlier life of the page. */
  swapBacked: boolean | undefined;
  /**
   * PG_active. Undefined: in a per-CPU batch of mm/folio.c that may be drained at any time (`State.activating`), or of
   * an earlier life of the device page: no kernel clears it when the page is handed out again (zone_device_page_init
   * clears only the lowest eight flags, if any).
   */
  active: boolean | undefined;
  /** PG_lru: certainly set, or still in a per-CPU batch of mm/folio.c that may be drained at any time. */
  onLru: boolean;
  /** Device frames: the dmirror that the backing page points to, which is the file that migrated the page. */
  migrator: DeviceFile | null;
  /** Device frames: the page's place among all pages of its minor, chunk by chunk; decides the order of eviction. */
  position: number;
  /** Device frames: that of the device when it was handed out. */
  generation: number;
  /** Whether `position` follows from the stack of free pages, or was seen, and is not a guess. */
  positionKnown: boolean;
}

/** A page-table entry that is not none. */
export interface Pte {
  kind: 'present' | 'device' | 'migration' | 'exclusive';
  frame: Frame;
  write: boolean;
  /** Migration entries only: a read entry of an exclusive page. */
  readExclusive: boolean;
  young: boolean;
  dirty: boolean;
  softDirty: boolean;
  /** What set the entry. */
  rule: Rule;
}

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
  /** By region and page; null is pte_none. */
  ptes: (Pte | null)[][];
  /** Its page tables of the lowest level, by {@link tableOf}. */
  tables: Set<number>;
  /** Files that mirror it: those whose notifier is registered. */
  mirrors: DeviceFile[];
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
}

/** The allocator of a private minor (dmirror_devmem_alloc_page): a stack of free pages. */
export interface Device {
  readonly minor: DeviceMinor;
  /** Freed pages, the next to be handed out last. */
  free: (Pick<Frame, 'position' | 'active' | 'swapBacked'> & { known: boolean })[];
  /** The highest position that was never handed out, of a device that nobody used before. */
  fresh: number;
  /** How often RELEASE took its chunks away; a frame is of the chunk that is made by the next allocation. */
  generation: number;
  /** Live frames. */
  live: Set<Frame>;
}

/** What a trace event must say. */
export type ExpectedEvent = ExpectedMigration | ExpectedFault;

export interface ExpectedMigration {
  name: 'set_migration_pte' | 'remove_migration_pte';
  region: RegionId;
  page: number;
  entry: Readonly<Pte>;
  /** The entry is present, and of a PROT_NONE mapping. */
  inaccessible?: true;
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

export interface State {
  readonly profile: Profile;
  /** Pages of each region. */
  readonly regions: readonly number[];
  /** By process id; null for those that were not created yet or have ended. */
  processes: (Process | null)[];
  devices: Device[];
  readonly zero: Frame;
  nextId: number;
  /** Trace events of the step that is being applied. */
  events: ExpectedEvent[];
  /** RAM frames that may still be in the CPU's LRU batch. */
  batched: Set<Frame>;
  /**
   * RAM frames that may still be in the CPU's batch of pages to activate, which then has a reference to them; true for
   * those that certainly are active once it is drained.
   */
  activating: Map<Frame, boolean>;
}

export const PRIVATE_MINORS: readonly DeviceMinor[] = [0, 1];
/** Pages of one chunk of test_hmm (DEVMEM_CHUNK_SIZE): 256 MiB. */
export const CHUNK_PAGES = 65536;

/** One process, 0, without mappings and open files. */
export function initialState(profile: Profile, regions: readonly Pick<Region, 'pages'>[]): State {
  const state: State = {
    profile,
    regions: regions.map((region) => region.pages),
    processes: [],
    devices: PRIVATE_MINORS.map((minor) => ({
      minor,
      free: [],
      fresh: CHUNK_PAGES - 1,
      generation: 0,
      live: new Set(),
    })),
    zero: newFrame(0, 'zero', -1),
    nextId: 1,
    events: [],
    batched: new Set(),
    activating: new Map(),
  };
  state.processes.push(newProcess(state, 0));
  return state;
}

export function newProcess(state: State, id: ProcessId): Process {
  const mm: Mm = {
    id,
    alive: true,
    vmas: state.regions.map(() => []),
    ptes: emptyTables(state),
    tables: new Set(),
    mirrors: [],
  };
  return { id, mm, devices: state.devices.map(() => null) };
}

const TABLES_PER_REGION = REGION_STRIDE / PAGE_SIZE / PMD_PAGES;

/** The number of the page table that has the entry of a page: one for all pages of a small region. */
export function tableOf(region: RegionId, page: number): number {
  return region * TABLES_PER_REGION + Math.floor(page / PMD_PAGES);
}

/** A table of nulls by region and page. */
export function emptyTables<T>(state: Pick<State, 'regions'>): (T | null)[][] {
  return state.regions.map((pages) => new Array<T | null>(pages).fill(null));
}

function newFrame(id: number, kind: FrameKind, minor: DeviceMinor): Frame {
  return {
    id,
    kind,
    minor,
    word: 0,
    mapcount: 0,
    anonVma: null,
    exclusive: false,
    dirty: false,
    referenced: false,
    swapBacked: true,
    active: false,
    onLru: false,
    migrator: null,
    position: -1,
    generation: 0,
    positionKnown: false,
  };
}

/** A RAM page that is on its way to the LRU (folio_add_lru). */
export function newRamFrame(state: State, word: number): Frame {
  const frame = newFrame(state.nextId++, 'ram', -1);
  frame.word = word;
  state.batched.add(frame);
  return frame;
}

/**
 * dmirror_devmem_alloc_page(): the page that was freed last. Beyond those that this program freed, the stack is as
 * earlier programs left it; a fresh device hands out its highest page.
 */
export function newDeviceFrame(state: State, file: DeviceFile, word: number): Frame {
  const device = state.devices[file.minor]!;
  const frame = newFrame(state.nextId++, 'device', file.minor);
  frame.word = word;
  frame.migrator = file;
  const freed = device.free.pop();
  const renewed = device.generation > 0;
  frame.position = freed?.position ?? device.fresh--;
  frame.positionKnown = freed?.known ?? renewed;
  frame.active = freed || !renewed ? freed?.active : false;
  frame.swapBacked = freed || !renewed ? freed?.swapBacked : false;
  frame.generation = device.generation;
  device.live.add(frame);
  return frame;
}

/** False from a RELEASE to the next allocation. */
export function hasChunk({ generation, fresh, free }: Device): boolean {
  return generation === 0 || fresh < CHUNK_PAGES - 1 || free.length > 0;
}

/** The last reference is gone: dmirror_devmem_free() pushes a device page back to its stack. */
export function freeFrame(state: State, frame: Frame): void {
  if (frame.kind === 'device') {
    const device = state.devices[frame.minor]!;
    device.live.delete(frame);
    const { position, positionKnown: known, active, swapBacked } = frame;
    device.free.push({ position, known, active, swapBacked });
  } else {
    state.batched.delete(frame);
    state.activating.delete(frame);
  }
}

/** Removes one mapping of `frame`; the page is freed with the last. The zero page is not counted. */
export function dropMapping(state: State, frame: Frame): void {
  if (frame.kind === 'zero') return;
  frame.mapcount--;
  if (frame.mapcount === 0) freeFrame(state, frame);
}

/** @throws Error for a process that does not live: a program that was not checked. */
export function processOf(state: State, id: ProcessId): Process {
  const process = state.processes[id];
  if (!process) throw new Error(`process ${id} does not live`);
  return process;
}
