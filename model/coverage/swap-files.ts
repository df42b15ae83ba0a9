/** Rows of swap in mappings of files: of pages of shmem in the page cache, and of private copies of pages of files. */
import type { CoverageTables } from './tables.ts';
import { becoming, type Transitions, transitionRows, unchanged } from './transitions.ts';

/** Whoever faults maps pages around as well; what others did to the page cache shows in all mappings. */
const BACK_IN_THE_CACHE = { 'file-swapped': 'file-none' };
const BACK_WHATEVER_THE_ACCESS = { 'file-swapped': 'file-none file-none-no-access file-none-read-only' };

const SWAP_FILE_TRANSITIONS: Transitions = {
  'check-exclusive': unchanged('file-swapped'),
  'cpu-read': { 'file-swapped': 'file-read file-swapped file-write' },
  'cpu-read elsewhere': BACK_WHATEVER_THE_ACCESS,
  'cpu-write': { 'file-swapped': 'file-swapped file-write ram-write' },
  'cpu-write elsewhere': BACK_WHATEVER_THE_ACCESS,
  exclusive: { 'file-swapped': 'device-exclusive file-swapped file-write' },
  'exclusive elsewhere': BACK_IN_THE_CACHE,
  'fork child': unchanged('file-swapped'),
  madvise: {
    'file-read': 'file-swapped',
    'file-swapped': 'file-swapped',
    'file-write': 'file-swapped',
    'swap-exclusive': 'file-none',
    'swap-shared': 'file-none',
  },
  'madvise elsewhere': becoming('file-swapped', 'file-none', 'file-none-no-access', 'file-none-read-only'),
  'migrate-to-dev': unchanged('file-swapped'),
  'migrate-to-sys': unchanged('file-swapped'),
  mlock: { 'file-swapped': 'file-read file-swapped file-write ram-write' },
  'mlock elsewhere': BACK_IN_THE_CACHE,
  mmap: { unmapped: 'file-swapped' },
  mprotect: unchanged('file-swapped'),
  mremap: {
    'file-swapped': 'file-swapped unmapped',
    'swap-exclusive': 'file-none',
  },
  'mremap moved': unchanged('file-swapped'),
  munlock: unchanged('file-swapped'),
  munmap: becoming('unmapped', 'file-swapped'),
  pin: { 'file-swapped': 'file-swapped file-write ram-write' },
  'pin elsewhere': BACK_IN_THE_CACHE,
  read: { 'file-swapped': 'file-read file-swapped file-write' },
  'read elsewhere': BACK_IN_THE_CACHE,
  'read-unlocked': unchanged('file-swapped'),
  snapshot: unchanged('file-swapped'),
  swapoff: BACK_WHATEVER_THE_ACCESS,
  write: { 'file-swapped': 'file-swapped file-write ram-write' },
  'write elsewhere': BACK_IN_THE_CACHE,
};

const SWAP_FILE_TRANSITIONS_7_3: Transitions = {
  'read-unlocked': { 'file-swapped': 'file-read file-write' },
  'read-unlocked elsewhere': BACK_IN_THE_CACHE,
};

export const SWAP_FILES: CoverageTables = {
  states: [{ rows: ['file-swapped'] }],
  transitions: [
    { rows: transitionRows(SWAP_FILE_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(SWAP_FILE_TRANSITIONS_7_3) },
  ],
};
