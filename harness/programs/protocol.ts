/**
 * The numbers of qemu/guest/protocol.h, which describes the frames. test/harness/programs/protocol.test.ts compares
 * the two.
 */
import type { TraceEventName } from '../../model/observation.ts';
import type {
  Advice,
  Backing,
  DeviceFlags,
  Flaw,
  Protection,
  RemapFlaw,
  RemapKind,
  Step,
  Together,
  UserfaultKind,
} from '../../model/program.ts';

export const PROTOCOL_VERSION = 3;
/** "HMDF" */
export const FRAME_MAGIC = 0x46444d48;
export const MAX_DEVICES = 4;

export const FrameType = { hello: 1, program: 2, transcript: 3, error: 4 } as const;

/** Sizes of the structs in bytes. */
export const StructSize = {
  frame_header: 16,
  program_header: 32,
  program_step: 16,
  transcript_header: 56,
  step_record: 40,
  page_record: 16,
  process_record: 24,
  smaps_fields: 96,
  smaps_record: 176,
  region_record: 32,
  run_record: 24,
  scan_record: 8,
  snapshot_record: 8,
  event_record: 24,
} as const;

/** What the agent can observe after each step. `kpage`, `words` and `mincore` need `pagemap`, `rollup` needs `smaps`. */
export const OBSERVATIONS = {
  pagemap: 1,
  kpage: 2,
  words: 4,
  snapshot: 8,
  trace: 16,
  status: 32,
  mincore: 64,
  scan: 128,
  smaps: 256,
  rollup: 512,
  vmstat: 1024,
  meminfo: 2048,
} as const;
export type ObservationKind = keyof typeof OBSERVATIONS;

export const ProgramFlag = { announce: 1 } as const;

/** The option of `together`. */
export function togetherOption({ rounds, apart }: Pick<Together, 'rounds' | 'apart'>): number {
  return apart * 0x10000 + rounds;
}

/** The option of a part that writes, and whose pages nothing else changes. */
export const PART_ALONE = 1;

/** Parts write something else in each round: what of a word is the round (TOKEN_ROUND_SHIFT). */
export const ROUND_SHIFT = 48n;

export const OPERATIONS: Readonly<Record<Step['op'], number>> = {
  mmap: 1,
  munmap: 2,
  'cpu-read': 3,
  'cpu-write': 4,
  fork: 5,
  exit: 6,
  open: 7,
  close: 8,
  read: 9,
  write: 10,
  'migrate-to-dev': 11,
  'migrate-to-sys': 12,
  snapshot: 13,
  'read-unlocked': 14,
  exclusive: 15,
  'check-exclusive': 16,
  flags: 17,
  release: 18,
  mprotect: 19,
  madvise: 20,
  'clear-refs': 21,
  pin: 22,
  unpin: 23,
  mremap: 24,
  mlock: 25,
  munlock: 26,
  'uffd-open': 28,
  'uffd-register': 29,
  'uffd-unregister': 30,
  'uffd-protect': 31,
  'uffd-unprotect': 32,
  'uffd-zeropage': 33,
  'uffd-copy': 34,
  ksmd: 35,
  reload: 36,
  together: 27,
  swapon: 37,
  swapoff: 38,
  'uffd-move': 39,
};

export const FLAGS_NUMBERS: Readonly<Record<DeviceFlags, number>> = { none: 0, 'fail-alloc': 1, other: 2 };

export const FLAW_NUMBERS: Readonly<Record<Flaw, number>> = {
  misaligned: 1,
  'no-pages': 2,
  wraps: 3,
  'excess-pages': 4,
  'bad-buffer': 5,
  'bad-command': 6,
  unknown: 7,
};

export const REMAP_KINDS: Readonly<Record<RemapKind, number>> = { move: 0, keep: 1, resize: 2 };

export const REMAP_FLAWS: Readonly<Record<RemapFlaw, number>> = {
  misaligned: 1,
  'misaligned-target': 2,
  beyond: 3,
  immovable: 4,
  'unknown-flag': 5,
};

export const USERFAULT_KINDS: Readonly<Record<UserfaultKind, number>> = { missing: 1, wp: 2, both: 3 };

export const PROTECTIONS: Readonly<Record<Protection, number>> = { none: 0, read: 1, 'read-write': 2 };

export const ADVICE: Readonly<Record<Advice, number>> = {
  dontneed: 0,
  free: 1,
  cold: 2,
  pageout: 3,
  hugepage: 4,
  nohugepage: 5,
  collapse: 6,
  mergeable: 7,
  unmergeable: 8,
};

/** Of each region, in a program_header. */
export const BACKINGS: Readonly<Record<Backing, number>> = {
  anonymous: 0,
  'private-file': 1,
  'shared-file': 2,
  'private-shmem': 3,
  'shared-shmem': 4,
  'private-hugetlb': 5,
  'shared-hugetlb': 6,
  'private-filled-shmem': 7,
};

export const EndKind = { done: 0, crashed: 1, hung: 2 } as const;
/** In the place of a counter that the kernel does not have. */
export const NO_VM_EVENT = 0xffff_ffff_ffff_ffffn;
/** In the place of a line that /proc/meminfo does not have. */
export const NO_GAUGE = -(2 ** 31);
export const TranscriptFlag = { stuck: 1, 'vm-events': 2, meminfo: 4 } as const;
export const OutcomeKind = { ok: 0, errno: 1, signal: 2 } as const;
export const StepFlag = { counts: 1, data: 2, bytes: 4, parts: 8, meminfo: 16 } as const;
export const ProcessFlag = {
  'has-smaps': 1,
  'has-rollup': 2,
  'anon-alone': 4,
  'has-shmem': 8,
  'without-rss': 16,
} as const;
/** Bytes of the line VmFlags in a smaps_record. */
export const VM_FLAGS_BYTES = 64;
export const RegionFlag = { mincore: 1, scan: 2 } as const;
/** The flag of a region of which nothing else is told. */
export const REGION_AS_BEFORE = 4;

/** Index: enum event_name. */
export const TRACE_EVENTS: readonly (TraceEventName | undefined)[] = [
  undefined,
  'set_migration_pte',
  'remove_migration_pte',
  'set_migration_pmd',
  'remove_migration_pmd',
  'mm_migrate_pages',
  'mm_migrate_pages_start',
  'page_fault_user',
];
