/** Every way to change one thing in a transcript. */
import type { ProgramTranscript } from '../../../model/observation.ts';

export interface Mutation {
  /** Such as `steps.3.regions.0.pages.2.pagemap bit 55`. */
  name: string;
  transcript: ProgramTranscript;
}

type Path = readonly (string | number)[];

/**
 * Each 64-bit number that is an entry, flags or a count with each of its bits flipped; each other value replaced;
 * each list shortened, lengthened, or with two neighbours swapped; each optional value taken away.
 */
export function* mutations(transcript: ProgramTranscript): Generator<Mutation> {
  for (const { path, change, value } of changesIn(transcript, [])) {
    yield {
      name: `${path.join('.')} ${change}`.trim(),
      transcript: replaced(transcript, path, value) as ProgramTranscript,
    };
  }
}

interface Change {
  path: Path;
  change: string;
  value: unknown;
}

const OPTIONAL = new Set([
  'cpages',
  'faults',
  'data',
  'bytes',
  'kpageflags',
  'kpagecount',
  'words',
  'mincore',
  'scan',
]);
const GONE = Symbol('gone');

function* changesIn(value: unknown, path: Path): Generator<Change> {
  const key = String(path.at(-1) ?? '');
  if (OPTIONAL.has(key)) yield { path, change: 'taken away', value: GONE };
  if (typeof value === 'bigint') {
    for (let bit = 0n; bit < 64n; bit++) yield { path, change: `bit ${bit}`, value: value ^ (1n << bit) };
  } else if (typeof value === 'number') {
    yield { path, change: 'plus 1', value: value + 1 };
  } else if (typeof value === 'boolean') {
    yield { path, change: 'negated', value: !value };
  } else if (typeof value === 'string') {
    yield { path, change: 'replaced', value: replacement(key, value) };
  } else if (value instanceof Uint8Array) {
    for (const [index, byte] of value.entries()) {
      yield { path, change: `byte ${index}`, value: value.with(index, byte ^ 1) };
    }
    if (value.length > 0) yield { path, change: 'shortened', value: value.slice(1) };
  } else if (Array.isArray(value)) {
    yield* changesOfList(value, path);
    for (const [index, item] of value.entries()) yield* changesIn(item, [...path, index]);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) yield* changesIn(member, [...path, name]);
  }
}

function* changesOfList(list: readonly unknown[], path: Path): Generator<Change> {
  if (list.length === 0) return;
  yield { path, change: 'shortened', value: list.slice(0, -1) };
  yield { path, change: 'lengthened', value: [...list, list.at(-1)] };
  for (let index = 1; index < list.length; index++) {
    if (text(list[index - 1]) === text(list[index])) continue;
    const swapped = [...list];
    [swapped[index - 1], swapped[index]] = [list[index], list[index - 1]];
    yield { path, change: `${index - 1} and ${index} swapped`, value: swapped };
  }
}

/** Values of the few strings of a transcript that mean something else. */
function replacement(key: string, value: string): unknown {
  if (key === 'kind') return value === 'ok' ? 'errno' : value === 'done' ? 'crashed' : 'ok';
  if (key === 'name') return value === 'set_migration_pte' ? 'remove_migration_pte' : 'set_migration_pte';
  return `not ${value}`;
}

function replaced(value: unknown, path: Path, by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.with(key as number, replaced(value[key as number], rest, by));
  const object = value as Record<string, unknown>;
  const member = replaced(object[key], rest, by);
  if (member !== GONE) return { ...object, [key]: member };
  const { [key]: _, ...others } = object;
  return others;
}

export function text(value: unknown): string {
  return JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? `${member}n` : member));
}
