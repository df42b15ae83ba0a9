/** `together` steps: what their parts yielded. */
import type { PartObservation } from '../../model/observation.ts';
import type { Expected } from '../../model/outcome.ts';
import type { Step } from '../../model/program.ts';
import { compareOutcome } from './outcome.ts';
import type { Tally } from './tally.ts';

/**
 * Slack: trace events of a `together` step. They come from two CPUs, whose order is not known, and how many there are is
 * free: an access that meets a migration entry faults again, and a page that is found busy is unmapped and mapped again.
 */
export const TOGETHER_EVENT_SLACK = 'trace-event-of-actors';

export function compareParts(
  tally: Tally,
  step: number,
  expected: readonly Expected[],
  seen: readonly PartObservation[] | undefined,
): void {
  const whole = tally.check(
    expected.length === seen?.length,
    { step },
    'steps',
    'every part is made',
    () => `${expected.length} parts`,
    () => `${seen?.length ?? 0} parts`,
  );
  if (!whole || !seen) return;
  for (const [index, part] of expected.entries()) compareOutcome(tally, step, part, seen[index]!);
}

/** A step of several rounds: the model does not follow. */
export function isLong(step: Step): boolean {
  return step.op === 'together' && step.rounds > 1;
}
