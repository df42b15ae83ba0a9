/**
 * What a run of a program on a real kernel yields, as numbers that the kernel handed out: nothing is interpreted
 * here. The agent's binary form is described in qemu/guest/protocol.h and decoded by harness/programs/transcript.ts.
 */
import type { Gauges } from './meminfo.ts';
import type { DeviceMinor, ProcessId, RegionId } from './program.ts';
import type { VmEvents } from './vm-events.ts';

/** How the call of a step ended. `errno` is a name such as 'EINVAL'; `signal` is 'SIGSEGV' or 'SIGBUS'. */
export type Outcome =
  | { kind: 'ok' }
  | { kind: 'errno'; errno: string }
  | {
      kind: 'signal';
      signal: string /** page of `at` that was being accessed */;
      page: number;
    };

/** What `read`, `migrate-to-dev` or `cpu-read` saw in one page. */
export interface PageBytes {
  /** The page's first 64-bit word. */
  word: bigint;
  /** True when all 512 words of the page are equal. */
  uniform: boolean;
}

/** One page of one process, as /proc shows it. */
export interface PageObservation {
  /** The raw 64-bit entry of /proc/PID/pagemap (fs/proc/task_mmu.c). */
  pagemap: bigint;
  /** Only for present pages with a PFN: the raw words of /proc/kpageflags and /proc/kpagecount. */
  kpageflags?: bigint;
  kpagecount?: bigint;
  /** Only for present pages: first and last 64-bit word, read by the process itself. */
  words?: readonly [bigint, bigint];
}

/** HMM_DMIRROR_SNAPSHOT of a region through one fd of the process that owns the region. */
export interface SnapshotObservation {
  device: DeviceMinor;
  outcome: Outcome;
  /** One byte per page of the region (HMM_DMIRROR_PROT_*). Empty when the call failed. */
  bytes: Uint8Array;
}

/** A list of pages: an array, or a shorter form of one (harness/programs/page-runs.ts). */
export interface PageList {
  readonly length: number;
  at(page: number): PageObservation | undefined;
}

/** A struct page_region of PAGEMAP_SCAN: pages `first` to `end` (exclusive) are alike. */
export interface ScanRange {
  first: number;
  end: number;
  /** PAGE_IS_* of linux/fs.h. */
  categories: number;
}

/** What mincore(2) is noted as for a page that is not mapped, where the call fails with ENOMEM. */
export const MINCORE_UNMAPPED = 0xff;

export interface RegionObservation {
  process: ProcessId;
  region: RegionId;
  /** One per page of the region, mapped or not. */
  pages: PageList;
  /** What mincore(2) says of each page, or {@link MINCORE_UNMAPPED}. */
  mincore?: Uint8Array;
  /** In ascending order; pages in no range are in no mapping. */
  scan?: ScanRange[];
  /** One per device fd that this process itself opened, in ascending order of minor. */
  snapshots: SnapshotObservation[];
}

/** Lines of /proc/PID/status, in KiB. */
export interface Rss {
  anon: number;
  file: number;
  /** Without what is mapped of the agent's own memory and program. */
  shmem: number;
  swap: number;
}

/**
 * Fields of a mapping in /proc/PID/smaps, in KiB but for THPeligible. Pss_Anon, Pss_File and Pss_Shmem are of
 * smaps_rollup alone, and 0 elsewhere.
 */
export const SMAPS_FIELDS = [
  'Size',
  'Rss',
  'Pss',
  'Pss_Dirty',
  'Pss_Anon',
  'Pss_File',
  'Pss_Shmem',
  'Shared_Clean',
  'Shared_Dirty',
  'Private_Clean',
  'Private_Dirty',
  'Referenced',
  'Anonymous',
  'KSM',
  'LazyFree',
  'AnonHugePages',
  'ShmemPmdMapped',
  'FilePmdMapped',
  'Shared_Hugetlb',
  'Private_Hugetlb',
  'Swap',
  'SwapPss',
  'Locked',
  'THPeligible',
] as const;
export type SmapsField = (typeof SMAPS_FIELDS)[number];

