/** Who does what in a stand-alone program: the processes act one at a time, in the order of the steps. */
import type { ProcessId } from '../../model/program.ts';

/** main(), when all processes that matter have ended. */
export const MAIN = 'main';

/** One turn's work. */
export interface Turn {
  by: ProcessId | typeof MAIN;
  lines: string[];
  /** The process ends with it. */
  exits?: boolean;
  /** At the same time as the turn before it, whose process waits for it: it hands nothing on. */
  beside?: boolean;
}

/** Joins neighbouring turns of one process. */
export function joinTurns(turns: readonly Turn[]): Turn[] {
  const joined: Turn[] = [];
  for (const turn of turns) {
    if (turn.lines.length === 0 && !turn.exits) continue;
    const last = joined.at(-1);
    if (last && last.by === turn.by && !last.exits && !last.beside && !turn.beside) {
      last.lines = [...last.lines, ...(last.lines.length > 0 ? [''] : []), ...turn.lines];
      if (turn.exits) last.exits = true;
    } else {
      joined.push({ ...turn, lines: [...turn.lines] });
    }
  }
  return joined;
}

/**
 * The body of each process, with what hands the turn on. A process that has nothing more to do stays until the end,
 * when main() ends it.
 */
export function bodies(turns: readonly Turn[]): Map<ProcessId | typeof MAIN, string[]> {
  const all = new Map<ProcessId | typeof MAIN, string[]>();
  for (const [index, { by, lines, exits, beside }] of turns.entries()) {
    const before = all.get(by) ?? [];
    const turn = index > 0 && by !== MAIN ? [`wait_for_turn(${by});`, ''] : [];
    const body = [...before, ...turn, ...lines, ...(lines.length > 0 && by !== MAIN ? [''] : [])];
    all.set(by, body);
    if (by === MAIN) continue;
    const next = turns.slice(index + 1).find((turn) => !turn.beside);
    const isLast = !turns.slice(index + 1).some((turn) => turn.by === by);
    if (beside) {
      if (isLast) body.push('for (;;)', '\tpause();');
    } else if (!next || next.by === MAIN) body.push('shared->finished = true;', '_exit(0);');
    else if (exits) body.push(`shared->next = ${next.by};`, '_exit(0);');
    else body.push(`pass_turn(${next.by});`, ...(isLast ? ['for (;;)', '\tpause();'] : []));
  }
  return all;
}
