/** All ways that something can go which makes choices: it is run again for each. */

/** There are more ways than anybody wants to wait for. */
export class TooManyWaysError extends Error {
  override readonly name = 'TooManyWaysError';
}

/**
 * @param run must do the same for the same choices; `choose(n)` gives it one of 0..n-1
 * @param most more ways than this are refused
 * @returns how many ways there are
 * @throws TooManyWaysError
 */
export function explore(run: (choose: (of: number) => number) => void, most: number): number {
  const path: { choice: number; of: number }[] = [];
  for (let ways = 1; ; ways++) {
    if (ways > most) throw new TooManyWaysError(`more than ${most} ways`);
    let depth = 0;
    run((of) => {
      if (depth === path.length) path.push({ choice: 0, of });
      return path[depth++]!.choice;
    });
    let last = path.at(-1);
    while (last && last.choice + 1 === last.of) {
      path.pop();
      last = path.at(-1);
    }
    if (!last) return ways;
    last.choice++;
  }
}
