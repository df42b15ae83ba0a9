/** Steps that would have a coherent device of test_hmm ask for a folio of order 9, which it cannot have. */
import { fileOf } from './apply.ts';
import { pmdEnd, pmdOf } from './page-table.ts';
import { type DeviceStep, isCoherent, PMD_PAGES } from './program.ts';
import type { State, Vma } from './state.ts';
import { findVma } from './vma.ts';

/**
 * The one chunk of a coherent device was given out in pages when the module was loaded: for a folio, test_hmm maps the same
 * range once more (dmirror_allocate_chunk), of which memremap_pages() warns.
 */
export function folioHazard(state: State, step: DeviceStep): string | undefined {
  if (step.op !== 'migrate-to-dev' || !isCoherent(step.device) || !state.profile.deviceFolios)
    return undefined;
  const { region, first, count } = step.at;
  const mm = fileOf(state, step.by, step.device)?.mm;
  if (!mm?.alive) return undefined;
  const end = first + count;
  // As dmirror_migrate_to_device() goes: by vma, and no more at once than it has room for.
  for (let page = first; page < end; ) {
    const vma = findVma(mm, region, page);
    if (!vma?.read) return undefined;
    const stop = Math.min(end, page + state.profile.migratePieces, vma.end);
    for (; page < stop; page = pmdEnd(page, stop)) {
      if (wantsFolio(vma, page, pmdEnd(page, stop))) {
        return `device ${step.device} is coherent, and has no memory for folios`;
      }
    }
  }
  return undefined;
}

/** What migrate_vma_collect_huge_pmd() takes in one piece. */
function wantsFolio(vma: Vma, first: number, end: number): boolean {
  if (end - first < PMD_PAGES) return false;
  const pmd = pmdOf(vma.mm, vma.region, first);
  if (pmd === 'table') return false;
  return pmd === null ? !vma.file : pmd.kind === 'present' && !pmd.frame.pinned;
}
