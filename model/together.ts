/** `together` steps of one round: everything that can come of them. */

import { cloneWithFrames } from './clone.ts';
import { explore } from './explore.ts';
import { drainLru } from './lru.ts';
import type { Expected } from './outcome.ts';
import { play } from './parts.ts';
import type { Pause, Play, Stage, TakePart } from './play.ts';
import { partTokenStep, type Together } from './program.ts';
import type { Frame, State } from './state.ts';
import { stateKey } from './state-key.ts';

/** One way that a step can go. */
export interface Ending {
  state: State;
  /** Which frame of `state` stands for which of the state before. */
  frames: ReadonlyMap<Frame, Frame>;
  /** Of each part, those of one actor after the other. */
  parts: Expected[];
  /** Which actors acted, one turn after the other. */
  order: number[];
}

/** More orders than this are refused: a step of short parts on a page or two has some tens or hundreds. */
const MOST_ORDERS = 1500;

/**
 * All endings of `step`, each once.
 *
 * @param take how a part that nobody interrupts is taken
 * @throws HazardError when one of them makes test_hmm oops or warn
 * @throws TooManyWaysError for a step with too many parts or pages
 */
export function together(state: State, step: Together, index: number, take: TakePart): Ending[] {
  const endings = new Map<string, Ending>();
  explore((choose) => {
    const ending = perform(state, step, index, take, choose);
    const key = `${JSON.stringify(ending.parts.map(outcomeKey))} ${stateKey(ending.state, new Set(ending.frames.values()))}`;
    const known = endings.get(key);
    // The simplest explanation is the one that changes least between actors.
    if (!known || known.order.length > ending.order.length) endings.set(key, ending);
  }, MOST_ORDERS);
  return [...endings.values()];
}

/** The ending when one actor acts after the other, as far as none has to wait. */
export function inTurn(state: State, step: Together, index: number, take: TakePart): Ending {
  return perform(state, step, index, take, () => 0);
}

function outcomeKey({ rule: _rule, bytes, ...rest }: Expected): unknown {
  return { ...rest, bytes: bytes && [...bytes] };
}

interface Actor {
  number: number;
  play: Play<void>;
  pause: Pause;
  answer: number;
  done: boolean;
}

function perform(
  before: State,
  step: Together,
  index: number,
  take: TakePart,
  choose: (of: number) => number,
): Ending {
  const { state, frames } = cloneWithFrames(before);
  const firstNew = state.nextId;
  state.events = [];
  drainLru(state);
  forgetStacks(state);
  const stage: Stage = { state, take, readers: new Map() };
  const results: Expected[][] = step.actors.map(() => []);
  const actors = step.actors.map(
    (_, number): Actor => ({
      number,
      play: act(stage, step, index, number, results[number]!),
      pause: {},
      answer: 0,
      done: false,
    }),
  );
  const order: number[] = [];
  for (;;) {
    const left = actors.filter(({ done }) => !done);
    if (left.length === 0) break;
    const able = left.filter(({ pause }) => !('until' in pause) || pause.until?.() !== false);
    if (able.length === 0) throw new Error('all actors of a step wait for each other');
    const actor = able.length === 1 ? able[0]! : able[choose(able.length)]!;
    if (order.at(-1) !== actor.number) order.push(actor.number);
    advance(actor, choose);
  }
  drainLru(state);
  forgetStacks(state);
  forgetPositions(state, firstNew);
  return { state, frames, parts: results.flat(), order };
}

/** Up to the next point where another actor can come in. */
function advance(actor: Actor, choose: (of: number) => number): void {
  let answer = 0;
  for (;;) {
    const { done, value } = actor.play.next(answer);
    if (done) {
      actor.done = true;
      return;
    }
    if (!('choices' in value)) {
      actor.pause = value;
      return;
    }
    answer = choose(value.choices);
  }
}

function* act(stage: Stage, step: Together, index: number, number: number, results: Expected[]): Play<void> {
  const others = step.actors.flatMap((parts, other) => (other === number ? [] : parts));
  for (const [place, part] of step.actors[number]!.entries()) {
    results.push(yield* play(stage, { part, token: partTokenStep(index, number, place), others }));
  }
}

/** In which order actors took pages from a device's stack, and gave them back, shows only in the pages themselves. */
function forgetStacks(state: State): void {
  for (const device of state.devices) {
    for (const page of device.free) {
      page.known = false;
      page.active = undefined;
      page.swapBacked = undefined;
    }
  }
}

function forgetPositions(state: State, firstNew: number): void {
  for (const device of state.devices) {
    for (const frame of device.live) if (frame.id >= firstNew) frame.positionKnown = false;
  }
}
