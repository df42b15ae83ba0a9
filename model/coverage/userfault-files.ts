/** Rows of userfaultfd in mappings of files: shmem is filled and protected, and other files are refused. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const TRANSITIONS: Transitions = {
  'cpu-read': {
    'file-read-protected': 'file-read-protected',
    marker: 'file-read-protected',
  },
  'cpu-write': {
    'file-read-protected': 'file-read-protected file-write',
    marker: 'file-read-protected file-write',
  },
  exclusive: {
    'file-read-protected': 'file-read-protected',
  },
  'fork child': {
    'file-read-protected': 'file-none file-read',
    marker: 'file-none',
  },
  madvise: {
    'file-read-protected': 'file-read-protected marker',
    'ram-shared-protected': 'marker',
  },
  'migrate-to-dev': {
    'file-read-protected': 'file-read-protected',
  },
  'migrate-to-sys': {
    'file-read-protected': 'file-read-protected',
  },
  mlock: {
    'file-read-protected': 'file-read-protected',
    marker: 'marker',
  },
  mprotect: {
    'file-read-protected': 'file-read-protected',
  },
  mremap: {
    'file-read-protected': 'file-read-protected',
  },
  munlock: {
    'file-read-protected': 'file-read-protected',
    marker: 'marker',
  },
  munmap: {
    'file-read-protected': 'unmapped',
  },
  read: {
    'file-read-protected': 'file-read-protected',
  },
  'read-unlocked': {
    'file-read-protected': 'file-read-protected',
    marker: 'marker',
  },
  snapshot: {
    'file-read-protected': 'file-read-protected',
  },
  'uffd-copy': {
    'file-none': 'file-read-protected file-write ram-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read-protected': 'file-read-protected',
    'file-swapped': 'file-swapped',
    'swap-exclusive': 'swap-exclusive',
    'swap-shared': 'swap-shared',
  },
  'uffd-protect': {
    'file-none': 'marker',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read': 'file-read-protected',
    'file-read-protected': 'file-read-protected',
    'file-swapped': 'file-swapped marker',
    'file-write': 'file-read-protected',
    'swap-exclusive': 'swap-exclusive',
    'swap-exclusive-protected': 'swap-exclusive-protected',
  },
  'uffd-register': {
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read-protected': 'file-read-protected',
    'file-swapped': 'file-swapped',
    marker: 'marker',
    'swap-exclusive': 'swap-exclusive',
    'swap-shared': 'swap-shared',
  },
  'uffd-unprotect': {
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read-protected': 'file-read',
    'file-swapped': 'file-swapped',
    'file-write': 'file-read',
    'swap-exclusive': 'swap-exclusive',
  },
  'uffd-unregister': {
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read-protected': 'file-read',
    'file-swapped': 'file-swapped',
    'file-write': 'file-read',
    marker: 'file-none file-swapped',
    'ram-read-exclusive': 'ram-write',
    'swap-exclusive': 'swap-exclusive',
    'swap-exclusive-protected': 'swap-exclusive',
  },
  'uffd-zeropage': {
    'file-none': 'file-write',
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only file-read',
  },
  write: {
    'file-read-protected': 'file-read-protected',
    marker: 'file-read-protected',
  },
};

export const USERFAULT_FILES: CoverageTables = {
  states: [{ rows: ['file-read-protected'] }],
  transitions: [{ rows: transitionRows(TRANSITIONS) }],
  rules: [{ rows: ['try_to_unmap_one', 'zap_install_uffd_wp_if_needed'] }],
};
