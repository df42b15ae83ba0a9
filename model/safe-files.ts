/** Steps of programs with files whose rules the model does not have. */
import { fileIndex } from './page-index.ts';
import type { OrdinaryStep, Step } from './program.ts';
import { hugetlbHazard } from './safe-hugetlb.ts';
import { processOf, type State } from './state.ts';

/** Why a step is not for a program that maps files. */
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
  const end = first + count;
  for (const vma of mm.vmas[region]!) {
    const { file } = vma;
    if (!file || vma.first >= end || vma.end <= first) continue;
    if (file.kind === 'hugetlb') return `${step.op} of hugetlb is not modelled`;
    if (file.kind === 'file') continue;
    const isFilled = step.op === 'uffd-zeropage' || step.op === 'uffd-copy';
    if (isFilled && fileIndex(vma, Math.min(end, vma.end)) > file.pages.length) {
      return `${step.op} behind the end of a file is not modelled`;
    }
    const zero = step.op === 'uffd-zeropage' || (step.op === 'uffd-register' && mm.userfault === 'handler');
    if (zero && !vma.shared) return 'the zero page in private mappings of shmem is not modelled';
  }
  return undefined;
}

const USERFAULT: ReadonlySet<Step['op']> = new Set<Step['op']>([
  'uffd-register',
  'uffd-unregister',
  'uffd-protect',
  'uffd-unprotect',
  'uffd-zeropage',
  'uffd-copy',
]);
