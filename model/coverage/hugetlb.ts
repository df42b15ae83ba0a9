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
    'huge-file-read': 'file-none-no-access file-none-read-only',
    // A copy of what is pinned.
    'huge-ram-write': 'huge-ram-write',
  },
  madvise: {
    'huge-file-read': 'file-none-read-only huge-file-read',
    'huge-file-write': 'file-none huge-file-write',
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
  mlock: {
    'file-none': 'huge-file-write huge-ram-write',
    'huge-file-write': 'huge-file-write',
    'huge-ram-read': 'huge-ram-write',
    'huge-ram-read-exclusive': 'huge-ram-write',
    'huge-ram-shared': 'huge-ram-write',
    'huge-ram-write': 'huge-ram-write',
  },
  'mlock elsewhere': {
    'huge-ram-shared': 'huge-ram-read',
  },
  mprotect: {
    'huge-file-read': 'huge-file-read huge-file-write',
    'huge-file-write': 'huge-file-read huge-file-write',
  },
  mremap: {
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write unmapped',
  },
  'mremap elsewhere': {
    'huge-file-write': 'unmapped',
    unmapped: 'huge-file-write',
  },
  'mremap moved': {
    'huge-file-write': 'huge-file-write',
  },
  munlock: {
    'huge-file-write': 'huge-file-write',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
  },
  // What would cut a page is refused.
  munmap: {
    'file-none': 'file-none',
    'file-none-read-only': 'file-none-read-only',
    'huge-file-write': 'unmapped huge-file-write',
    'huge-file-read': 'unmapped',
    'huge-ram-read': 'huge-ram-read',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-shared',
    'huge-ram-write': 'huge-ram-write',
  },
  pin: {
    'file-none': 'huge-file-write huge-ram-write',
    'huge-file-write': 'huge-file-write',
    'huge-ram-read-exclusive': 'huge-ram-write',
    'huge-ram-shared': 'huge-ram-write',
  },
  read: {
    'file-none': 'huge-file-write huge-ram-read-exclusive',
    'file-none-read-only': 'huge-file-read huge-ram-read-exclusive',
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
    'huge-file-read': 'huge-file-read',
    'huge-file-write': 'huge-file-write',
    'huge-ram-read-exclusive': 'huge-ram-write',
    'huge-ram-shared': 'huge-ram-write',
  },
  release: {
    'huge-file-write': 'huge-file-write',
  },
};

const TRANSITIONS_7_3: Transitions = {
  'fork child': {
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
  },
  'mremap elsewhere': {
    'huge-ram-write': 'huge-file-write',
  },
  'read-unlocked': {
    'file-none': 'huge-file-write huge-ram-read-exclusive',
  },
};

const TRANSITIONS_6_12: Transitions = {
  'mremap elsewhere': {
    'file-none': 'huge-file-write',
  },
};

export const HUGETLB: CoverageTables = {
  operations: [{ rows: ['mprotect: EINVAL', 'munmap: EINVAL'] }],
  states: [{ rows: ['huge-file-read', 'huge-file-write'] }],
  transitions: [
    { rows: transitionRows(TRANSITIONS) },
    { only: '7.3', rows: transitionRows(TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(TRANSITIONS_6_12) },
  ],
  rules: [
    {
      rows: [
        'align_hugetlb',
        'copy_hugetlb_page_range',
        'hugetlb_change_protection',
        'hugetlb_install_folio',
        'hugetlb_no_page',
        'hugetlb_vm_op_split',
        'hugetlb_wp',
        'migrate_vma_setup',
      ],
    },
    { only: '7.3', rows: ['check_prep_vma (VM_DONTEXPAND)', 'check_vma_flags (FOLL_SPLIT_PMD)'] },
    { only: '6.12', rows: ['vma_to_resize (VM_DONTEXPAND)'] },
  ],
};
