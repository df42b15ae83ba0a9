/** What the operations of userfaultfd make of pages, protected ones and others. */
import { NONE_STATES, ORDER_0_STATES } from './states.ts';
import { type Transitions, unchanged } from './transitions.ts';

export const USERFAULT_OPERATIONS: Transitions = {
  'uffd-copy': {
    ...unchanged(
      ...ORDER_0_STATES,
      'device-read-exclusive-protected',
      'device-read-protected',
      'huge-ram-write',
      'huge-zero',
      'ram-read-exclusive-protected',
      'ram-shared-protected',
    ),
    none: 'none ram-read-exclusive-protected ram-write',
    'device-exclusive-protected': 'device-exclusive-protected',
    'device-shared-protected': 'device-shared-protected',
    'huge-ram-shared-protected': 'huge-ram-shared-protected',
    'none-no-access': 'none-no-access ram-read-exclusive',
    'none-read-only': 'none-read-only ram-read-exclusive',
    'ram-read-protected': 'ram-read-protected',
  },
  'uffd-protect': {
    ...unchanged(
      ...NONE_STATES,
      'device-read-exclusive-protected',
      'device-shared-protected',
      'ram-read-exclusive-protected',
      'ram-read-protected',
      'ram-shared-protected',
      'unmapped',
      'zero-protected',
    ),
    'device-exclusive': 'device-exclusive device-exclusive-protected',
    'device-read': 'device-read device-read-protected',
    'device-read-exclusive': 'device-read-exclusive device-read-exclusive-protected',
    'device-shared': 'device-shared device-shared-protected',
    'device-write': 'device-read-exclusive-protected device-write',
    'huge-ram-write': 'huge-ram-read-exclusive-protected huge-ram-write ram-read-exclusive-protected',
    'huge-zero': 'huge-zero huge-zero-protected',
    'ram-read': 'ram-read ram-read-protected',
    'ram-read-exclusive': 'ram-read-exclusive ram-read-exclusive-protected',
    'ram-shared': 'ram-shared ram-shared-protected',
    'ram-write': 'ram-read-exclusive-protected ram-write',
    zero: 'zero zero-protected',
    'huge-ram-read-protected': 'ram-read-protected',
  },
  'uffd-register': {
    ...unchanged(
      ...ORDER_0_STATES,
      'device-exclusive-protected',
      'device-read-exclusive-protected',
      'device-shared-protected',
      'ram-read-exclusive-protected',
      'ram-read-protected',
      'ram-shared-protected',
      'zero-protected',
    ),
    'huge-ram-write': 'huge-ram-write ram-write',
    'huge-zero': 'huge-zero zero',
    'huge-ram-shared': 'huge-ram-shared',
    'device-read-protected': 'device-read-protected',
    'huge-ram-read-exclusive-protected': 'huge-ram-read-exclusive-protected',
    'huge-ram-read-protected': 'ram-read-protected',
    'huge-ram-shared-protected': 'huge-ram-shared-protected',
  },
  'uffd-register elsewhere': {
    'huge-ram-write': 'ram-write',
    'huge-zero': 'zero',
    'huge-ram-read-protected': 'ram-read-protected',
  },
  'uffd-unprotect': {
    ...unchanged(...ORDER_0_STATES, 'device-exclusive-protected', 'huge-ram-write'),
    'device-read-exclusive-protected': 'device-read-exclusive',
    'device-write': 'device-read-exclusive device-write',
    'ram-read-exclusive-protected': 'ram-read-exclusive ram-write',
    'ram-shared-protected': 'ram-shared',
    'zero-protected': 'zero',
    'device-read-protected': 'device-read',
    'device-shared-protected': 'device-shared',
    'ram-read-protected': 'ram-read',
  },
  'uffd-unregister': {
    ...unchanged(...ORDER_0_STATES),
    'device-write': 'device-read-exclusive device-write',
    'ram-read-protected': 'ram-read',
    'ram-shared-protected': 'ram-shared',
    'zero-protected': 'zero',
    'ram-read-exclusive-protected': 'ram-write',
    'huge-ram-write': 'huge-ram-write',
    'device-read-exclusive-protected': 'device-read-exclusive',
    'device-read-protected': 'device-read',
    'ram-write': 'ram-write',
  },
  'uffd-zeropage': {
    ...unchanged(
      ...ORDER_0_STATES,
      'huge-ram-write',
      'huge-zero',
      'ram-read-exclusive-protected',
      'zero-protected',
    ),
    none: 'none zero',
    'huge-ram-shared': 'huge-ram-shared',
    'device-read-protected': 'device-read-protected',
    'device-shared-protected': 'device-shared-protected',
    'huge-ram-read-protected': 'huge-ram-read-protected',
    'huge-ram-shared-protected': 'huge-ram-shared-protected',
    'ram-read-protected': 'ram-read-protected',
    'ram-shared-protected': 'ram-shared-protected',
  },
  'uffd-protect elsewhere': {
    'huge-ram-write': 'ram-write',
    'huge-ram-read-protected': 'ram-read-protected',
  },
};

export const USERFAULT_OPERATIONS_7_3: Transitions = {
  'uffd-protect': {
    'huge-device-shared': 'huge-device-shared',
    'huge-device-write':
      'device-read-exclusive-protected huge-device-read-exclusive-protected huge-device-write',
  },
  'uffd-protect elsewhere': {
    'huge-device-write': 'device-write',
  },
  'uffd-register': {
    'huge-device-write': 'device-write huge-device-write',
  },
  'uffd-register elsewhere': {
    'huge-device-write': 'device-write',
  },
  'uffd-unprotect': {
    'huge-device-read-exclusive-protected': 'device-read-exclusive',
  },
  'uffd-unprotect elsewhere': {
    'huge-device-read-exclusive-protected': 'device-read-exclusive-protected',
  },
  'uffd-unregister': {
    'huge-device-write': 'huge-device-write',
    'huge-ram-shared-protected': 'huge-ram-shared',
  },
  'uffd-copy': {
    'huge-device-read-exclusive': 'huge-device-read-exclusive',
    'huge-device-write': 'huge-device-write',
  },
};
