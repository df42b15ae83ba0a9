/** Rows of the model of pages of coherent devices. */
import { COHERENT_STATES, OTHER_COHERENT_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { becoming, type Transitions, transitionRows, unchanged } from './transitions.ts';

const COHERENT_TRANSITIONS: Transitions = {
  'check-exclusive': {
    ...unchanged(...COHERENT_STATES, ...OTHER_COHERENT_STATES),
    'other-coherent-read-protected': 'other-coherent-read-protected',
  },
  close: {
    'coherent-read': 'ram-read',
    'coherent-read-exclusive': 'ram-read-exclusive',
    'coherent-shared': 'ram-shared',
    'coherent-write': 'ram-write',
  },
  'cpu-read': {
    ...unchanged(...COHERENT_STATES),
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'coherent-shared-protected': 'coherent-shared-protected',
  },
  'cpu-write': {
    'coherent-read': 'coherent-read coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive coherent-write',
    'coherent-shared': 'coherent-shared ram-write',
    'coherent-write': 'coherent-write',
    'coherent-shared-protected': 'ram-write',
  },
  'cpu-write elsewhere': {
    'coherent-shared': 'coherent-read',
    'coherent-shared-protected': 'coherent-read-protected',
  },
  exit: {
    'coherent-read': 'ram-read',
    'coherent-read-exclusive': 'ram-read-exclusive',
    'coherent-shared': 'coherent-read ram-read ram-shared',
    'coherent-write': 'ram-write',
  },
  fork: {
    'coherent-read': 'coherent-shared',
    'coherent-read-exclusive': 'coherent-shared',
    'coherent-write': 'coherent-shared',
    'coherent-read-exclusive-protected': 'coherent-shared-protected',
  },
  'fork child': becoming(
    'coherent-shared',
    ...COHERENT_STATES,
    'coherent-read-exclusive-protected',
    'coherent-shared-protected',
  ),
  madvise: {
    'coherent-read': 'coherent-read file-none none none-no-access none-read-only',
    'coherent-read-exclusive':
      'coherent-read-exclusive file-none file-none-read-only none none-no-access none-read-only',
    'coherent-shared': 'coherent-shared file-none none none-no-access none-read-only',
    'coherent-write': 'coherent-write file-none none',
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected none',
  },
  'madvise elsewhere': {
    'coherent-shared': 'coherent-read',
  },
  'migrate-to-dev': {
    ...unchanged(...COHERENT_STATES, ...OTHER_COHERENT_STATES),
    none: 'coherent-write',
    'none-read-only': 'coherent-read-exclusive',
    'ram-read': 'coherent-read',
    'ram-read-exclusive': 'coherent-read-exclusive',
    'ram-shared': 'coherent-shared',
    'ram-write': 'coherent-write',
    // A part of what a PMD maps.
    'huge-ram-shared': 'coherent-write',
    'huge-ram-write': 'coherent-write',
    'huge-zero': 'coherent-write',
    zero: 'coherent-read-exclusive coherent-write',
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'coherent-read-protected': 'coherent-read-protected',
    'coherent-shared-protected': 'coherent-shared-protected',
    'other-coherent-read-exclusive-protected': 'other-coherent-read-exclusive-protected',
    'ram-read-exclusive-protected': 'coherent-read-exclusive-protected',
  },
  'migrate-to-dev elsewhere': {
    'ram-shared': 'coherent-shared',
  },
  'migrate-to-sys': {
    ...unchanged(...OTHER_COHERENT_STATES),
    'coherent-read': 'coherent-read ram-read',
    'coherent-read-exclusive': 'coherent-read-exclusive ram-read-exclusive',
    'coherent-shared': 'coherent-shared ram-shared',
    'coherent-write': 'coherent-write ram-write',
    'coherent-read-exclusive-protected': 'ram-read-exclusive-protected',
    'coherent-shared-protected': 'ram-shared-protected',
  },
  'migrate-to-sys elsewhere': {
    'coherent-shared': 'ram-shared',
  },
  mlock: {
    'coherent-read': 'coherent-read coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive coherent-write',
    'coherent-shared': 'coherent-shared ram-write',
    'coherent-write': 'coherent-write',
  },
  'mlock elsewhere': {
    'coherent-shared': 'coherent-read',
  },
  mprotect: {
    'coherent-read': 'coherent-read coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive coherent-write',
    'coherent-shared': 'coherent-shared ram-write',
    'coherent-write': 'coherent-read-exclusive coherent-write',
    'coherent-read-protected': 'coherent-read-protected',
    'coherent-shared-protected': 'coherent-shared-protected',
  },
  'mprotect elsewhere': {
    'coherent-shared': 'coherent-read',
  },
  mremap: {
    'coherent-read': 'coherent-read file-none none none-read-only unmapped',
    'coherent-read-exclusive': 'coherent-read-exclusive none none-no-access unmapped',
    'coherent-shared': 'coherent-shared file-none none none-read-only unmapped',
    'coherent-write': 'coherent-write file-none none unmapped',
  },
  'mremap elsewhere': {
    'coherent-shared': 'coherent-read',
  },
  'mremap moved': unchanged(...COHERENT_STATES),
  munlock: unchanged(...COHERENT_STATES),
  munmap: becoming('unmapped', ...COHERENT_STATES),
  'munmap elsewhere': {
    'coherent-shared': 'coherent-read',
    'coherent-shared-protected': 'coherent-read-protected',
  },
  pin: {
    'coherent-read': 'coherent-read ram-write',
    'coherent-read-exclusive': 'coherent-read-exclusive ram-write',
    'coherent-shared': 'coherent-shared ram-write',
    'coherent-write': 'coherent-write ram-write',
  },
  'pin elsewhere': {
    'coherent-shared': 'coherent-read',
  },
  read: {
    ...unchanged(...COHERENT_STATES, ...OTHER_COHERENT_STATES),
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'other-coherent-read-exclusive-protected': 'other-coherent-read-exclusive-protected',
  },
  'read-unlocked': unchanged(...COHERENT_STATES, ...OTHER_COHERENT_STATES),
  release: {
    'coherent-read': 'ram-read',
    'coherent-shared': 'ram-shared',
    'coherent-write': 'ram-write',
    'other-coherent-write': 'other-coherent-write',
    'other-coherent-read-exclusive': 'other-coherent-read-exclusive',
    'coherent-read-exclusive': 'ram-read-exclusive',
    'other-coherent-shared': 'other-coherent-shared',
  },
  'release elsewhere': {
    'coherent-read': 'ram-read',
    'coherent-shared': 'ram-shared',
    'coherent-write': 'ram-write',
  },
  snapshot: {
    ...unchanged(...COHERENT_STATES, ...OTHER_COHERENT_STATES),
    'coherent-read-protected': 'coherent-read-protected',
  },
  write: {
    'coherent-read': 'coherent-read coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive coherent-write',
    'coherent-shared': 'coherent-shared ram-write',
    'coherent-write': 'coherent-write',
    'other-coherent-read': 'other-coherent-read other-coherent-write',
    'other-coherent-read-exclusive': 'other-coherent-read-exclusive other-coherent-write',
    'other-coherent-shared': 'other-coherent-shared ram-write',
    'other-coherent-write': 'other-coherent-write',
    'coherent-shared-protected': 'coherent-shared-protected',
  },
  'write elsewhere': {
    'coherent-shared': 'coherent-read',
    'other-coherent-shared': 'other-coherent-read',
  },
  'uffd-copy': {
    'coherent-read': 'coherent-read',
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'coherent-shared': 'coherent-shared',
    'coherent-shared-protected': 'coherent-shared-protected',
    'coherent-write': 'coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive',
  },
  'uffd-protect': {
    'coherent-read': 'coherent-read',
    'coherent-read-protected': 'coherent-read-protected',
    'coherent-write': 'coherent-read-exclusive-protected coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive',
    'coherent-shared': 'coherent-shared coherent-shared-protected',
  },
  'uffd-register': {
    'coherent-read': 'coherent-read',
    'coherent-read-exclusive': 'coherent-read-exclusive',
    'coherent-read-protected': 'coherent-read-protected',
    'coherent-shared': 'coherent-shared',
    'coherent-write': 'coherent-write',
  },
  'uffd-unprotect': {
    'coherent-read': 'coherent-read',
    'coherent-shared': 'coherent-shared',
    'coherent-write': 'coherent-write',
  },
  'uffd-unregister': {
    'coherent-read': 'coherent-read',
    'coherent-shared': 'coherent-shared',
    'coherent-write': 'coherent-write',
    'coherent-read-exclusive': 'coherent-read-exclusive',
  },
  'uffd-zeropage': {
    'coherent-write': 'coherent-write',
    'coherent-shared': 'coherent-shared',
  },
};

const COHERENT_TRANSITIONS_SOFT_DIRTY: Transitions = {
  'clear-refs': {
    'coherent-write': 'coherent-read-exclusive',
  },
};

/** 6.12: what is exclusive could not be evicted (model/safe.ts). */
const COHERENT_TRANSITIONS_7_3: Transitions = {
  close: {
    'device-exclusive': 'ram-read-exclusive',
  },
  'cpu-read': {
    'device-exclusive': 'coherent-read-exclusive coherent-write',
  },
  'cpu-write': {
    'device-exclusive': 'coherent-write',
  },
  'exclusive elsewhere': {
    'coherent-shared': 'coherent-read',
    'other-coherent-shared': 'other-coherent-read',
  },
  exclusive: {
    'coherent-read': 'coherent-read device-exclusive',
    'coherent-read-exclusive': 'coherent-read-exclusive device-exclusive',
    'coherent-shared': 'coherent-shared device-exclusive',
    'coherent-write': 'coherent-write device-exclusive',
    'other-coherent-read': 'device-exclusive other-coherent-read',
    'other-coherent-read-exclusive': 'device-exclusive other-coherent-read-exclusive',
    'other-coherent-shared': 'device-exclusive other-coherent-shared',
    'other-coherent-write': 'device-exclusive other-coherent-write',
  },
  exit: {
    'device-exclusive': 'ram-read-exclusive',
  },
  'fork child': {
    'device-exclusive': 'coherent-shared',
  },
  fork: {
    'device-exclusive': 'coherent-shared',
  },
  mlock: {
    'device-exclusive': 'coherent-write',
  },
  'read-unlocked': {
    'device-exclusive': 'coherent-write other-coherent-write',
  },
  read: {
    'device-exclusive': 'coherent-write other-coherent-read-exclusive other-coherent-write',
  },
  write: {
    'device-exclusive': 'coherent-write other-coherent-write',
  },
  'migrate-to-dev': {
    'swap-cached': 'coherent-read',
  },
  'mremap elsewhere': {
    'coherent-write': 'device-exclusive ram-read-exclusive',
  },
};

const COHERENT_TRANSITIONS_6_12: Transitions = {
  'mremap elsewhere': {
    'coherent-read': 'unmapped',
    'coherent-shared': 'unmapped',
    'coherent-write': 'unmapped',
    'coherent-read-exclusive': 'unmapped',
  },
};

export const COHERENT: CoverageTables = {
  states: [
    {
      rows: [
        ...COHERENT_STATES,
        'coherent-read-exclusive-protected',
        'coherent-read-protected',
        'coherent-shared-protected',
      ],
    },
  ],
  transitions: [
    { rows: transitionRows(COHERENT_TRANSITIONS) },
    { softDirty: true, rows: transitionRows(COHERENT_TRANSITIONS_SOFT_DIRTY) },
    { only: '7.3', rows: transitionRows(COHERENT_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(COHERENT_TRANSITIONS_6_12) },
  ],
};
