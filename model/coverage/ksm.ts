/** Rows of the model of KSM: pages that ksmd has merged, and what becomes of them. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const KSM_TRANSITIONS: Transitions = {
  'cpu-read': {
    'ram-merged': 'ram-merged',
    'ram-merged-protected': 'ram-merged-protected',
  },
  'cpu-write': {
    'ram-merged': 'ram-write',
    'ram-merged-protected': 'ram-merged-protected ram-write',
  },
  exclusive: {
    'ram-merged': 'device-exclusive ram-merged',
    'ram-merged-protected': 'ram-merged-protected',
  },
  'fork child': {
    'ram-merged': 'ram-merged',
    'ram-merged-protected': 'ram-merged',
  },
  ksmd: {
    'ram-read': 'ram-merged',
    'ram-read-exclusive': 'ram-merged',
    'ram-read-exclusive-protected': 'ram-merged ram-merged-protected',
    'ram-shared': 'ram-merged ram-read',
    'ram-write': 'ram-merged',
  },
  madvise: {
    'ram-merged': 'file-none none ram-merged ram-read-exclusive',
    'ram-merged-protected': 'none ram-merged-protected ram-read-exclusive-protected',
  },
  'migrate-to-sys': {
    'ram-merged': 'ram-merged',
    'ram-merged-protected': 'ram-merged-protected',
  },
  mprotect: {
    'ram-merged': 'ram-merged',
    'ram-merged-protected': 'ram-merged-protected',
  },
  mremap: {
    'ram-merged': 'file-none none ram-merged unmapped',
    'ram-merged-protected': 'ram-merged-protected',
  },
  'mremap moved': {
    'ram-merged': 'ram-merged ram-read-exclusive',
  },
  munmap: {
    'ram-merged': 'unmapped',
    'ram-merged-protected': 'unmapped',
  },
  pin: {
    'ram-merged': 'ram-merged ram-write',
    'ram-merged-protected': 'ram-merged-protected',
  },
  read: { 'ram-merged': 'ram-merged' },
  write: {
    'ram-merged': 'ram-merged ram-write',
  },
  snapshot: {
    'ram-merged': 'ram-merged',
    'ram-merged-protected': 'ram-merged-protected',
  },
  'uffd-protect': {
    'ram-merged': 'ram-merged-protected',
    'ram-merged-protected': 'ram-merged-protected',
  },
  'uffd-register': {
    'ram-merged': 'ram-merged',
  },
  'uffd-unprotect': {
    'ram-merged': 'ram-merged',
  },
  'uffd-unregister': {
    'ram-merged': 'ram-merged',
    'ram-merged-protected': 'ram-merged',
  },
  'read-unlocked': {
    'ram-merged': 'ram-merged',
  },
};

/** Our series leaves pages of KSM where they are (Profile.ksmPagesStay); of others, none is to be migrated (model/safe-ksm.ts). */
const KSM_TRANSITIONS_OFFSET: Transitions = {
  'migrate-to-dev': { 'ram-merged': 'ram-merged' },
};

const KSM_TRANSITIONS_6_12: Transitions = {
  'mremap elsewhere': { 'ram-merged': 'unmapped' },
};

export const KSM: CoverageTables = {
  operations: [{ rows: ['ksmd: ok'] }],
  states: [{ rows: ['ram-merged', 'ram-merged-protected'] }],
  transitions: [
    { rows: transitionRows(KSM_TRANSITIONS) },
    { only: '6.12', rows: transitionRows(KSM_TRANSITIONS_6_12) },
    { design: 'offset', rows: transitionRows(KSM_TRANSITIONS_OFFSET) },
  ],
  rules: [
    {
      rows: [
        'ksm_madvise',
        'ksm_scan_thread',
        'replace_page',
        'wp_page_copy (unshare)',
        'write_protect_page',
      ],
    },
  ],
};
