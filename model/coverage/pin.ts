/** Rows of the model of pinned pages: a pin faults pages in, and a fork copies what is pinned. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const PIN_TRANSITIONS: Transitions = {
  fork: {
    'device-exclusive': 'ram-read-exclusive ram-write',
    'huge-ram-read-exclusive': 'ram-read-exclusive',
    'huge-ram-write': 'ram-write',
  },
  'fork child': {
    'device-exclusive': 'ram-read-exclusive ram-write',
    'huge-ram-read-exclusive': 'ram-read-exclusive',
    'huge-ram-write': 'ram-write',
    'ram-read-exclusive': 'ram-read-exclusive',
    'ram-write': 'ram-write',
  },
  pin: {
    'device-exclusive': 'device-exclusive ram-write',
    'device-read': 'device-read ram-write',
    'device-read-exclusive': 'device-read-exclusive ram-write',
    'device-shared': 'device-shared ram-write',
    'device-write': 'device-write ram-write',
    'huge-ram-read': 'huge-ram-read huge-ram-write ram-write',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-shared ram-write',
    'huge-ram-write': 'huge-ram-write',
    'huge-zero': 'huge-zero',
    none: 'huge-ram-write none ram-write',
    'none-no-access': 'none-no-access',
    'none-read-only': 'none-read-only',
    'ram-read': 'ram-read ram-write',
    'ram-read-exclusive': 'ram-read-exclusive ram-write',
    'ram-shared': 'ram-shared ram-write',
    'ram-write': 'ram-write',
    unmapped: 'unmapped',
    zero: 'ram-write zero',
  },
  'pin elsewhere': {
    'device-shared': 'ram-read ram-shared',
    'huge-ram-read': 'ram-read ram-shared',
    'huge-ram-shared': 'huge-ram-read ram-read ram-shared',
    'ram-shared': 'ram-read',
  },
};

const PIN_TRANSITIONS_7_3: Transitions = {
  pin: {
    'huge-device-read': 'huge-ram-write ram-write',
    'huge-device-shared': 'huge-device-shared ram-write',
    'huge-device-write': 'huge-device-write huge-ram-write ram-write',
    'huge-zero': 'huge-ram-write',
  },
  'pin elsewhere': {
    'huge-device-read': 'ram-read ram-shared',
    'huge-device-shared': 'device-read device-shared huge-ram-read huge-ram-shared ram-read ram-shared',
    'huge-device-write': 'device-write',
  },
};

const PIN_TRANSITIONS_6_12: Transitions = {
  pin: {
    'huge-zero': 'ram-write',
  },
  'pin elsewhere': {
    'huge-zero': 'zero',
  },
};

export const PIN: CoverageTables = {
  operations: [
    {
      rows: ['pin: EFAULT', 'pin: EINVAL', 'pin: ok', 'unpin: ok'],
    },
    { only: '7.3', rows: ['pin: ENOMEM'] },
  ],
  transitions: [
    { rows: transitionRows(PIN_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(PIN_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(PIN_TRANSITIONS_6_12) },
  ],
  rules: [
    {
      rows: [
        'check_vma_flags',
        'copy_present_page',
        'gup_vma_lookup',
        'pin_longterm_test_start',
        'pin_longterm_test_stop',
      ],
    },
  ],
};
