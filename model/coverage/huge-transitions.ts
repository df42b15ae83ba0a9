/**
 * What each operation makes of a page that a PMD maps, and of the PTEs of huge regions as order-0-transitions.ts has not:
 * where a folio falls apart, pages of zeroes become the zero page.
 */
import { HUGE_STATES } from './states.ts';
import { becoming, type Transitions, unchanged } from './transitions.ts';

export const HUGE_TRANSITIONS: Transitions = {
  'check-exclusive': unchanged(...HUGE_STATES),
  'cpu-read': {
    ...unchanged(...HUGE_STATES),
    none: 'huge-zero',
    'none-read-only': 'huge-zero',
  },
  'cpu-write': {
    'huge-ram-read': 'huge-ram-read huge-ram-write ram-write',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-shared ram-write',
    'huge-ram-write': 'huge-ram-write',
    'huge-zero': 'huge-zero',
    none: 'huge-ram-write',
  },
  'cpu-write elsewhere': {
    'huge-ram-read': 'ram-read ram-shared',
    'huge-ram-shared': 'huge-ram-read ram-read ram-shared',
  },
  exit: {
    'huge-ram-shared': 'huge-ram-read',
  },
  fork: {
    'huge-ram-read': 'huge-ram-shared',
    'huge-ram-read-exclusive': 'huge-ram-shared',
    'huge-ram-write': 'huge-ram-shared',
  },
  'fork child': {
    'huge-ram-read': 'huge-ram-shared',
    'huge-ram-read-exclusive': 'huge-ram-shared',
    'huge-ram-shared': 'huge-ram-shared',
    'huge-ram-write': 'huge-ram-shared',
    'huge-zero': 'huge-zero',
  },
  madvise: {
    'huge-ram-read': 'huge-ram-read none none-no-access ram-read',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-shared none ram-read ram-shared',
    'huge-ram-write': 'huge-ram-write none ram-write',
    'huge-zero': 'huge-zero none none-read-only zero',
  },
  'madvise elsewhere': {
    'huge-ram-read': 'ram-read zero',
    'huge-ram-read-exclusive': 'ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-read ram-read ram-shared',
    'huge-ram-write': 'ram-write',
    'huge-zero': 'zero',
  },
  'migrate-to-dev': {
    'huge-ram-read': 'device-read device-shared device-write huge-ram-read',
    'huge-ram-read-exclusive': 'device-read-exclusive huge-ram-read-exclusive',
    'huge-ram-shared': 'device-read device-shared device-write huge-ram-shared',
    'huge-ram-write': 'device-write huge-ram-write',
    'huge-zero': 'device-read-exclusive device-write huge-zero',
  },
  'migrate-to-dev elsewhere': {
    'huge-ram-read': 'ram-read ram-shared zero',
    'huge-ram-read-exclusive': 'ram-read-exclusive zero',
    'huge-ram-shared': 'device-shared ram-read ram-shared zero',
    'huge-ram-write': 'ram-write zero',
    'huge-zero': 'zero',
    'ram-shared': 'zero',
  },
  'migrate-to-sys': unchanged(...HUGE_STATES),
  mprotect: {
    'huge-ram-read': 'huge-ram-read ram-read',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive huge-ram-write ram-write',
    'huge-ram-shared': 'huge-ram-shared ram-shared',
    'huge-ram-write': 'huge-ram-read-exclusive huge-ram-write ram-read-exclusive',
    'huge-zero': 'huge-zero zero',
  },
  'mprotect elsewhere': {
    'huge-ram-read': 'ram-read',
    'huge-ram-read-exclusive': 'ram-read-exclusive',
    'huge-ram-shared': 'ram-read ram-shared',
    'huge-ram-write': 'ram-write',
    'huge-zero': 'zero',
  },
  munmap: becoming('unmapped', ...HUGE_STATES),
  'munmap elsewhere': {
    'huge-ram-read': 'ram-read ram-shared',
    'huge-ram-read-exclusive': 'ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-read ram-read ram-shared',
    'huge-ram-write': 'ram-write',
    'huge-zero': 'zero',
  },
  read: {
    ...unchanged(...HUGE_STATES),
    none: 'huge-zero',
    'none-read-only': 'huge-zero',
  },
  'read-unlocked': unchanged(...HUGE_STATES),
  release: unchanged('huge-ram-shared', 'huge-ram-write', 'huge-zero'),
  snapshot: unchanged(...HUGE_STATES),
  write: {
    'huge-ram-read': 'huge-ram-read huge-ram-write ram-write',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
    'huge-ram-shared': 'huge-ram-shared ram-write',
    'huge-ram-write': 'huge-ram-write',
    'huge-zero': 'huge-zero',
    none: 'huge-ram-write',
  },
  'write elsewhere': {
    'huge-ram-read': 'ram-read ram-shared',
    'huge-ram-shared': 'huge-ram-read ram-read ram-shared',
  },
};

/** 6.12 has no folios of order 9 on devices: what it migrates it splits. */
export const HUGE_TRANSITIONS_6_12: Transitions = {
  'cpu-write': {
    'huge-zero': 'ram-write',
  },
  'cpu-write elsewhere': {
    'huge-zero': 'zero',
  },
  'migrate-to-sys': {
    'huge-ram-read': 'ram-read ram-shared zero',
    'huge-ram-shared': 'ram-read ram-shared zero',
    'huge-ram-write': 'ram-write zero',
    'huge-zero': 'zero',
  },
  'migrate-to-sys elsewhere': {
    'huge-ram-read': 'ram-read ram-shared zero',
    'huge-ram-shared': 'ram-read ram-shared zero',
    'huge-ram-write': 'ram-write zero',
    'huge-zero': 'zero',
    'ram-shared': 'zero',
  },
  write: {
    'huge-zero': 'ram-write',
  },
  'write elsewhere': {
    'huge-zero': 'zero',
  },
};
