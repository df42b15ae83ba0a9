/** What each operation makes of a page in a mapping of a file: from each state the states that can follow. */
import { FILE_STATES } from './states.ts';
import { becoming, type Transitions, unchanged } from './transitions.ts';

export const FILE_TRANSITIONS: Transitions = {
  'check-exclusive': unchanged(...FILE_STATES),
  'cpu-read': {
    'file-none': 'file-none file-read file-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only file-read',
    'file-read': 'file-read',
    'file-write': 'file-write',
  },
  'cpu-read elsewhere': {
    'file-none': 'file-read file-write',
    'file-none-read-only': 'file-read',
  },
  'cpu-write': {
    'file-none': 'file-none file-write ram-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'file-read file-write ram-write',
    'file-write': 'file-write',
  },
  exclusive: {
    'file-none': 'device-exclusive file-none file-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'device-exclusive file-read file-write',
    'file-write': 'file-write',
  },
  'fork child': {
    'file-none': 'file-none',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'file-none file-none-no-access file-none-read-only file-read',
    'file-write': 'file-none',
  },
  madvise: {
    'device-exclusive': 'file-none file-none-read-only',
    'device-read': 'file-none file-none-read-only',
    'device-read-exclusive': 'file-none file-none-no-access file-none-read-only',
    'device-shared': 'file-none file-none-no-access file-none-read-only',
    'device-write': 'file-none',
    'file-none': 'file-none',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'file-none file-none-no-access file-none-read-only file-read',
    'file-write': 'file-none file-write',
    'ram-read': 'file-none file-none-no-access',
    'ram-read-exclusive': 'file-none file-none-no-access file-none-read-only',
    'ram-shared': 'file-none file-none-no-access',
    'ram-write': 'file-none',
  },
  'migrate-to-dev': unchanged(...FILE_STATES),
  'migrate-to-sys': unchanged(...FILE_STATES),
  mlock: {
    'file-none': 'file-none file-read file-write ram-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only file-read',
    'file-read': 'file-read ram-write',
    'file-write': 'file-write',
  },
  mmap: {
    unmapped: 'file-none file-none-no-access file-none-read-only',
  },
  mprotect: {
    'file-none': 'file-none file-none-no-access file-none-read-only',
    'file-none-no-access': 'file-none file-none-no-access file-none-read-only ram-write',
    'file-none-read-only': 'file-none file-none-no-access file-none-read-only',
    'file-read': 'file-read file-write ram-write',
    'file-write': 'file-read file-write',
  },
  mremap: {
    'device-exclusive': 'file-none file-none-read-only',
    'device-read': 'file-none',
    'device-read-exclusive': 'file-none file-none-no-access file-none-read-only',
    'device-shared': 'file-none file-none-read-only',
    'device-write': 'file-none',
    'file-none': 'file-none unmapped',
    'file-none-no-access': 'file-none-no-access unmapped',
    'file-none-read-only': 'file-none-read-only unmapped',
    'file-read': 'file-none file-none-no-access file-none-read-only file-read unmapped',
    'file-write': 'file-none file-write unmapped',
    'ram-read': 'file-none file-none-no-access',
    'ram-read-exclusive': 'file-none file-none-no-access file-none-read-only',
    'ram-shared': 'file-none file-none-no-access',
    'ram-write': 'file-none',
  },
  'mremap elsewhere': {
    'file-none': 'unmapped',
    unmapped: 'file-none file-read',
  },
  'mremap moved': unchanged(...FILE_STATES),
  munlock: unchanged(...FILE_STATES),
  munmap: becoming('unmapped', ...FILE_STATES),
  pin: {
    'file-none': 'file-none file-write ram-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'file-read ram-write',
    'file-write': 'file-write',
  },
  read: {
    'file-none': 'file-none file-read file-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only file-read',
    'file-read': 'file-read',
    'file-write': 'file-write',
  },
  'read elsewhere': {
    'file-none': 'file-read file-write',
    'file-none-read-only': 'file-read',
  },
  'read-unlocked': unchanged(...FILE_STATES),
  release: unchanged('file-none', 'file-none-no-access', 'file-read', 'file-write'),
  snapshot: unchanged(...FILE_STATES),
  write: {
    'file-none': 'file-none file-write ram-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'file-read file-write ram-write',
    'file-write': 'file-write',
  },
};

/** Userfaultfd takes no pages of ramfs (vma_can_userfault), and anonymous memory beside them fails with them. */
const NOT_FOR_USERFAULTFD = unchanged('file-none', 'file-read', 'file-write');
export const FILE_TRANSITIONS_USERFAULT: Transitions = {
  'uffd-copy': NOT_FOR_USERFAULTFD,
  'uffd-protect': NOT_FOR_USERFAULTFD,
  'uffd-register': NOT_FOR_USERFAULTFD,
  'uffd-unprotect': NOT_FOR_USERFAULTFD,
  'uffd-unregister': {
    ...NOT_FOR_USERFAULTFD,
    ...unchanged('ram-read-exclusive-protected'),
  },
  'uffd-zeropage': NOT_FOR_USERFAULTFD,
};

/**
 * Where writes are not tracked, entries of shared shmem are writable from the start (vma_wants_writenotify: it has no
 * page_mkwrite), and shared pages of other files are not pinned.
 */
export const FILE_TRANSITIONS_SOFT_DIRTY: Transitions = {
  'clear-refs': {
    'file-write': 'file-read',
  },
  pin: {
    'file-read': 'file-write',
  },
};

export const FILE_TRANSITIONS_7_3: Transitions = {
  'read-unlocked': {
    'file-none': 'file-read file-write',
    'file-none-read-only': 'file-read',
  },
  'read-unlocked elsewhere': {
    'file-none': 'file-read file-write',
    'file-none-read-only': 'file-read',
  },
};

export const FILE_TRANSITIONS_6_12: Transitions = {
  'mremap elsewhere': becoming('unmapped', ...FILE_STATES.filter((state) => state !== 'file-none')),
};
