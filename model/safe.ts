/**
 * Which steps a program may take without making test_hmm oops or warn (OBSERVABLES 1.9). Those are bugs of the test
 * driver and not of device-private memory, so no program goes there.
 */
import { fileOf } from './apply.ts';
import { isHazardous } from './mirror.ts';
import type { Step } from './program.ts';
import { processOf, type State } from './state.ts';

/**
 * Why `step` must not be taken in `state`; undefined when it may. The step must be possible: its process lives.
 *
 * - `read` and `write` must not enter a page of the device itself into the device's own page table: dmirror_do_fault()
 *   stores the device page untranslated, and the copy then goes through an address that is not mapped. A write to a
 *   read-only one warns.
 *   On the mm of a process that is gone, 6.12 never comes back from either (Profile.deadMirrorFails).
 * - No second file of one minor may mirror one mm: MMU_NOTIFY_MIGRATE of the one is ignored by the other, which keeps
 *   pointers to freed pages.
 */
export function hazardOf(state: State, step: Step): string | undefined {
  if (step.op === 'open') {
    const { mm } = processOf(state, step.by);
    return mm.mirrors.some((file) => file.minor === step.device)
      ? `device ${step.device} already mirrors this process through an inherited descriptor`
      : undefined;
  }
  if (step.op !== 'read' && step.op !== 'read-unlocked' && step.op !== 'write') return undefined;
  if (step.flaw === 'bad-buffer' ? step.op === 'write' : step.flaw && step.flaw !== 'excess-pages')
    return undefined;
  const file = fileOf(state, step.by, step.device);
  return file && isHazardous(state.profile, file, step.at, step.op === 'write')
    ? `device ${step.device} would enter one of its own pages untranslated, or never return`
    : undefined;
}
