/** What the C of a program with steps that actors take together has beside that of others. */
import { mentions } from './c-parts.ts';

export interface ConcurrentParts {
  /** Runs of the program, at most. */
  attempts: number;
  /** Elements of shared->seen[]. */
  columns: number;
  actors: number;
  /** Elements of shared->rounds[]. */
  parts: number;
  /** Elements of shared->kept[]. */
  kept: number;
  /** Rows of the table of what is written where. */
  written: readonly string[];
  tables: readonly string[];
  functions: readonly string[];
}

export const CONCURRENT_HEADERS: readonly string[] = ['poll.h', 'pthread.h', 'stdatomic.h', 'time.h'];

/**
 * Tables, and what each actor does.
 *
 * @param processes the functions of the processes
 */
export function concurrentText(
  { tables, written, functions }: ConcurrentParts,
  processes: readonly string[],
): string[] {
  const words = [
    'static const struct written_word written_words[WRITTEN] = {',
    ...written.map((word) => `\t${word},`),
    '};',
  ].join('\n');
  const all = [...(tables.length > 0 ? [tables.join('\n')] : []), ...functions];
  return [...all, ...processes].some((text) => /\bcheck_(?:content|read)\b|\bROUND\b/.test(text))
    ? [words, ...all]
    : all;
}

export function concurrentDefinitions(
  { actors, columns, attempts, written, kept }: ConcurrentParts,
  code: string,
): string[] {
  return [
    `#define ACTORS\t\t${actors}\t/* at the same time, at most */`,
    `#define ATTEMPTS\t${attempts}`,
    ...(mentions(code, 'COLUMNS') ? [`#define COLUMNS\t\t${columns}`] : []),
    ...(mentions(code, 'WRITTEN') ? [`#define WRITTEN\t\t${written.length}`] : []),
    ...(mentions(code, 'KEPT') ? [`#define KEPT\t\t${kept}`] : []),
  ];
}

/** Of struct shared. */
export function concurrentShared({ parts }: ConcurrentParts, code: string): string[] {
  return [
    '\tatomic_uint\tarrived;\t/* actors */',
    '\tatomic_uint\tbehind;\t\t/* actors that have rounds to do */',
    '\tatomic_uint\tplayers;\t/* further processes that have actors */',
    ...(mentions(code, 'COLUMNS') ? ['\tuint64_t\tseen[COLUMNS];'] : []),
    ...(mentions(code, 'KEPT') ? ['\tuint64_t\tkept[KEPT];'] : []),
    ...(parts > 0
      ? [
          `\tunsigned int\trounds[${parts}];\t/* that a part has done */`,
          `\tint\t\tresult[${parts}];\t/* of its last */`,
        ]
      : []),
  ];
}

/** Each actor has a buffer of its own. */
export function concurrentBuffers(size: string): string[] {
  return [
    `static char buffers[ACTORS][${size}] __attribute__((aligned(PAGE)));`,
    'static _Thread_local unsigned int acting;\t/* number of the actor */',
    '#define buffer\tbuffers[acting]',
  ];
}
