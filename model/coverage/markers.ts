/** Rows of markers that userfaultfd leaves where it protects what is not there (UFFD_FEATURE_WP_UNPOPULATED), and of what becomes of them. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const TRANSITIONS: Transitions = {
  'cpu-read': { marker: 'marker zero-protected' },
  'cpu-write': {
    marker: 'marker ram-read-exclusive-protected',
  },
  'fork child': { marker: 'none' },
  madvise: {
    'device-shared-protected': 'none',
    'zero-protected': 'none',
    marker: 'marker none',
  },
  'migrate-to-dev': { marker: 'marker' },
  'mremap moved': { marker: 'none', 'ram-shared-protected': 'ram-shared' },
  mremap: {
    marker: 'marker unmapped',
    'ram-shared-protected': 'unmapped',
    'zero-protected': 'zero-protected',
  },
  read: {
    marker: 'marker zero-protected',
  },
  snapshot: { marker: 'marker' },
  'uffd-copy': {
    marker: 'marker ram-read-exclusive-protected ram-write',
    'zero-protected': 'zero-protected',
  },
  'uffd-protect': { marker: 'marker', none: 'marker', 'none-no-access': 'marker' },
  'uffd-unprotect': { marker: 'none' },
  'uffd-unregister': { 'device-shared-protected': 'device-shared', marker: 'none' },
  'uffd-zeropage': { marker: 'marker' },
  write: { marker: 'marker ram-read-exclusive-protected' },
  exclusive: {
    marker: 'marker ram-read-exclusive-protected',
  },
  munmap: {
    marker: 'unmapped',
  },
  pin: {
    marker: 'ram-read-exclusive-protected',
  },
  'migrate-to-sys': {
    marker: 'marker',
  },
  mprotect: {
    marker: 'marker',
  },
  release: {
    marker: 'marker',
  },
};

export const MARKERS: CoverageTables = {
  states: [{ rows: ['marker'] }],
  transitions: [{ rows: transitionRows(TRANSITIONS) }],
};
