/** Steps of programs with files whose rules the model does not have. */
import { type OrdinaryStep, PMD_PAGES, type Step } from './program.ts';
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

/**
 * Of hugetlb, mappings are taken as wholes, since parts of them do not merge, and pages as well (hugetlb_vm_op_split);
 * mappings without any access are left out, whose pages the agent would try to read one by one.
 */
function hugetlbHazard(state: State, step: OrdinaryStep): string | undefined {
  if (state.files.every((file) => file?.kind !== 'hugetlb')) return undefined;
  if (step.op === 'mremap' || step.op === 'mlock' || step.op === 'munlock' || step.op === 'pin') {
    return `${step.op} in a program with hugetlb is not modelled`;
  }
  const region = step.op === 'mmap' ? step.region : 'at' in step ? step.at.region : -1;
  if (state.files[region]?.kind !== 'hugetlb') return undefined;
  if ((step.op === 'mmap' || step.op === 'mprotect') && step.protection === 'none') {
    return 'PROT_NONE of hugetlb is not modelled';
  }
  if (step.op === 'munmap' || step.op === 'mprotect') {
    return step.at.count < state.regions[region]!
      ? `${step.op} of a part of hugetlb is not modelled`
      : undefined;
  }
  if (step.op !== 'madvise') return undefined;
  const { first, count } = step.at;
  if (step.advice === 'collapse' || step.advice === 'mergeable' || step.advice === 'unmergeable')
    return undefined;
  return step.advice !== 'dontneed' || first % PMD_PAGES !== 0 || count % PMD_PAGES !== 0
    ? `${step.advice} of hugetlb but for DONTNEED of whole pages is not modelled`
    : undefined;
}
