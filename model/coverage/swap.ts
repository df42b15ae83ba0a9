/** Rows of the model of swap: entries of slots, pages in the swap cache, and what each operation makes of them. */
import { SWAP_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows, unchanged } from './transitions.ts';

const SWAP_TRANSITIONS: Transitions = {
  'check-exclusive': {
    'swap-exclusive': 'swap-exclusive',
    'swap-shared': 'swap-shared',
    'swap-cached': 'swap-cached',
  },
  'cpu-read': {
    'swap-cached': 'swap-cached',
    'swap-exclusive': 'ram-read-exclusive ram-write swap-exclusive',
    'swap-exclusive-protected': 'ram-read-exclusive-protected',
    'swap-shared': 'swap-cached swap-shared',
    'swap-shared-protected': 'swap-cached-protected',
  },
  'cpu-write': {
    'swap-cached': 'ram-write swap-cached',
    'swap-exclusive': 'ram-write swap-exclusive',
    'swap-exclusive-protected': 'ram-read-exclusive-protected',
    'swap-shared': 'ram-write swap-shared',
    'swap-cached-protected': 'swap-cached-protected',
    'swap-shared-protected': 'swap-cached-protected',
  },
  exclusive: {
    'swap-cached': 'device-exclusive swap-cached',
    'swap-exclusive': 'device-exclusive swap-exclusive',
    'swap-shared': 'device-exclusive swap-shared',
    'swap-shared-protected': 'swap-cached-protected',
  },
  fork: {
    'swap-exclusive': 'swap-shared',
    'swap-exclusive-protected': 'swap-shared-protected',
  },
  'fork child': {
    'swap-cached': 'swap-cached',
    'swap-exclusive': 'swap-shared',
    'swap-exclusive-protected': 'swap-shared',
    'swap-shared': 'swap-shared',
    'swap-cached-protected': 'swap-cached',
    'swap-shared-protected': 'swap-shared',
  },
  madvise: {
    'huge-ram-read': 'zero',
    'huge-ram-write': 'swap-exclusive zero',
    'ram-read': 'swap-shared',
    'ram-read-exclusive': 'swap-exclusive zero',
    'ram-read-exclusive-protected': 'swap-exclusive-protected',
    'ram-write': 'swap-exclusive zero',
    'swap-cached': 'none ram-read swap-cached swap-shared',
    'swap-exclusive': 'none none-no-access none-read-only swap-exclusive',
    'swap-shared': 'none none-no-access none-read-only swap-shared',
    'swap-cached-protected': 'swap-cached-protected',
    'swap-shared-protected': 'none swap-shared-protected',
  },
  'madvise elsewhere': {
    'huge-ram-write': 'zero',
    'ram-read-exclusive': 'zero',
    'ram-write': 'zero',
  },
  'migrate-to-dev': {
    ...unchanged(...SWAP_STATES),
    'swap-exclusive-protected': 'swap-exclusive-protected',
  },
  'migrate-to-sys': {
    ...unchanged(...SWAP_STATES),
    'swap-exclusive-protected': 'swap-exclusive-protected',
  },
  mlock: {
    'swap-cached': 'ram-write swap-cached',
    'swap-exclusive': 'ram-read-exclusive ram-write swap-exclusive',
    'swap-shared': 'ram-shared ram-write swap-cached swap-shared',
    'swap-shared-protected': 'swap-cached-protected',
    'swap-cached-protected': 'swap-cached-protected',
  },
  'mlock elsewhere': {
    'swap-cached': 'ram-read ram-shared',
  },
  mprotect: {
    'swap-cached': 'swap-cached',
    'swap-exclusive': 'swap-exclusive',
    'swap-shared': 'ram-write swap-shared',
    'swap-exclusive-protected': 'swap-exclusive-protected',
    'swap-shared-protected': 'swap-shared-protected',
  },
  mremap: {
    'swap-exclusive': 'none none-no-access none-read-only swap-exclusive unmapped',
    'swap-shared': 'none none-no-access swap-shared unmapped',
    'swap-cached': 'none swap-cached unmapped',
    'swap-cached-protected': 'swap-cached-protected',
    'swap-shared-protected': 'swap-shared-protected',
  },
  'mremap moved': {
    'swap-exclusive': 'swap-exclusive',
    'swap-shared': 'swap-shared',
    'swap-cached': 'swap-cached',
  },
  munlock: unchanged(...SWAP_STATES),
  munmap: {
    'swap-exclusive': 'unmapped',
    'swap-shared': 'unmapped',
    'swap-cached': 'unmapped',
    'swap-cached-protected': 'unmapped',
  },
  pin: {
    'swap-cached': 'ram-write swap-cached',
    'swap-exclusive': 'ram-write swap-exclusive',
    'swap-shared': 'ram-write swap-shared',
  },
  read: {
    'swap-cached': 'swap-cached',
    'swap-exclusive': 'ram-read-exclusive ram-write swap-exclusive',
    'swap-shared': 'swap-cached swap-shared',
  },
  'read-unlocked': unchanged(...SWAP_STATES),
  release: {
    'swap-exclusive': 'swap-exclusive',
    'swap-shared': 'swap-shared',
    'swap-cached': 'swap-cached',
  },
  snapshot: unchanged(...SWAP_STATES),
  swapoff: {
    'swap-cached': 'ram-read ram-shared',
    'swap-cached-protected': 'ram-shared-protected',
    'swap-exclusive': 'ram-read-exclusive',
    'swap-shared': 'ram-read ram-shared',
    'swap-shared-protected': 'ram-read-protected ram-shared-protected',
  },
  'uffd-protect': {
    'swap-exclusive': 'swap-exclusive-protected',
  },
  'uffd-unprotect': {
    'swap-exclusive-protected': 'swap-exclusive',
    'swap-shared': 'swap-shared',
    'swap-shared-protected': 'swap-shared',
  },
  write: {
    'swap-cached': 'ram-write swap-cached',
    'swap-exclusive': 'ram-write swap-exclusive',
    'swap-shared': 'ram-write swap-shared',
    'swap-shared-protected': 'swap-cached-protected',
    'swap-cached-protected': 'swap-cached-protected',
    'swap-exclusive-protected': 'ram-read-exclusive-protected',
  },
  'uffd-register': {
    'swap-cached-protected': 'swap-cached-protected',
    'swap-exclusive-protected': 'swap-exclusive-protected',
  },
  'uffd-unregister': {
    'swap-shared-protected': 'swap-shared',
  },
  'uffd-zeropage': {
    'swap-exclusive': 'swap-exclusive',
  },
};

