/**
 * A lane's journal: one JSON line for everything that is finished, so that a run which was killed goes on where it was.
 */
import { type FileHandle, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { inputError } from '../errors.ts';
import { laneSchema } from '../report/verdict.ts';
import type { KtapTest } from '../suites/ktap.ts';
import { tallySchema } from './program-tally.ts';

const named = z.strictObject({ name: z.string(), reason: z.string() });

const entrySchema = z.discriminatedUnion('type', [
  /** The first line: what the lane is, as in plan.json. */
  z.strictObject({ type: z.literal('lane'), key: z.string(), programs: z.int().nonnegative() }),
  /** A guest has said it; with all programs done, no other would boot to say it again. */
  z.strictObject({ type: z.literal('design'), design: z.enum(['pfn', 'offset']) }),
  /** The next programs of the lane, in their order. */
  z.strictObject({ type: z.literal('programs'), tally: tallySchema }),
  /** The next program took its guest with it. */
  z.strictObject({ type: z.literal('lost'), reason: z.string(), step: z.int().optional() }),
  z.strictObject({
    type: z.literal('hmm-tests'),
    tests: z.array(z.custom<KtapTest>((value) => typeof value === 'object')),
    interrupted: z.array(named),
  }),
  /** The whole lane is finished. */
  z.strictObject({ type: z.literal('verdict'), verdict: laneSchema }),
]);

export type JournalEntry = z.output<typeof entrySchema>;

/** What a lane that was begun before has finished; a last line that was cut off counts as not written. */
export async function readJournal(file: string): Promise<JournalEntry[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n');
  const entries: JournalEntry[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const whole = index < lines.length - 1;
    try {
      entries.push(entrySchema.parse(JSON.parse(line)));
    } catch (cause) {
      if (!whole) break;
      throw inputError('journal', `${file}:${index + 1}: no line of a journal of this version of hmmdiff`, {
        cause,
        hint: 'Run again into a new folder.',
      });
    }
  }
  return entries;
}

/** Appends to a journal, one line after the other. */
export class Journal implements AsyncDisposable {
  #last: Promise<void> = Promise.resolve();

  private constructor(private readonly handle: FileHandle) {}

  /** Goes on behind `entries`, which were read from `file`. */
  static async open(file: string, entries: readonly JournalEntry[]): Promise<Journal> {
    await mkdir(dirname(file), { recursive: true });
    const whole = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    // Written anew: the last line may have been cut off.
    await writeFile(`${file}.partial`, whole);
    await rename(`${file}.partial`, file);
    return new Journal(await open(file, 'a'));
  }

  append(entry: JournalEntry): Promise<void> {
    this.#last = this.#last.then(async () => {
      await this.handle.appendFile(`${JSON.stringify(entry)}\n`);
    });
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.handle.close();
  }
}
