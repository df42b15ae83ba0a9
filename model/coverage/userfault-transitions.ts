/** What other operations make of pages that userfaultfd protects, or whose mappings are registered with it. */
import { type Transitions, unchanged } from './transitions.ts';

export const USERFAULT_TRANSITIONS: Transitions = {
  'check-exclusive': unchanged(
    'device-exclusive-protected',
    'device-read-exclusive-protected',
    'device-shared-protected',
    'ram-read-exclusive-protected',
    'ram-shared-protected',
    'zero-protected',
  ),
  close: {
    'device-read-exclusive-protected': 'ram-read-exclusive-protected',
  },
  'cpu-read': {
    'device-exclusive-protected': 'ram-read-exclusive-protected',
    'device-read-exclusive-protected': 'device-read-exclusive-protected ram-read-exclusive-protected',
    'device-read-protected': 'device-read-protected',
    'device-shared-protected': 'ram-shared-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'zero-protected',
  },
  'cpu-write': {
    'device-exclusive-protected': 'ram-read-exclusive-protected ram-write',
    'device-read-exclusive-protected':
      'device-read-exclusive-protected ram-read-exclusive-protected ram-write',
    'device-read-protected': 'ram-write',
    'device-shared-protected': 'ram-write',
    'huge-ram-read-exclusive-protected': 'huge-ram-read-exclusive-protected',
    'huge-zero-protected': 'huge-zero-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected ram-write',
    'ram-read-protected': 'ram-read-protected ram-write',
    'ram-shared-protected': 'ram-shared-protected ram-write',
    'zero-protected': 'ram-write zero-protected',
  },
  'cpu-write elsewhere': {
    'device-shared-protected': 'ram-read-protected ram-shared-protected',
    'ram-shared-protected': 'ram-read-protected',
  },
  exclusive: {
    'device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'device-shared-protected': 'device-shared-protected',
    'other-device-read-protected': 'other-device-read-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'ram-read-protected': 'ram-read-protected',
    'zero-protected': 'zero-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'device-exclusive-protected': 'ram-read-exclusive-protected',
    'swap-exclusive-protected': 'ram-read-exclusive-protected',
  },
  fork: {
    'device-exclusive-protected': 'ram-shared-protected',
    'device-read-exclusive-protected': 'device-shared-protected',
    'device-read-protected': 'device-shared-protected',
    'ram-read-exclusive-protected': 'ram-shared-protected',
  },
  'fork child': {
    'device-exclusive-protected': 'ram-shared',
    'device-read-exclusive-protected': 'device-shared',
    'device-read-protected': 'device-shared',
    'device-shared-protected': 'device-shared',
    'huge-zero-protected': 'huge-zero',
    'ram-read-exclusive-protected': 'ram-shared ram-write',
    'ram-shared-protected': 'ram-shared',
    'zero-protected': 'none zero',
  },
  madvise: {
    'device-read-exclusive-protected': 'device-read-exclusive-protected none',
    'device-read-protected': 'device-read-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'none ram-shared-protected',
    'zero-protected': 'zero-protected',
  },
  'migrate-to-dev': {
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-exclusive-protected': 'device-read-exclusive-protected',
    'device-read-protected': 'device-read-protected',
    'device-shared-protected': 'device-shared-protected',
    'other-device-read-exclusive-protected': 'other-device-read-exclusive-protected',
    'other-device-read-protected': 'other-device-read-protected',
    'other-device-shared-protected': 'other-device-shared-protected',
    'ram-read-exclusive-protected': 'device-read-exclusive-protected ram-read-exclusive-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'device-write zero-protected',
    'ram-read-protected': 'device-read-protected',
  },
  'migrate-to-sys': {
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'other-device-read-exclusive-protected': 'other-device-read-exclusive-protected',
    'other-device-read-protected': 'other-device-read-protected',
    'other-device-shared-protected': 'other-device-shared-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'zero-protected',
  },
  mlock: {
    'device-exclusive-protected': 'ram-write',
    'device-read-exclusive-protected': 'device-read-exclusive-protected ram-read-exclusive-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected ram-write',
    'ram-shared-protected': 'ram-write',
  },
  mprotect: unchanged(
    'device-read-exclusive-protected',
    'ram-read-exclusive-protected',
    'ram-shared-protected',
    'zero-protected',
    'device-read-protected',
  ),
  mremap: {
    'device-read-exclusive-protected': 'device-read-exclusive-protected none unmapped',
    'ram-read-exclusive-protected': 'none ram-read-exclusive-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'unmapped',
  },
  'mremap moved': {
    'device-read-exclusive-protected': 'device-read-exclusive',
    'ram-read-exclusive-protected': 'ram-read-exclusive',
    'zero-protected': 'zero',
  },
  munmap: {
    'device-read-exclusive-protected': 'unmapped',
    'ram-read-exclusive-protected': 'unmapped',
    'ram-read-protected': 'unmapped',
    'zero-protected': 'unmapped',
  },
  'munmap elsewhere': {
    'device-shared-protected': 'device-read-protected',
  },
  pin: unchanged(
    'device-read-exclusive-protected',
    'device-read-protected',
    'device-shared-protected',
    'ram-read-exclusive-protected',
  ),
  'pin elsewhere': {
    'ram-shared-protected': 'ram-read-protected',
  },
  read: {
    'device-exclusive-protected': 'ram-read-exclusive-protected',
    'device-read-exclusive-protected': 'device-read-exclusive-protected',
    'other-device-read-exclusive-protected':
      'other-device-read-exclusive-protected ram-read-exclusive-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'zero-protected',
  },
  'read-unlocked': {
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'zero-protected': 'zero-protected',
  },
  snapshot: unchanged(
    'device-read-exclusive-protected',
    'device-shared-protected',
    'other-device-read-protected',
    'other-device-shared-protected',
    'ram-read-exclusive-protected',
    'ram-shared-protected',
    'zero-protected',
  ),
  write: {
    'device-exclusive-protected': 'ram-read-exclusive-protected',
    'device-read-exclusive-protected': 'device-read-exclusive-protected',
    'device-shared-protected': 'device-shared-protected',
    'huge-zero-protected': 'huge-zero-protected',
    'other-device-read-exclusive-protected':
      'other-device-read-exclusive-protected ram-read-exclusive-protected',
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'ram-shared-protected',
    'zero-protected': 'zero-protected',
    'other-device-read-exclusive': 'ram-read-exclusive',
  },
  'cpu-read elsewhere': {
    'device-shared-protected': 'ram-shared-protected',
  },
  munlock: {
    'ram-read-exclusive-protected': 'ram-read-exclusive-protected',
  },
};

