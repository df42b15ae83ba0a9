/** By operation and state of a page, the states that can follow, separated by spaces. */
export type Transitions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The rows `OPERATION: FROM > TO` of the table. */
export function transitionRows(transitions: Transitions): string[] {
  return Object.entries(transitions).flatMap(([operation, states]) =>
    Object.entries(states).flatMap(([from, to]) =>
      to.split(' ').map((state) => `${operation}: ${from} > ${state}`),
    ),
  );
}

/** Of an operation that leaves each of these states as it is, but for those that are entered again behind it. */
export function unchanged(...states: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(states.map((state) => [state, state]));
}

/** Of an operation that makes the same of each of these states. */
export function becoming(to: string, ...states: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(states.map((state) => [state, to]));
}
