/** Steps of programs with files whose rules the model does not have. */
import { type Advice, PMD_PAGES, type Step } from './program.ts';
import type { State } from './state.ts';

/** What the model has rules for, where a region maps a file. */
const MODELLED: ReadonlySet<Step['op']> = new Set([
  'mmap',
  'munmap',
  'mprotect',
  'clear-refs',
  'mlock',
  'munlock',
  'mremap',
  'pin',
  'unpin',
  'swapon',
  'swapoff',
  'cpu-read',
  'cpu-write',
  'fork',
  'exit',
  'open',
  'close',
  'read',
  'read-unlocked',
  'write',
  'migrate-to-dev',
  'migrate-to-sys',
  'snapshot',
  'exclusive',
  'check-exclusive',
  'flags',
  'release',
] as Step['op'][]);

const MODELLED_ADVICE: ReadonlySet<Advice> = new Set([
  'dontneed',
  'free',
  'cold',
  'pageout',
  'hugepage',
  'nohugepage',
] as Advice[]);

/** Why a step is not for a program that maps files. */
export function fileHazard(state: State, step: Step): string | undefined {
  if (state.files.every((file) => file === null)) return undefined;
  const ofHugetlb = hugetlbHazard(state, step);
  if (ofHugetlb !== undefined) return ofHugetlb;
  const isModelled = step.op === 'madvise' ? MODELLED_ADVICE.has(step.advice) : MODELLED.has(step.op);
  if (isModelled) return undefined;
  return `${step.op === 'madvise' ? step.advice : step.op} in a program with regions that map files is not modelled`;
}

/**
 * Of hugetlb, mappings are taken as wholes, since parts of them do not merge, and pages as well (hugetlb_vm_op_split);
 * mappings without any access are left out, whose pages the agent would try to read one by one.
 */
function hugetlbHazard(state: State, step: Step): string | undefined {
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
  return step.advice !== 'dontneed' || first % PMD_PAGES !== 0 || count % PMD_PAGES !== 0
    ? `madvise of hugetlb but for DONTNEED of whole pages is not modelled`
    : undefined;
}
