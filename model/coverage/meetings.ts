/**
 * Transitions that come only of several mechanisms that meet (a protection of userfaultfd on a coherent device, a swapped page
 * under mremap, ...): generated programs have reached them, and none of the parts that they come of says them by itself.
 * Rows of one kernel are those that no such program reached on the other.
 */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const EVERYWHERE: Transitions = {
  'check-exclusive': {
    'file-read-protected': 'file-read-protected',
    marker: 'marker',
    'other-device-shared-protected': 'other-device-shared-protected',
    'ram-merged': 'ram-merged',
    'ram-read-protected': 'ram-read-protected',
  },
  close: {
    'device-read-protected': 'ram-read-protected',
  },
  'cpu-read elsewhere': {
    'swap-cached': 'ram-shared',
  },
  'cpu-read': {
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-protected': 'ram-read-protected',
    'device-shared-protected': 'device-shared-protected',
    'swap-exclusive-protected': 'swap-exclusive-protected',
    'swap-shared': 'ram-shared',
  },
  'cpu-write': {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected coherent-write',
    'coherent-shared-protected': 'coherent-shared-protected',
    'device-exclusive-protected': 'device-exclusive-protected',
    'ram-merged': 'ram-merged',
    'swap-exclusive-protected': 'swap-exclusive-protected',
    'swap-shared-protected': 'swap-shared-protected',
  },
  exclusive: {
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-exclusive-protected': 'device-read-exclusive-protected',
    'device-read-protected': 'device-read-protected ram-read-protected',
    'device-shared-protected': 'ram-shared-protected',
    'other-device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'swap-cached-protected': 'swap-cached-protected',
    'swap-shared-protected': 'swap-shared-protected',
  },
  exit: {
    'device-shared-protected': 'device-read-protected',
  },
  'fork child': {
    'file-read-protected': 'file-none-read-only',
    marker: 'none-read-only',
    'zero-protected': 'none-read-only',
  },
  madvise: {
    'device-exclusive': 'file-none-no-access',
    'device-read': 'file-none-no-access',
    'file-none': 'file-swapped',
    'huge-ram-read': 'none-read-only',
    'huge-ram-read-exclusive': 'none-read-only',
    'ram-merged': 'none-no-access',
    'ram-read': 'file-none-read-only',
    'ram-read-exclusive-protected': 'marker',
    'ram-read-protected': 'none swap-shared-protected',
    'ram-shared': 'file-none-read-only',
    'swap-cached': 'file-none',
    'swap-cached-protected': 'swap-shared-protected',
    'swap-exclusive-protected': 'swap-exclusive-protected',
  },
  'migrate-to-dev elsewhere': {
    'huge-ram-shared': 'coherent-shared',
    'ram-shared-protected': 'device-shared-protected',
  },
  'migrate-to-dev': {
    'file-read': 'file-write',
    'huge-ram-read': 'coherent-read',
    'huge-ram-read-exclusive': 'coherent-read-exclusive',
    'huge-ram-shared': 'coherent-shared',
    'huge-ram-write': 'zero',
    'other-coherent-shared-protected': 'other-coherent-shared-protected',
    'ram-shared-protected': 'coherent-shared-protected',
    'swap-shared-protected': 'swap-shared-protected',
  },
  'migrate-to-sys elsewhere': {
    'device-shared-protected': 'ram-shared-protected',
  },
  'migrate-to-sys': {
    'device-read-exclusive-protected': 'device-read-exclusive-protected',
    'device-shared-protected': 'device-shared-protected ram-shared-protected',
  },
  'mlock elsewhere': {
    'ram-shared-protected': 'ram-read-protected',
  },
  mlock: {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-protected': 'device-read-protected',
    'device-shared-protected': 'device-shared-protected',
    'file-none-read-only': 'huge-file-read huge-ram-read-exclusive',
    'huge-file-read': 'huge-file-read',
    'huge-ram-read': 'huge-ram-read',
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'zero-protected',
  },
  'mprotect elsewhere': {
    'device-shared': 'ram-shared',
  },
  mprotect: {
    'swap-exclusive': 'ram-write',
  },
  'mremap elsewhere': {
    'device-shared-protected': 'device-read-protected',
    unmapped: 'file-write',
  },
  'mremap moved': {
    'device-exclusive-protected': 'device-exclusive',
    'huge-file-read': 'huge-file-read',
    marker: 'file-none',
  },
  mremap: {
    'coherent-read-exclusive': 'none-read-only',
    'coherent-shared': 'none-no-access',
    'device-exclusive': 'file-none-no-access',
    'device-exclusive-protected': 'unmapped',
    'device-read': 'file-none-read-only',
    'huge-file-read': 'unmapped',
    'ram-shared': 'file-none-read-only',
    'swap-shared': 'file-none file-none-no-access none-read-only',
  },
  munlock: {
    'device-exclusive-protected': 'device-exclusive-protected',
    'huge-file-read': 'huge-file-read',
    'ram-read-protected': 'ram-read-protected',
  },
  munmap: {
    'coherent-read-exclusive-protected': 'unmapped',
    'device-exclusive-protected': 'unmapped',
    'device-shared-protected': 'unmapped',
    'file-none-no-access': 'file-none-no-access',
    'swap-exclusive-protected': 'unmapped',
  },
  pin: {
    'device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'device-shared-protected': 'ram-shared-protected',
    'file-read-protected': 'file-read-protected',
    'huge-file-read': 'huge-file-read',
    marker: 'marker',
    'zero-protected': 'zero-protected',
  },
  'read elsewhere': {
    'file-swapped': 'file-none-no-access file-none-read-only',
  },
  'read-unlocked': {
    'huge-file-read': 'huge-file-read',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'ram-shared-protected',
  },
  read: {
    'device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'device-read-protected': 'ram-read-protected',
    marker: 'file-read-protected',
    'other-device-read-protected': 'ram-read-protected',
    'other-device-shared-protected': 'other-device-shared-protected ram-shared-protected',
  },
  'release elsewhere': {
    'device-read-exclusive-protected': 'ram-read-exclusive-protected',
  },
  release: {
    'coherent-write': 'coherent-write',
    'device-read': 'device-read',
    'file-none-read-only': 'file-none-read-only',
    'file-read-protected': 'file-read-protected',
    'other-coherent-read': 'other-coherent-read',
  },
  snapshot: {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'other-device-read-exclusive-protected': 'other-device-read-exclusive-protected',
  },
  'uffd-copy': {
    'file-none': 'ram-read-exclusive-protected',
    marker: 'ram-read-exclusive',
    'none-no-access': 'ram-read-exclusive-protected',
    'none-read-only': 'ram-read-exclusive-protected',
  },
  'uffd-move': {
    'file-none-no-access': 'file-none-no-access',
    'file-none-read-only': 'file-none-read-only',
    'file-read-protected': 'file-read-protected',
    marker: 'marker',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'none',
  },
  'uffd-protect elsewhere': {
    'huge-ram-shared': 'ram-shared',
  },
  'uffd-protect': {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-protected': 'device-read-protected',
    'file-none-no-access': 'marker',
    'huge-ram-shared': 'ram-shared-protected',
    'none-read-only': 'marker',
    'swap-shared': 'swap-shared',
  },
  'uffd-register': {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
  },
  'uffd-unprotect': {
    'coherent-read-exclusive': 'coherent-read-exclusive',
    'coherent-read-exclusive-protected': 'coherent-write',
    'device-exclusive-protected': 'device-exclusive',
    marker: 'file-none file-swapped',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
  },
  'uffd-unregister': {
    'coherent-shared-protected': 'coherent-shared',
    'device-exclusive-protected': 'device-exclusive',
    marker: 'file-none-read-only',
    'ram-read-exclusive-protected': 'ram-read-exclusive',
    'swap-shared': 'swap-shared',
  },
  'uffd-zeropage': {
    'coherent-read': 'coherent-read',
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-exclusive-protected': 'device-read-exclusive-protected',
    'none-no-access': 'zero',
    'swap-shared': 'swap-shared',
  },
  write: {
    'device-read-protected': 'device-read-protected',
    'other-device-read-protected': 'other-device-read-protected',
    'other-device-shared': 'ram-shared',
    'other-device-shared-protected': 'other-device-shared-protected ram-shared-protected',
    'swap-exclusive-protected': 'swap-exclusive-protected',
    'swap-shared-protected': 'swap-shared-protected',
  },
};

