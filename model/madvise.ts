/** madvise(2) (mm/madvise.c). The agent drains the LRU batches after each. */
import { collapse } from './collapse.ts';
import { isHugetlb } from './hugetlb.ts';
import { breakKsm, enterKsm } from './ksm.ts';
import { drainLru } from './lru.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import {
  type Advice,
  type MergeAdvice,
  type PageRange,
  RECLAIM_ADVICE,
  type ReclaimAdvice,
} from './program.ts';
import { adviseReclaim } from './reclaim.ts';
import type { Process, Rule, State, Vma } from './state.ts';
import { flagsOf, modifyVma, sameFlags, type VmaFlags } from './vma-modify.ts';

export function madvise(state: State, process: Process, at: PageRange, advice: Advice): Expected {
  if (isReclaimAdvice(advice)) return adviseReclaim(state, process, at, advice);
  const expected = adviseOther(state, process, at, advice);
  drainLru(state);
  return expected;
}

function adviseOther(
  state: State,
  process: Process,
  at: PageRange,
  advice: Exclude<Advice, ReclaimAdvice>,
): Expected {
  if (advice === 'collapse') return collapse(state, process, at);
  if (advice === 'hugepage' || advice === 'nohugepage') {
    return adviseVmas(state, process, at, 'hugepage_madvise', () => ({ thp: advice }));
  }
  return adviseVmas(state, process, at, 'ksm_madvise', (vma, first, end) =>
    ksm(state, vma, first, end, advice),
  );
}

function isReclaimAdvice(advice: Advice): advice is ReclaimAdvice {
  return (RECLAIM_ADVICE as readonly Advice[]).includes(advice);
}

/**
 * ksm_madvise(): an mm is known to ksmd since the first mergeable vma; what was merged is broken up at once. Advice on what is
 * shared or of hugetlb is ignored (vma_ksm_compatible).
 */
function ksm(state: State, vma: Vma, first: number, end: number, advice: MergeAdvice): Partial<VmaFlags> {
  if (vma.shared || isHugetlb(vma)) return {};
  const mergeable = advice === 'mergeable';
  if (mergeable) enterKsm(state, vma.mm);
  else if (vma.mergeable) breakKsm(state, vma, first, end);
  return { mergeable };
}

/** madvise_walk_vmas(): what is mapped of the range takes the advice, and ENOMEM tells of the rest. */
function adviseVmas(
  state: State,
  { mm }: Process,
  { region, first, count }: PageRange,
  rule: Rule,
  advise: (vma: Vma, first: number, end: number) => Partial<VmaFlags>,
): Expected {
  const end = first + count;
  let mapped = 0;
  for (let page = first; page < end; ) {
    const vma = mm.vmas[region]!.find((candidate) => candidate.end > page);
    if (!vma || vma.first >= end) break;
    const start = Math.max(page, vma.first);
    const stop = Math.min(vma.end, end);
    mapped += stop - start;
    // madvise_update_vma()
    const flags = { ...flagsOf(vma), ...advise(vma, start, stop) };
    if (!sameFlags(vma, flags) && !modifyVma(state, vma, start, stop, flags)) {
      return failWith('EINVAL', 'hugetlb_vm_op_split');
    }
    page = stop;
  }
  return mapped === count ? succeed(rule) : failWith('ENOMEM', 'madvise_walk_vmas');
}
