/** Rows of the model of mremap: of the old place, of the new one (`moved`), and of all others. */
import { MAPPED_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { becoming, type Transitions, transitionRows, unchanged } from './transitions.ts';

const MREMAP_TRANSITIONS: Transitions = {
  mremap: {
    'device-exclusive': 'device-exclusive none none-no-access none-read-only unmapped',
    'device-read': 'device-read none none-no-access none-read-only unmapped',
    'device-read-exclusive': 'device-read-exclusive none none-no-access none-read-only unmapped',
    'device-shared': 'device-shared none none-no-access none-read-only unmapped',
    'device-write': 'device-write none unmapped',
    'huge-ram-read': 'huge-ram-read none ram-read unmapped',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive none-read-only ram-read-exclusive unmapped',
    'huge-ram-shared': 'huge-ram-shared none ram-shared unmapped',
    'huge-ram-write': 'huge-ram-write none ram-write unmapped',
    'huge-zero': 'huge-zero none unmapped zero',
    none: 'none unmapped',
    'none-no-access': 'none-no-access unmapped',
    'none-read-only': 'none-read-only unmapped',
    'ram-read': 'none none-no-access none-read-only ram-read unmapped',
    'ram-read-exclusive': 'none none-no-access none-read-only ram-read-exclusive unmapped',
    'ram-shared': 'none none-no-access none-read-only ram-shared unmapped',
    'ram-write': 'none ram-write unmapped',
    unmapped: 'unmapped',
    zero: 'none none-no-access none-read-only unmapped zero',
  },
  'mremap elsewhere': {
    'device-shared': 'device-read',
    'huge-ram-read': 'ram-read ram-shared',
    'huge-ram-read-exclusive': 'ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-read ram-read ram-shared',
    'huge-ram-write': 'ram-write',
    'huge-zero': 'zero',
    'ram-shared': 'ram-read',
    unmapped: 'none none-no-access none-read-only ram-write',
  },
  'mremap moved': {
    ...unchanged(...MAPPED_STATES),
    'huge-ram-read': 'huge-ram-read ram-read ram-shared',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-shared ram-read ram-shared',
    'huge-ram-write': 'huge-ram-write ram-write',
    'huge-zero': 'huge-zero zero',
  },
};

const MREMAP_TRANSITIONS_7_3: Transitions = {
  mremap: {
    'huge-device-read': 'device-read huge-device-read none unmapped',
    'huge-device-read-exclusive': 'unmapped',
    'huge-device-shared': 'device-shared huge-device-shared none none-no-access unmapped',
    'huge-device-write': 'device-write huge-device-write none unmapped',
    'huge-ram-read-exclusive': 'none-no-access',
    'huge-zero': 'none-read-only',
  },
  'mremap elsewhere': {
    'huge-device-read': 'device-read',
    'huge-device-read-exclusive': 'device-read-exclusive',
    'huge-device-shared': 'device-read device-shared huge-device-read',
    'huge-device-write': 'device-write',
    none: 'none-read-only ram-write',
    'ram-write': 'device-exclusive',
    unmapped: 'ram-shared',
  },
  'mremap moved': {
    'huge-device-read': 'device-read',
    'huge-device-read-exclusive': 'device-read-exclusive',
    'huge-device-shared': 'device-read device-shared huge-device-shared',
    'huge-device-write': 'device-write huge-device-write',
  },
};

const MREMAP_TRANSITIONS_6_12: Transitions = {
  'mremap elsewhere': becoming(
    'unmapped',
    ...MAPPED_STATES,
    'huge-ram-read',
    'huge-ram-shared',
    'huge-ram-write',
    'huge-zero',
  ),
};

export const MREMAP: CoverageTables = {
  operations: [{ rows: ['mremap: EFAULT', 'mremap: EINVAL', 'mremap: ENOMEM', 'mremap: ok'] }],
  transitions: [
    { rows: transitionRows(MREMAP_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(MREMAP_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(MREMAP_TRANSITIONS_6_12) },
  ],
  rules: [
    {
      rows: [
        'check_mremap_params',
        'check_prep_vma',
        'expand_vma',
        'expand_vma_in_place',
        'move_ptes',
        'move_huge_pmd',
        'mremap_at',
        'mremap_to',
      ],
    },
    { only: '7.3', rows: ['remap_move'] },
    { only: '6.12', rows: ['mremap', 'vma_to_resize'] },
  ],
};
