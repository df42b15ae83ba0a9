/** The RSS lines of /proc/PID/status (fs/proc/task_mmu.c, task_mem), as far as regions account for them. */
import { PAGE_SIZE, PMD_PAGES } from './program.ts';
import type { Frame, Process } from './state.ts';

export interface ExpectedRss {
  /** KiB. */
  anon: number;
  /** Pages of ramfs. */
  file: number;
  shmem: number;
  swap: number;
}

/** Neither of the zero page nor of a marker. */
function isCounted({ kind }: Frame): boolean {
  return kind !== 'zero' && kind !== 'none';
}

const PAGE_KIB = PAGE_SIZE / 1024;

/**
 * MM_ANONPAGES counts each entry, a PMD 512 times, of an anonymous page in RAM or on a device (mm/memory.c, copy_nonpresent_pte and
 * zap_nonpresent_ptes; mm/migrate_device.c, migrate_vma_insert_page), the zero page not; mm_counter_file() is for pages of
 * files, those of shmem by themselves, and MM_SWAPENTS counts swap entries.
 */
export function expectRss({ mm }: Process): ExpectedRss {
  let [anon, file, shmem, swap] = [0, 0, 0, 0];
  for (const ptes of mm.ptes) {
    for (const pte of ptes) {
      if (pte?.kind === 'swap') swap++;
      else if (pte?.frame.file?.kind === 'shmem') shmem++;
      else if (pte?.frame.file) file++;
      else if (pte && isCounted(pte.frame)) anon++;
    }
  }
  for (const pmds of mm.pmds) {
    for (const pmd of pmds) {
      if (pmd !== null && pmd !== 'table' && pmd.frame.kind !== 'zero' && !pmd.frame.hugetlb) {
        anon += PMD_PAGES;
      }
    }
  }
  return {
    anon: anon * PAGE_KIB,
    file: file * PAGE_KIB,
    shmem: shmem * PAGE_KIB,
    swap: swap * PAGE_KIB,
  };
}