const OF_7_3: Transitions = {
  exclusive: {
    'other-coherent-read-exclusive-protected': 'other-coherent-read-exclusive-protected',
    'other-device-read-exclusive-protected': 'other-device-read-exclusive-protected',
  },
  'madvise elsewhere': {
    'huge-ram-read-exclusive': 'zero',
  },
  madvise: {
    'device-exclusive': 'coherent-write ram-write swap-exclusive',
    'device-shared': 'huge-ram-read-exclusive',
    'huge-ram-read-exclusive': 'zero',
    'none-no-access': 'huge-ram-read-exclusive',
    'ram-shared': 'huge-ram-read-exclusive',
  },
  'migrate-to-dev': {
    'ram-read': 'coherent-write',
    'ram-shared': 'coherent-write',
    'swap-cached-protected': 'device-read-protected',
  },
  'migrate-to-sys': {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected',
    'coherent-shared-protected': 'coherent-shared-protected',
  },
  mprotect: {
    'device-exclusive': 'coherent-write',
  },
  'mremap elsewhere': {
    'file-none': 'file-read file-write ram-write',
    'file-none-read-only': 'device-shared file-none',
    'file-read': 'file-write none ram-read ram-write',
    'file-write': 'file-none none ram-write',
    none: 'zero',
    'ram-read-exclusive-protected': 'ram-read-exclusive ram-write',
    'ram-shared': 'file-none file-read ram-write',
    unmapped: 'device-exclusive device-shared',
    zero: 'ram-shared',
  },
  'mremap moved': {
    'coherent-read-exclusive-protected': 'coherent-read-exclusive',
    'device-read-protected': 'device-read',
    'device-shared-protected': 'device-shared',
    'file-read-protected': 'file-read',
    'ram-read-protected': 'ram-read',
  },
  mremap: {
    'coherent-read-exclusive': 'file-none-read-only',
    'coherent-read-exclusive-protected': 'coherent-read-exclusive-protected unmapped',
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-protected': 'unmapped',
    'device-shared-protected': 'unmapped',
    'file-read-protected': 'unmapped',
    'ram-read': 'file-none-read-only',
    'ram-read-protected': 'unmapped',
    'ram-shared-protected': 'none',
    'zero-protected': 'none',
  },
  'read-unlocked elsewhere': {
    'file-swapped': 'file-read',
  },
  'read-unlocked': {
    'other-device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'other-device-shared-protected': 'ram-shared-protected',
  },
  read: {
    'swap-shared-protected': 'ram-read-protected',
  },
  release: {
    'huge-ram-read-exclusive': 'huge-ram-read-exclusive',
  },
  'uffd-register': {
    'coherent-shared-protected': 'coherent-shared-protected',
  },
  'uffd-unprotect': {
    'ram-shared-protected': 'ram-shared-protected',
  },
  'uffd-unregister': {
    'coherent-read-exclusive': 'coherent-write',
  },
  'uffd-zeropage': {
    'coherent-read-exclusive': 'coherent-read-exclusive',
  },
};

