/**
 * Rows of kernels with soft-dirty bits: pages are write-protected where mprotect() would have made them writable
 * (can_change_pte_writable), and so are entries that are made anew (pte_needs_soft_dirty_wp).
 */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const SOFT_DIRTY_TRANSITIONS: Transitions = {
  'clear-refs': {
    'ram-write': 'ram-read-exclusive',
  },
  'fork child': {
    'ram-read-exclusive': 'ram-write',
  },
  'uffd-unregister': {
    'ram-write': 'ram-read-exclusive',
  },
};

const SOFT_DIRTY_TRANSITIONS_7_3: Transitions = {
  write: {
    'device-exclusive': 'ram-read-exclusive',
  },
};

export const SOFT_DIRTY: CoverageTables = {
  transitions: [
    { softDirty: true, rows: transitionRows(SOFT_DIRTY_TRANSITIONS) },
    { softDirty: true, only: '7.3', rows: transitionRows(SOFT_DIRTY_TRANSITIONS_7_3) },
  ],
  rules: [{ softDirty: true, rows: ['clear_soft_dirty'] }],
};
