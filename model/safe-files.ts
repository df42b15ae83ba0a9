/** Steps of programs with files whose rules the model does not have. */
import type { OrdinaryStep, Step } from './program.ts';
import { hugetlbHazard } from './safe-hugetlb.ts';
import { processOf, type State } from './state.ts';

/**
 * Why a step is not for a program that maps files: userfaultfd takes shmem and hugetlb as well (vma_can_userfault), which the
 * model has no rules for.
 */
export function fileHazard(state: State, step: Step): string | undefined {
  if (state.files.every((file) => file === null)) return undefined;
  if (step.op === 'together') return 'together in a program with regions that map files is not modelled';
  return hugetlbHazard(state, step) ?? userfaultHazard(state, step);
}

/** A range of anonymous memory may have a mapping of a file, which was moved there. */
function userfaultHazard(state: State, step: OrdinaryStep): string | undefined {
  if (!USERFAULT.has(step.op) || !('at' in step)) return undefined;
  const { region, first, count } = step.at;
  const { mm } = processOf(state, step.by);
  const takes = mm.vmas[region]!.some(
    ({ file, ...vma }) => file && file.kind !== 'file' && vma.first < first + count && first < vma.end,
  );
  return takes ? `${step.op} of shmem and hugetlb is not modelled` : undefined;
}

const USERFAULT: ReadonlySet<Step['op']> = new Set<Step['op']>([
  'uffd-register',
  'uffd-unregister',
  'uffd-protect',
  'uffd-unprotect',
  'uffd-zeropage',
  'uffd-copy',
]);
