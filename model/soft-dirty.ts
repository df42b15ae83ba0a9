/** Writing 4 to /proc/PID/clear_refs (fs/proc/task_mmu.c, clear_refs_write with CLEAR_REFS_SOFT_DIRTY). */
import { release } from './notifier.ts';
import { type Expected, succeed } from './outcome.ts';
import { setPageProt } from './page-cache.ts';
import type { Process, State } from './state.ts';

/**
 * Nothing is soft-dirty any more, and present entries are write-protected, so that the next write faults and makes its
 * page soft-dirty. Entries of device pages stay writable: what is written to such a page after its return to RAM is
 * not noticed. MMU_NOTIFY_SOFT_DIRTY is for all addresses, on architectures without soft-dirty bits too.
 */
export function clearSoftDirty(state: State, { mm }: Process): Expected {
  release(state, mm);
  if (state.profile.softDirty) {
    for (const vma of mm.vmas.flat()) {
      vma.softDirty = false;
      setPageProt(state, vma);
    }
    for (const vma of mm.vmas.flat()) {
      for (const pte of mm.ptes[vma.region]!.slice(vma.first, vma.end)) {
        // pte_is_pinned()
        if (!pte || (pte.kind === 'present' && pte.write && pte.frame.pinned && !vma.shared)) continue;
        pte.softDirty = false;
        if (pte.kind !== 'present' || !pte.write) continue;
        pte.write = false;
        pte.rule = 'clear_soft_dirty';
      }
    }
  }
  return succeed('clear_refs_write');
}
