/** Which steps a program does not take since pages of KSM are, or would be, where the model does not have them (model/ksm.ts). */

import { fileOf } from './apply.ts';
import { entryAt } from './page-table.ts';
import type { OrdinaryStep, PageRange } from './program.ts';
import { isAnonymousHuge } from './safe-hugetlb.ts';
import { type Mm, processOf, type State } from './state.ts';

/**
 * - A page of KSM must not be migrated to a device: ksmd then reads from an address that is not mapped (Profile.ksmPagesStay).
 * - `ksmd` has nothing to scan, and never gets done, unless some mapping is mergeable.
 * - Pages that are pinned, mlocked or in huge regions are not merged by programs, and reclaim leaves pages of KSM alone: the
 *   model has no rules for them.
 */
export function ksmHazard(state: State, step: OrdinaryStep): string | undefined {
  if (step.op === 'ksmd') return scanHazard(state);
  if (!('at' in step)) return undefined;
  const { mm } = processOf(state, step.by);
  if (step.op === 'madvise' && step.advice === 'mergeable' && isAnonymousHuge(state, step.at.region)) {
    return 'KSM of large folios is not modelled';
  }
  if (step.op === 'mlock' && merged(mm, step.at)) return 'mlock of pages of KSM is not modelled';
  if (step.op === 'madvise' && ['free', 'cold', 'pageout'].includes(step.advice) && merged(mm, step.at)) {
    return 'reclaim of pages of KSM is not modelled';
  }
  if (step.op === 'migrate-to-dev' && !state.profile.ksmPagesStay) {
    const file = fileOf(state, step.by, step.device);
    if (file && merged(file.mm, step.at)) return 'ksmd would read from the pages of KSM that the device has';
  }
  return undefined;
}

function scanHazard(state: State): string | undefined {
  const mms = state.processes.flatMap((process) => process?.mm ?? []);
  const vmas = mms.flatMap((mm) => mm.vmas.flat()).filter(({ mergeable }) => mergeable);
  if (vmas.length === 0) return 'ksmd would have nothing to scan, and never be done';
  if (vmas.some(({ locked }) => locked)) return 'KSM of mlocked pages is not modelled';
  if (state.processes.some((process) => process?.pins?.length)) return 'KSM of pinned pages is not modelled';
  return undefined;
}

function merged(mm: Mm, { region, first, count }: PageRange): boolean {
  for (let page = first; page < first + count; page++) if (entryAt(mm, region, page)?.frame.ksm) return true;
  return false;
}
