/** Findings that name all there is to see, as if all of it differed: what is checked by them is what is expected. */

import type { Divergence, FieldName, Place } from '../../../harness/compare/tally.ts';
import { profileOn, walkModel } from '../../../harness/handover/expectation.ts';
import type { Symptom } from '../../../harness/handover/symptom.ts';
import { GAUGES } from '../../../model/meminfo.ts';
import type { Profile } from '../../../model/profile.ts';
import type { Program } from '../../../model/program.ts';

const OF_A_STEP: FieldName[] = ['outcome', 'cpages', 'faults', 'messages', 'data', 'bytes'];
const OF_A_PAGE: FieldName[] = [
  'pagemap.kind',
  'pagemap.frame',
  'pagemap.soft-dirty',
  'pagemap.exclusive',
  'pagemap.uffd',
  'pagemap.other-bits',
  'kpageflags',
  'kpagecount',
  'words',
  'mincore',
];

/** Regions of more pages are looked at in some of them only: the first, the last, and where pieces end. */
const FEW = 6;
const BORDER = 31;
const HUGE_BORDER = 256;

/** Every field of the steps that `isMeant`, of large regions of some pages; the number of steps is the end of the program. */
export function everything(
  program: Program,
  profile: Profile,
  isMeant: (step: number) => boolean = () => true,
): Symptom & { kind: 'divergence' } {
  const views = walkModel(program, profileOn(profile, 'x86_64'), program.steps.length);
  const fields: Divergence[] = [];
  const add = (field: FieldName, place: Place) => {
    fields.push({ ...place, field, expected: 'what is expected', seen: 'something else', rule: 'a rule' });
  };
  for (const [step, { regions, processes }] of views.entries()) {
    if (!isMeant(step)) continue;
    if (step < program.steps.length) for (const field of OF_A_STEP) add(field, { step });
    for (const { process } of processes) {
      add('status.rss-anon', { step, process });
      add('status.swap', { step, process });
    }
    for (const { process, region, pages, snapshots } of regions) {
      add('scan', { step, process, region });
      for (const page of pages.keys()) {
        const border = pages.length > 64 ? HUGE_BORDER : BORDER;
        const isInside = page > 1 && page % border > 1 && page < pages.length - 1;
        if (pages.length > FEW && isInside) continue;
        for (const field of OF_A_PAGE) add(field, { step, process, region, page });
      }
      for (const { device } of snapshots) {
        add('snapshot.bytes', { step, process, region });
        fields.at(-1)!.expected = `device ${device}: what is expected`;
      }
    }
    add('trace.bits', { step });
    for (const name of GAUGES) add(`meminfo.${name}`, { step });
  }
  return { kind: 'divergence', fields };
}
