/** Rows of the model of hugetlb. */
import { HUGE_RAM_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows, unchanged } from './transitions.ts';

const TRANSITIONS: Transitions = {
  'check-exclusive': {
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
  },
  'cpu-read': {
    'file-none': 'huge-file-write huge-ram-read-exclusive',
    'file-none-read-only': 'huge-file-read huge-ram-read-exclusive',
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
  },
  'cpu-write': {
    'file-none': 'huge-file-write huge-ram-write',
    'huge-file-write': 'huge-file-write',
    'huge-ram-read-exclusive': 'huge-ram-write',
    'huge-ram-shared': 'huge-ram-write',
    'huge-file-read': 'huge-file-read',
  },
  exclusive: unchanged(...HUGE_RAM_STATES, 'huge-file-read', 'huge-file-write'),
  'fork child': {
    'huge-file-write': 'file-none',
    'huge-file-read': 'file-none-read-only',
  },
  madvise: {
    'huge-file-read': 'file-none-read-only',
    'huge-file-write': 'file-none',
    'huge-ram-read': 'file-none file-none-read-only',
    'huge-ram-read-exclusive': 'file-none file-none-read-only',
    'huge-ram-shared': 'file-none file-none-read-only',
    'huge-ram-write': 'file-none',
  },
  'migrate-to-dev': {
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
  },
  'migrate-to-sys': {
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
  },
  mprotect: {
    'huge-file-read': 'huge-file-write',
    'huge-file-write': 'huge-file-read huge-file-write',
  },
  munmap: {
    'huge-file-write': 'unmapped',
    'huge-file-read': 'unmapped',
  },
  read: {
    'file-none': 'huge-file-write huge-ram-read-exclusive',
    'file-none-read-only': 'huge-ram-read-exclusive',
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
  },
  'read-unlocked': {
    'huge-file-write': 'huge-file-write',
  },
  snapshot: {
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
  },
  write: {
    'file-none': 'huge-file-write huge-ram-write',
    'huge-file-write': 'huge-file-write',
    'huge-ram-read-exclusive': 'huge-ram-write',
    'huge-ram-shared': 'huge-ram-write',
  },
  release: {
    'huge-file-write': 'huge-file-write',
  },
};

const TRANSITIONS_7_3: Transitions = {
  'read-unlocked': {
    'file-none': 'huge-file-write huge-ram-read-exclusive',
  },
};

export const HUGETLB: CoverageTables = {
  states: [{ rows: ['huge-file-read', 'huge-file-write'] }],
  transitions: [
    { rows: transitionRows(TRANSITIONS) },
    { only: '7.3', rows: transitionRows(TRANSITIONS_7_3) },
  ],
  rules: [
    {
      rows: [
        'copy_hugetlb_page_range',
        'hugetlb_change_protection',
        'hugetlb_no_page',
        'hugetlb_wp',
        'migrate_vma_setup',
      ],
    },
    { only: '7.3', rows: ['check_vma_flags (FOLL_SPLIT_PMD)'] },
  ],
};
