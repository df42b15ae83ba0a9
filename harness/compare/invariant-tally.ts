import type { Divergence, InvariantName, Place } from './tally.ts';

/** What was checked, and what does not hold. */
export class InvariantTally {
  readonly checked = new Map<InvariantName, number>();
  readonly divergences: Divergence[] = [];

  /** Counts checks of an invariant that holds. */
  held(name: InvariantName, times = 1): void {
    if (times > 0) this.checked.set(name, (this.checked.get(name) ?? 0) + times);
  }

  /** Counts a check of an invariant that does not hold; `seen` says how. */
  broken(name: InvariantName, place: Place, seen: string): void {
    this.held(name);
    // It is broken for many pages and steps: the first tells.
    if (this.divergences.some(({ rule }) => rule === name)) return;
    this.divergences.push({ ...place, field: 'invariant', rule: name, expected: name, seen });
  }

  /** Adds all that another has. */
  add({ checked, divergences }: InvariantTally): void {
    for (const [name, times] of checked) this.held(name, times);
    for (const divergence of divergences) {
      if (!this.divergences.some(({ rule }) => rule === divergence.rule)) this.divergences.push(divergence);
    }
  }

  check(name: InvariantName, holds: boolean, place: Place, seen: () => string): void {
    if (holds) this.held(name);
    else this.broken(name, place, seen());
  }
}
