/** Rows of MADV_COLLAPSE. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const COLLAPSE_TRANSITIONS: Transitions = {
  madvise: {
    'device-read': 'huge-ram-write',
    'device-shared': 'huge-ram-write',
    'device-write': 'huge-ram-write',
    none: 'huge-ram-write',
    'ram-read': 'huge-ram-write',
    'ram-shared': 'huge-ram-write',
    'ram-write': 'huge-ram-write',
    zero: 'huge-ram-write',
  },
  'madvise elsewhere': {
    'device-shared': 'ram-read ram-shared',
  },
};

/** 6.12 collapses nothing that is read-only, and has no exclusive pages in huge regions (model/safe.ts). */
const COLLAPSE_TRANSITIONS_7_3: Transitions = {
  madvise: {
    'device-exclusive': 'huge-ram-write',
    'device-read-exclusive': 'huge-ram-read-exclusive',
    'none-read-only': 'huge-ram-read-exclusive',
    'ram-read-exclusive': 'huge-ram-read-exclusive',
    zero: 'huge-ram-read-exclusive',
  },
};

export const COLLAPSE: CoverageTables = {
  operations: [{ rows: ['madvise: EAGAIN', 'madvise: EBUSY'] }],
  transitions: [
    { rows: transitionRows(COLLAPSE_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(COLLAPSE_TRANSITIONS_7_3) },
  ],
  rules: [{ rows: ['collapse_huge_page', 'madvise_collapse'] }],
};
