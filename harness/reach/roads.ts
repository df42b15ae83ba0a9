/** How a page gets from one state to another, by the transitions of the tables. */
import { rowsFor } from '../../model/coverage/tables.ts';
import type { Profile } from '../../model/profile.ts';
import { parseTransition, type Target } from './targets.ts';

export class Roads {
  /** By state, the last steps on the ways to it. */
  readonly #lastSteps = new Map<string, Target[]>();

  constructor(profile: Profile) {
    for (const row of rowsFor('transitions', profile)) {
      const { op, from, to } = parseTransition(row);
      if (from === to) continue;
      const steps = this.#lastSteps.get(onAnyDevice(to)) ?? [];
      this.#lastSteps.set(onAnyDevice(to), steps);
      steps.push({ op, from: onAnyDevice(from) });
    }
  }

  /** First steps of the shortest ways from a state that is `present` to `state`; none when there is no way. */
  towards(state: string, present: ReadonlySet<string>): Target[] {
    let goals = [onAnyDevice(state)];
    const seen = new Set(goals);
    while (goals.length > 0) {
      const steps = goals.flatMap((goal) => this.#lastSteps.get(goal) ?? []);
      const first = steps.filter(({ from }) => present.has(from));
      if (first.length > 0) return first;
      goals = [...new Set(steps.map(({ from }) => from))].filter((from) => !seen.has(from));
      for (const goal of goals) seen.add(goal);
    }
    return [];
  }
}

/** A state by its name, whichever device acts. */
export function onAnyDevice(state: string): string {
  return state.replace('other-', '');
}
