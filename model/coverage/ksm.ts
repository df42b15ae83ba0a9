/** Rows of the model of KSM: pages that ksmd has merged, and what becomes of them. */
import type { CoverageTables } from './tables.ts';
import { type Transitions, transitionRows } from './transitions.ts';

const KSM_TRANSITIONS: Transitions = {
  'cpu-read': { 'ram-merged': 'ram-merged' },
  'cpu-write': { 'ram-merged': 'ram-write', 'ram-merged-protected': 'ram-write' },
  exclusive: {
    'ram-merged': 'device-exclusive ram-merged',
    'ram-merged-protected': 'ram-merged-protected',
  },
  'fork child': { 'ram-merged': 'ram-merged' },
  ksmd: {
    'ram-read': 'ram-merged',
    'ram-read-exclusive': 'ram-merged',
    'ram-read-exclusive-protected': 'ram-merged ram-merged-protected',
    'ram-shared': 'ram-merged ram-read',
    'ram-write': 'ram-merged',
  },
  madvise: { 'ram-merged': 'none ram-merged ram-read-exclusive' },
  'migrate-to-sys': { 'ram-merged': 'ram-merged' },
  mprotect: { 'ram-merged': 'ram-merged' },
  mremap: { 'ram-merged': 'ram-merged unmapped' },
  'mremap moved': { 'ram-merged': 'ram-read-exclusive' },
  munmap: { 'ram-merged': 'unmapped' },
  pin: {
    'ram-merged': 'ram-merged ram-write',
    'ram-merged-protected': 'ram-merged-protected',
  },
  read: { 'ram-merged': 'ram-merged' },
  write: { 'ram-merged': 'ram-write' },
};

/** Our series leaves pages of KSM where they are (Profile.ksmPagesStay); of others, none is to be migrated (model/safe-ksm.ts). */
const KSM_TRANSITIONS_OFFSET: Transitions = {
  'migrate-to-dev': { 'ram-merged': 'ram-merged' },
};

export const KSM: CoverageTables = {
  operations: [{ rows: ['ksmd: ok'] }],
  states: [{ rows: ['ram-merged', 'ram-merged-protected'] }],
  transitions: [
    { rows: transitionRows(KSM_TRANSITIONS) },
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
