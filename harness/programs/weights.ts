/** What random programs are about: how often each operation is wished for, in all of them and in those with a theme. */
import type { OrdinaryStep, Step } from '../../model/program.ts';

export const WEIGHTS: Readonly<Record<OrdinaryStep['op'], number>> = {
  mmap: 4,
  munmap: 5,
  mremap: 5,
  mlock: 2,
  munlock: 1,
  'uffd-open': 0,
  'uffd-register': 0,
  'uffd-unregister': 0,
  'uffd-protect': 0,
  'uffd-unprotect': 0,
  'uffd-zeropage': 0,
  'uffd-copy': 0,
  'uffd-move': 0,
  ksmd: 0,
  mprotect: 5,
  madvise: 6,
  'clear-refs': 1,
  pin: 2,
  unpin: 1,
  reload: 1,
  swapon: 0,
  swapoff: 0,
  'cpu-read': 12,
  'cpu-write': 16,
  fork: 5,
  exit: 3,
  open: 7,
  close: 3,
  read: 11,
  'read-unlocked': 2,
  write: 11,
  'migrate-to-dev': 20,
  'migrate-to-sys': 9,
  snapshot: 2,
  exclusive: 6,
  'check-exclusive': 2,
  flags: 4,
  release: 1,
};

/** What some programs are about, so that others are no thinner for it: the share of them, and what is wished for more. */
export interface Theme {
  /** Of all programs, in percent. */
  share: number;
  weights: Readonly<Partial<Record<OrdinaryStep['op'], number>>>;
  /** Behind the first mmap. */
  begin: readonly Step[];
  /** Share of those of them that have regions which map files, 0..1, instead of {@link GenerateOptions.files}. */
  files?: number;
}

export const THEMES: readonly Theme[] = [
  {
    share: 10,
    weights: {
      'uffd-open': 2,
      'uffd-register': 7,
      'uffd-unregister': 4,
      'uffd-protect': 10,
      'uffd-unprotect': 4,
      'uffd-zeropage': 3,
      'uffd-copy': 5,
      'uffd-move': 9,
      swapon: 1,
    },
    begin: [],
    files: 0.3,
  },
  // Dear: ksmd takes some 10 ms for each step. Pages of zeroes that a pin brought are those that are alike.
  { share: 2, weights: { ksmd: 12, madvise: 20, pin: 3, unpin: 14, mlock: 0 }, begin: [], files: 0.3 },
  {
    share: 10,
    weights: { swapon: 2, swapoff: 2, madvise: 30 },
    begin: [{ op: 'swapon', by: 0 }],
    files: 0.3,
  },
];