export const USERFAULT_TRANSITIONS_7_3: Transitions = {
  'cpu-write': {
    'huge-device-read-exclusive-protected': 'ram-write',
    'huge-ram-shared-protected': 'huge-ram-shared-protected',
  },
  'cpu-write elsewhere': {
    'huge-device-read-exclusive-protected': 'ram-read-exclusive-protected',
  },
  fork: {
    'huge-device-read-exclusive-protected': 'huge-device-shared-protected',
  },
  'fork child': {
    'huge-device-read-exclusive-protected': 'huge-device-shared',
  },
  'migrate-to-dev': {
    'huge-ram-read-exclusive-protected': 'huge-device-read-exclusive-protected',
    'huge-zero-protected': 'huge-device-write',
    'ram-read-exclusive-protected': 'device-write',
  },
  'migrate-to-sys': {
    'device-shared-protected': 'device-shared-protected',
    'huge-device-shared-protected': 'huge-ram-shared-protected',
  },
  'mremap elsewhere': {
    'device-read-exclusive': 'device-exclusive',
    none: 'device-read',
    'ram-write': 'device-write none',
    unmapped: 'device-write zero',
    zero: 'device-write',
  },
  'migrate-to-dev elsewhere': {
    'ram-read-exclusive-protected': 'zero-protected',
  },
};

export const USERFAULT_TRANSITIONS_6_12: Transitions = {
  'migrate-to-dev': {
    'huge-ram-read-exclusive-protected': 'device-read-exclusive-protected device-write zero-protected',
    'huge-zero-protected': 'device-write',
    'ram-shared-protected': 'device-shared-protected',
  },
  'migrate-to-sys': {
    'device-shared-protected': 'ram-shared-protected',
  },
};