const OF_6_12: Transitions = {
  'migrate-to-dev': {
    'huge-zero': 'coherent-read-exclusive',
  },
  'mremap elsewhere': {
    'file-swapped': 'unmapped',
    'huge-ram-read-exclusive': 'unmapped',
  },
  'read-unlocked': {
    'other-device-read-exclusive-protected': 'other-device-read-exclusive-protected',
    'other-device-shared-protected': 'other-device-shared-protected',
  },
  read: {
    'swap-shared-protected': 'ram-read-exclusive-protected',
  },
  'uffd-unprotect': {
    'ram-read-exclusive': 'ram-write',
  },
};

const SOFT_DIRTY: Transitions = {
  mremap: {
    'coherent-read-exclusive': 'file-none',
  },
  'release elsewhere': {
    'coherent-read-exclusive': 'ram-read-exclusive',
  },
  release: {
    'coherent-read-exclusive': 'coherent-read-exclusive',
  },
  'uffd-unprotect': {
    'ram-write': 'ram-read-exclusive',
  },
};

const SOFT_DIRTY_OF_7_3: Transitions = {
  'mremap elsewhere': {
    'ram-read-exclusive': 'ram-write',
  },
  'read-unlocked': {
    'device-exclusive': 'coherent-read-exclusive',
  },
  read: {
    'device-exclusive': 'coherent-read-exclusive',
  },
};

const SOFT_DIRTY_OF_6_12: Transitions = {
  'uffd-zeropage': {
    'coherent-read-exclusive': 'coherent-read-exclusive',
  },
};

export const MEETINGS: CoverageTables = {
  transitions: [
    { rows: transitionRows(EVERYWHERE) },
    { only: '7.3', rows: transitionRows(OF_7_3) },
    { only: '6.12', rows: transitionRows(OF_6_12) },
    { softDirty: true, rows: transitionRows(SOFT_DIRTY) },
    { only: '7.3', softDirty: true, rows: transitionRows(SOFT_DIRTY_OF_7_3) },
    { only: '6.12', softDirty: true, rows: transitionRows(SOFT_DIRTY_OF_6_12) },
  ],
};
