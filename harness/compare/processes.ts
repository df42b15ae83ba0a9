/** What /proc/PID/status says of each process. */
import type { ProcessObservation, Rss } from '../../model/observation.ts';
import type { ExpectedProcess } from '../../model/observe.ts';
import type { Context } from './compare.ts';

/** What /proc/PID/status counts, and where in task_mem(). */
const COUNTS = [
  ['anon', 'status.rss-anon', 'task_mem (MM_ANONPAGES)'],
  ['file', 'status.rss-file', 'task_mem (MM_FILEPAGES)'],
  ['shmem', 'status.rss-shmem', 'task_mem (MM_SHMEMPAGES)'],
  ['swap', 'status.swap', 'task_mem (MM_SWAPENTS)'],
] as const;

/** @param base what a process has beside its regions */
export function compareProcesses(
  { tally }: Context,
  step: number,
  expected: readonly ExpectedProcess[],
  seen: readonly ProcessObservation[],
  base: Rss,
): void {
  const whole = tally.check(
    expected.length === seen.length &&
      expected.every(({ process }, index) => process === seen[index]!.process),
    { step },
    'processes',
    'every living process is observed',
    () => names(expected),
    () => names(seen),
  );
  if (!whole) return;
  for (let index = 0; index < expected.length; index++) {
    const { process, rss } = expected[index]!;
    const other = seen[index]!.rss;
    const place = { step, process };
    for (const [count, field, rule] of COUNTS) {
      const kib = other[count];
      if (kib === undefined) continue;
      tally.check(
        kib - base[count] === rss[count],
        place,
        field,
        rule,
        () => `${rss[count]} KiB of the regions`,
        () => `${kib - base[count]} KiB${beside(base[count])}`,
      );
    }
  }
}

function beside(kib: number): string {
  return kib > 0 ? ` beside the ${kib} KiB before the first step` : '';
}

function names(list: readonly { process: number }[]): string {
  return list.map(({ process }) => `p${process}`).join(' ');
}
