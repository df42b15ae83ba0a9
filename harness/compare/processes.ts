/** What /proc/PID/status says of each process. */
import type { ProcessObservation, Rss } from '../../model/observation.ts';
import type { ExpectedProcess } from '../../model/observe.ts';
import type { Context } from './compare.ts';

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
  expected.forEach(({ process, rss }, index) => {
    const other = seen[index]!.rss;
    const place = { step, process };
    tally.check(
      other.anon - base.anon === rss.anon,
      place,
      'status.rss-anon',
      'task_mem (MM_ANONPAGES)',
      () => `${rss.anon} KiB of the regions`,
      () => `${other.anon - base.anon} KiB beside the ${base.anon} KiB before the first step`,
    );
    tally.check(
      other.file - base.file === rss.file,
      place,
      'status.rss-file',
      'task_mem (MM_FILEPAGES)',
      () => `${rss.file} KiB of the regions`,
      () => `${other.file - base.file} KiB beside the ${base.file} KiB before the first step`,
    );
    tally.check(
      other.swap - base.swap === rss.swap,
      place,
      'status.swap',
      'task_mem (MM_SWAPENTS)',
      () => `${rss.swap} KiB of the regions`,
      () => `${other.swap - base.swap} KiB`,
    );
  });
}

function names(list: readonly { process: number }[]): string {
  return list.map(({ process }) => `p${process}`).join(' ');
}
