/** Rows of the model of mlocked memory, which is faulted in when it is locked and when it becomes writable. */
import { HUGE_DEVICE_STATES, ORDER_0_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows, unchanged } from './transitions.ts';

const MLOCK_TRANSITIONS: Transitions = {
  mlock: {
    'device-exclusive': 'device-exclusive ram-read-exclusive ram-write',
    'device-read': 'device-read ram-read ram-write',
    'device-read-exclusive': 'device-read-exclusive ram-read-exclusive ram-write',
    'device-shared': 'device-shared ram-shared ram-write',
    'device-write': 'device-write ram-write',
    none: 'none ram-write',
    'none-no-access': 'none-no-access',
    'ram-read': 'ram-read ram-write',
    'ram-read-exclusive': 'ram-read-exclusive ram-write',
    'ram-shared': 'ram-shared ram-write',
    'ram-write': 'ram-write',
    unmapped: 'unmapped',
    zero: 'ram-write zero',
  },
  'mlock elsewhere': {
    'device-shared': 'ram-read ram-shared',
    'ram-shared': 'ram-read',
  },
  mprotect: {
    'device-exclusive': 'ram-write',
    'device-read': 'ram-write',
    'device-read-exclusive': 'ram-write',
    'device-shared': 'ram-write',
    'none-no-access': 'ram-write',
    'none-read-only': 'ram-write',
    'ram-read': 'ram-write',
    'ram-shared': 'ram-write',
    zero: 'ram-write',
  },
  'mprotect elsewhere': {
    'device-shared': 'ram-read',
    'ram-shared': 'ram-read',
  },
  munlock: unchanged(...ORDER_0_STATES, 'huge-ram-read', 'huge-ram-shared', 'huge-ram-write', 'huge-zero'),
};

const MLOCK_TRANSITIONS_7_3: Transitions = {
  munlock: unchanged(...HUGE_DEVICE_STATES),
};

export const MLOCK: CoverageTables = {
  operations: [
    { rows: ['madvise: EINVAL', 'mlock: ENOMEM', 'mlock: ok', 'munlock: ENOMEM', 'munlock: ok'] },
    { only: '7.3', rows: ['mlock: EAGAIN'] },
  ],
  transitions: [
    { rows: transitionRows(MLOCK_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(MLOCK_TRANSITIONS_7_3) },
  ],
  rules: [
    {
      rows: [
        'apply_vma_lock_flags',
        'can_madv_lru_vma',
        'do_mlock',
        'madvise_dontneed_free_valid_vma',
        'populate_vma_page_range',
      ],
    },
  ],
};
