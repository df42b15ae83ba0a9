/**
 * What may be the case inside of the kernel: one state of the model, or several, when a `together` step can have gone in
 * different ways that could not be told apart so far.
 */
import { apply, endingsOf, type StepExpectation } from '../../model/apply.ts';
import type { Expected } from '../../model/outcome.ts';
import type { Step } from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import type { Bindings } from './bindings.ts';
import type { Tally } from './tally.ts';

/** Slack: in which order actors came. */
export const ORDER_SLACK = 'order-of-actors';

export interface World {
  state: State;
  bindings: Bindings;
}

/** A world after a step. */
export interface Future extends World {
  expected: StepExpectation;
  /** Of a `together` step: what each part yields, and for people, who acted when. */
  parts?: readonly Expected[];
  order?: string;
}

/** What can come of a step: of ordinary ones the worlds that there are, changed in place. */
export function futures(worlds: readonly World[], step: Step, index: number): Future[] {
  if (step.op !== 'together') {
    return worlds.map((world) => ({ ...world, expected: apply(world.state, step, index) }));
  }
  return worlds.flatMap(({ state, bindings }) =>
    endingsOf(state, step, index).map(({ state, frames, parts, order }) => ({
      state,
      bindings: bindings.copyFor(frames),
      expected: { outcome: { kind: 'ok' }, messages: 0, rule: 'together', events: [] },
      parts,
      order: `list ${order.join(', ')}`,
    })),
  );
}

/** Those that explain what was seen; when there are none, the one that comes nearest. */
export function choose<T extends { own: Tally }>(tried: readonly T[]): T[] {
  const fitting = tried.filter(({ own }) => own.divergences.length === 0);
  if (fitting.length > 0) return fitting;
  const fewest = Math.min(...tried.map(({ own }) => own.divergences.length));
  return tried.filter(({ own }) => own.divergences.length === fewest).slice(0, 1);
}
