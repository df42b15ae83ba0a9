/** What other operations make of pages that userfaultfd protects on one kernel only: on 7.3 alone, device pages are huge. */
import type { Transitions } from './transitions.ts';

export const USERFAULT_TRANSITIONS_7_3: Transitions = {
  'cpu-write': {
    'huge-device-read-exclusive-protected': 'huge-ram-read-exclusive-protected ram-write',
    'huge-device-shared-protected': 'huge-ram-shared-protected',
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
    'huge-device-read-exclusive-protected': 'huge-device-read-exclusive-protected',
  },
  'migrate-to-sys': {
    'huge-device-shared-protected': 'huge-ram-shared-protected',
    'device-read-protected': 'device-read-protected',
    'huge-device-read-exclusive-protected': 'huge-ram-read-exclusive-protected ram-read-exclusive-protected',
    'huge-zero-protected': 'huge-zero-protected',
  },
  'mremap elsewhere': {
    'device-read-exclusive': 'device-exclusive',
    none: 'device-read',
    'ram-write': 'device-write none',
    unmapped: 'device-write zero',
    zero: 'device-write',
    'huge-device-read-exclusive-protected': 'device-read-exclusive-protected',
    'huge-ram-shared-protected': 'ram-shared-protected',
  },
  'migrate-to-dev elsewhere': {
    'ram-read-exclusive-protected': 'zero-protected',
  },
  'cpu-read': {
    'huge-device-read-exclusive-protected': 'huge-ram-read-exclusive-protected',
    'huge-device-shared-protected': 'huge-ram-shared-protected',
  },
  exclusive: {
    'huge-device-read-exclusive-protected': 'ram-read-exclusive-protected',
    'huge-zero-protected': 'zero-protected',
  },
  'madvise elsewhere': {
    'huge-ram-shared-protected': 'ram-shared-protected',
  },
  madvise: {
    'huge-ram-shared-protected': 'none',
  },
  'migrate-to-sys elsewhere': {
    'huge-device-read-exclusive-protected': 'device-read-exclusive-protected',
  },
  'mremap moved': {
    'huge-device-read-exclusive-protected': 'device-read-exclusive',
    'huge-ram-shared-protected': 'ram-shared',
  },
  mremap: {
    'huge-device-read-exclusive-protected': 'unmapped',
    'huge-ram-shared-protected': 'unmapped',
    'huge-zero-protected': 'huge-zero-protected',
  },
  munlock: {
    'huge-device-read-exclusive-protected': 'huge-device-read-exclusive-protected',
  },
  pin: {
    'huge-device-shared-protected': 'huge-ram-shared-protected',
  },
  'release elsewhere': {
    'huge-device-read-exclusive-protected': 'huge-ram-read-exclusive-protected',
  },
  snapshot: {
    'huge-device-read-exclusive-protected': 'huge-device-read-exclusive-protected',
    'huge-device-shared-protected': 'huge-device-shared-protected',
  },
};

export const USERFAULT_TRANSITIONS_6_12: Transitions = {
  'migrate-to-dev': {
    'huge-ram-read-exclusive-protected': 'zero-protected',
  },
  'migrate-to-sys': {
    'huge-zero-protected': 'zero-protected',
  },
  munlock: {
    'zero-protected': 'zero-protected',
  },
};
