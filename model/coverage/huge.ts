/** Rows of the model of huge regions: folios of order 9 in RAM and on devices. */
import { HUGE_TRANSITIONS_7_3 } from './huge-device-transitions.ts';
import { HUGE_TRANSITIONS, HUGE_TRANSITIONS_6_12 } from './huge-transitions.ts';
import { HUGE_DEVICE_STATES, HUGE_STATES } from './states.ts';
import type { CoverageTables } from './tables.ts';
import { transitionRows } from './transitions.ts';

export const HUGE: CoverageTables = {
  states: [{ rows: HUGE_STATES }, { only: '7.3', rows: HUGE_DEVICE_STATES }],
  transitions: [
    { rows: transitionRows(HUGE_TRANSITIONS) },
    { only: '7.3', rows: transitionRows(HUGE_TRANSITIONS_7_3) },
    { only: '6.12', rows: transitionRows(HUGE_TRANSITIONS_6_12) },
  ],
  rules: [
    {
      rows: [
        '__do_huge_pmd_anonymous_page',
        '__split_huge_pmd_locked',
        '__split_huge_zero_page_pmd',
        'change_huge_pmd',
        'copy_huge_pmd',
        'do_huge_pmd_wp_page',
        'hugepage_madvise',
        'set_huge_zero_folio',
        'try_to_map_unused_to_zeropage',
      ],
    },
    {
      only: '7.3',
      rows: [
        'change_non_present_huge_pmd',
        'copy_huge_non_present_pmd',
        'do_huge_zero_wp_pmd',
        'migrate_vma_insert_huge_pmd_page',
        'remove_migration_pmd',
        'set_pmd_migration_entry',
      ],
    },
  ],
};
