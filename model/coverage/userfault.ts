/** Rows of the model of userfaultfd: what is registered, what is protected, and what is refused. */
import type { CoverageTables } from './tables.ts';
import { transitionRows } from './transitions.ts';
import { USERFAULT_TRANSITIONS_6_12, USERFAULT_TRANSITIONS_7_3 } from './userfault-by-kernel.ts';
import { USERFAULT_OPERATIONS, USERFAULT_OPERATIONS_7_3 } from './userfault-operations.ts';
import { USERFAULT_TRANSITIONS } from './userfault-transitions.ts';

export const USERFAULT: CoverageTables = {
  operations: [
    {
      rows: [
        'cpu-read: SIGBUS',
        'cpu-write: SIGBUS',
        'uffd-copy: EAGAIN',
        'uffd-copy: EBADF',
        'uffd-copy: EEXIST',
        'uffd-copy: EINVAL',
        'uffd-copy: ENOENT',
        'uffd-copy: ok',
        'uffd-open: ok',
        'uffd-protect: EBADF',
        'uffd-protect: ENOENT',
        'uffd-protect: ok',
        'uffd-register: EBADF',
        'uffd-register: EINVAL',
        'uffd-register: ok',
        'uffd-unprotect: EBADF',
        'uffd-unprotect: ENOENT',
        'uffd-unprotect: ok',
        'uffd-unregister: EBADF',
        'uffd-unregister: EINVAL',
        'uffd-unregister: ok',
        'uffd-zeropage: EAGAIN',
        'uffd-zeropage: EBADF',
        'uffd-zeropage: EEXIST',
        'uffd-zeropage: ENOENT',
        'uffd-zeropage: ok',
      ],
    },
    { only: '7.3', rows: ['uffd-register: EBUSY'] },
  ],
  states: [
    {
      rows: [
        'device-exclusive-protected',
        'device-read-exclusive-protected',
        'device-read-protected',
        'device-shared-protected',
        'huge-ram-read-exclusive-protected',
        'huge-ram-read-protected',
        'huge-ram-shared-protected',
        'huge-zero-protected',
        'ram-read-exclusive-protected',
        'ram-read-protected',
        'ram-shared-protected',
        'zero-protected',
      ],
    },
    {
      only: '7.3',
      rows: ['huge-device-read-exclusive-protected', 'huge-device-shared-protected'],
    },
  ],
  transitions: [
    { rows: transitionRows(USERFAULT_OPERATIONS) },
    { only: '7.3', rows: transitionRows(USERFAULT_OPERATIONS_7_3) },
    { rows: transitionRows(USERFAULT_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(USERFAULT_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(USERFAULT_TRANSITIONS_6_12) },
  ],
  rules: [
    {
      rows: [
        'handle_userfault',
        'ioctl',
        'mfill_atomic',
        'mfill_atomic_install_pte',
        'mfill_atomic_pte_zeropage',
        'mfill_get_vma',
        'mwriteprotect_range',
        'uffd_mfill_lock',
        'userfaultfd_api',
        'userfaultfd_register',
        'userfaultfd_unregister',
      ],
    },
  ],
};
