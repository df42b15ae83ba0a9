/** madvise(2) (mm/madvise.c). The agent drains the LRU batches after each. */
import { collapse } from './collapse.ts';
import { drainLru } from './lru.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { Advice, HugeAdvice, PageRange } from './program.ts';
import { adviseReclaim } from './reclaim.ts';
import type { Process, State } from './state.ts';
import { flagsOf, modifyVma } from './vma-modify.ts';

export function madvise(state: State, process: Process, at: PageRange, advice: Advice): Expected {
  if (advice !== 'hugepage' && advice !== 'nohugepage' && advice !== 'collapse') {
    return adviseReclaim(state, process, at, advice);
  }
  const expected =
    advice === 'collapse' ? collapse(state, process, at) : adviseHuge(state, process, at, advice);
  drainLru(state);
  return expected;
}

/** hugepage_madvise(): what is mapped of the range takes the advice, and ENOMEM tells of the rest. */
function adviseHuge(
  state: State,
  { mm }: Process,
  { region, first, count }: PageRange,
  advice: HugeAdvice,
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
    if (vma.thp !== advice) modifyVma(state, vma, start, stop, { ...flagsOf(vma), thp: advice });
    page = stop;
  }
  return mapped === count ? succeed('hugepage_madvise') : failWith('ENOMEM', 'madvise_walk_vmas');
}
