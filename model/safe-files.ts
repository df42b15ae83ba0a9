/** Steps of programs with files whose rules the model does not have. */
import type { Advice, Step } from './program.ts';
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
  const isModelled = step.op === 'madvise' ? MODELLED_ADVICE.has(step.advice) : MODELLED.has(step.op);
  if (isModelled) return undefined;
  return `${step.op === 'madvise' ? step.advice : step.op} in a program with regions that map files is not modelled`;
}
