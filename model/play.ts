/** Plays: what parts of a `together` step do, with pauses in which other actors can come in between. */
import type { Expected } from './outcome.ts';
import type { PageRange, Part, ProcessId } from './program.ts';
import type { Mm, State } from './state.ts';

/** Others may act; `until` says when this one can go on. Or a choice, whose number next() is given. */
export type Pause = { until?: () => boolean } | { choices: number };
export type Play<T> = Generator<Pause, T, number>;

export type TakePart = (state: State, part: Part, token: number) => Expected;

/** What the plays of one step share. */
export interface Stage {
  state: State;
  /** Takes a part that nobody can interrupt, as a step. */
  take: TakePart;
  /** How often mmap_lock is held for reading, by the mm's number. */
  readers: Map<number, number>;
}

export interface Role {
  part: Part;
  /** What its tokens name instead of a step. */
  token: number;
  /** Parts of other actors. */
  others: readonly Part[];
}

export const HERE: Pause = {};

/** mmap_lock is held for reading. */
export function* reading<T>(
  { readers }: Stage,
  mm: Mm,
  play: Generator<Pause | undefined, T, number>,
): Play<T> {
  readers.set(mm.id, (readers.get(mm.id) ?? 0) + 1);
  const result = yield* pausing(play);
  readers.set(mm.id, readers.get(mm.id)! - 1);
  return result;
}

/** A bare yield is a pause. */
export function* pausing<T>(play: Generator<Pause | undefined, T, number>): Play<T> {
  let sent = 0;
  for (;;) {
    const { done, value } = play.next(sent);
    if (done) return value;
    sent = yield value ?? HERE;
  }
}

/** Each interruption of a migration is a pause. */
export function* phases<T>(migration: Generator<void, T, unknown>): Generator<undefined, T, number> {
  for (;;) {
    const { done, value } = migration.next();
    if (done) return value;
    yield undefined;
  }
}

export function overlap(a: PageRange, b: PageRange): boolean {
  return a.region === b.region && a.first < b.first + b.count && b.first < a.first + a.count;
}

/** Whether another thread writes to the pages, so that what is read of one may be of several times. */
export function isWrittenMeanwhile({ others }: Role, by: ProcessId, at: PageRange): boolean {
  return others.some((other) => other.op === 'cpu-write' && other.by === by && overlap(at, other.at));
}