const SWAP_TRANSITIONS_7_3: Transitions = {
  'cpu-read': {
    'swap-shared': 'ram-read',
  },
  'cpu-write elsewhere': {
    'swap-cached': 'ram-read ram-shared',
  },
  madvise: {
    'huge-ram-read': 'swap-shared',
  },
  'madvise elsewhere': {
    'device-exclusive': 'zero',
  },
  'migrate-to-dev': {
    'swap-cached': 'device-read',
  },
  mlock: {
    'swap-shared': 'ram-read',
  },
  'pin elsewhere': {
    'swap-cached': 'ram-read',
  },
  read: {
    'swap-shared': 'ram-read ram-shared',
  },
  'read-unlocked': {
    'swap-exclusive': 'ram-read-exclusive ram-write',
    'swap-shared': 'ram-read ram-shared swap-cached',
  },
  'write elsewhere': {
    'swap-cached': 'ram-read ram-shared',
  },
  'cpu-write': {
    'swap-shared-protected': 'ram-read-protected',
  },
  'exclusive elsewhere': {
    'swap-cached': 'ram-read',
  },
  'read elsewhere': {
    'swap-cached': 'ram-shared',
  },
  'read-unlocked elsewhere': {
    'swap-cached': 'ram-shared',
  },
};

const SWAP_TRANSITIONS_6_12: Transitions = {
  'cpu-read': {
    'swap-shared': 'ram-read-exclusive ram-write',
  },
  mlock: {
    'swap-shared': 'ram-read-exclusive',
  },
  'mremap elsewhere': {
    'swap-exclusive': 'unmapped',
    'swap-shared': 'unmapped',
    'swap-cached': 'unmapped',
  },
  read: {
    'swap-shared': 'ram-read-exclusive ram-write',
  },
  'cpu-write': {
    'swap-shared-protected': 'ram-read-exclusive-protected',
  },
};

export const SWAP: CoverageTables = {
  operations: [{ rows: ['swapoff: EINVAL', 'swapoff: ok', 'swapon: EBUSY', 'swapon: ok'] }],
  states: [
    {
      rows: [
        'swap-cached',
        'swap-cached-protected',
        'swap-exclusive',
        'swap-exclusive-protected',
        'swap-shared',
        'swap-shared-protected',
      ],
    },
  ],
  transitions: [
    { rows: transitionRows(SWAP_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(SWAP_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(SWAP_TRANSITIONS_6_12) },
  ],
  rules: [{ rows: ['do_swap_page', 'swapoff', 'swapon', 'ttu_anon_swapbacked_folio', 'unuse_pte'] }],
};