/** A mapping in /proc/PID/smaps. */
export interface MappingObservation {
  /** Virtual addresses. */
  start: bigint;
  end: bigint;
  /** By the order of {@link SMAPS_FIELDS}. */
  fields: number[];
  /** The line VmFlags. */
  vmFlags: string;
}

/** /proc/PID/smaps_rollup, and what it is the sum of beside the mappings of regions. */
export interface RollupObservation {
  fields: number[];
  /** Sum over all mappings that are of no region. */
  others: number[];
}

/** One process, without its regions. */
export interface ProcessObservation {
  process: ProcessId;
  /** Lines that were looked at after this step. */
  rss: Partial<Rss>;
  /** Mappings of regions, in ascending order; at chosen steps. */
  smaps?: MappingObservation[];
  /** At the last step. */
  rollup?: RollupObservation;
}

export type TraceEventName =
  | 'set_migration_pte'
  | 'remove_migration_pte'
  | 'set_migration_pmd'
  | 'remove_migration_pmd'
  | 'mm_migrate_pages'
  | 'mm_migrate_pages_start'
  | 'page_fault_user';

export interface TraceEvent {
  name: TraceEventName;
  /** Virtual address in bytes; 0n for events that have none. */
  addr: bigint;
  /** Raw page-table entry, or the error code of a page fault; 0n for events that have none. */
  entry: bigint;
  order: number;
}

/** One part of a `together` step; of its last round, where there were several. */
export type PartObservation = Pick<StepObservation, 'outcome' | 'cpages' | 'faults' | 'data'> & {
  /** How often the part was made. */
  rounds: number;
  /** How often a page had lost what the part wrote to it the round before, and nobody else writes to it. */
  lost: number;
};

export interface StepObservation {
  /** 0-based index of the step in its program. */
  step: number;
  outcome: Outcome;
  /** hmm_dmirror_cmd.cpages and .faults after an ioctl that returned 0; undefined otherwise. */
  cpages?: number;
  faults?: number;
  /** Pages that the call read, in order: `cpu-read`, `read`, `migrate-to-dev`, when they succeeded. */
  data?: PageBytes[];
  /** Of a `together` step: each part, those of one actor after the other. */
  parts?: PartObservation[];
  /** What the step `snapshot` returned, one byte per page of `at`, when it succeeded. */
  bytes?: Uint8Array;
  /** How often the userfaultfds of all processes were asked. */
  messages: number;
  /** Trace events since the step before, in the order of the ring buffer. */
  events: TraceEvent[];
  /** Every living process, in ascending order. */
  processes: ProcessObservation[];
  /** By how much lines of /proc/meminfo differ from before the first process; those that this kernel has, at chosen steps. */
  meminfo?: Partial<Gauges>;
  /** Every living process in ascending order, each with its regions in ascending order. */
  regions: RegionObservation[];
}

/** How the run of a whole program ended. */
export type ProgramEnd =
  | { kind: 'done' }
  /** A test process died by a signal that the agent did not expect. */
  | { kind: 'crashed'; process: ProcessId; signal: string; step: number }
  /** No progress for the agent's time limit. */
  | {
      kind: 'hung';
      step: number /** /proc/PID/stack of each process, when it could be read */;
      stacks: string[];
    };

export interface ProgramTranscript {
  steps: StepObservation[];
  end: ProgramEnd;
  /** Trace events after the last step and while the processes ended. */
  finalEvents: TraceEvent[];
  /** Of the first process, before the first step: what of its RSS is not of the regions. */
  base: Rss;
  /** By how much counters of /proc/vmstat went up until all processes had ended; those that this kernel has. */
  vmEvents?: Partial<VmEvents>;
  /** As that of a step, when all processes have ended. */
  meminfo?: Partial<Gauges>;
}
