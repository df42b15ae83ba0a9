/** Rows of the model of mappings of files, private and shared. */
import {
  FILE_TRANSITIONS,
  FILE_TRANSITIONS_6_12,
  FILE_TRANSITIONS_7_3,
  FILE_TRANSITIONS_SOFT_DIRTY,
  FILE_TRANSITIONS_USERFAULT,
} from './file-transitions.ts';
import { FILE_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { transitionRows } from './transitions.ts';

export const FILES: CoverageTables = {
  operations: [{ only: '7.3', rows: ['exclusive: EOPNOTSUPP'] }],
  states: [{ rows: FILE_STATES }],
  transitions: [
    { rows: transitionRows(FILE_TRANSITIONS) },
    { rows: transitionRows(FILE_TRANSITIONS_USERFAULT) },
    { softDirty: true, rows: transitionRows(FILE_TRANSITIONS_SOFT_DIRTY) },
    { only: '7.3', rows: transitionRows(FILE_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(FILE_TRANSITIONS_6_12) },
  ],
  rules: [
    {
      rows: [
        'check_vma_flags (writable_file_mapping_allowed)',
        'do_cow_fault',
        'do_fault (VM_FAULT_SIGBUS)',
        'do_read_fault',
        'do_shared_fault',
        'faultin_page (VM_FAULT_SIGBUS)',
        'filemap_map_pages',
        'hmm_do_fault (VM_FAULT_SIGBUS)',
        'wp_page_shared',
      ],
    },
    { only: '7.3', rows: ['remap_move (vma_multi_allowed)'] },
  ],
};
