/** Rows of UFFDIO_MOVE. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows, unchanged } from './transitions.ts';

const TRANSITIONS: Transitions = {
  'uffd-move': {
    ...unchanged(
      'coherent-read',
      'coherent-read-exclusive',
      'coherent-shared',
      'device-exclusive',
      'device-read',
      'device-read-exclusive',
      'device-read-exclusive-protected',
      'device-read-protected',
      'device-shared',
      'device-write',
      'file-none',
      'file-read',
      'file-write',
      'none',
      'none-no-access',
      'none-read-only',
      'ram-read',
      'ram-read-protected',
      'ram-shared',
      'unmapped',
      'zero-protected',
    ),
    'coherent-read-exclusive-protected': 'none',
    'coherent-write': 'coherent-write none',
    'ram-read-exclusive': 'none ram-read-exclusive',
    'ram-read-exclusive-protected': 'none ram-read-exclusive-protected',
    'ram-write': 'none ram-write',
    zero: 'none zero',
  },
  'uffd-move elsewhere': {
    none: 'coherent-write ram-write zero',
  },
};

export const USERFAULT_MOVE: CoverageTables = {
  operations: [
    {
      rows: [
        'uffd-move: EAGAIN',
        'uffd-move: EBADF',
        'uffd-move: EBUSY',
        'uffd-move: EEXIST',
        'uffd-move: EFAULT',
        'uffd-move: EINVAL',
        'uffd-move: ENOENT',
        'uffd-move: ok',
      ],
    },
  ],
  transitions: [{ rows: transitionRows(TRANSITIONS) }],
  rules: [
    {
      rows: ['move_pages', 'move_present_ptes', 'move_zeropage_pte', 'uffd_move_lock', 'validate_move_areas'],
    },
  ],
};
