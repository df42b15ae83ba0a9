import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Journal, type JournalEntry, readJournal } from '../../../harness/run/journal.ts';
import { addTally, emptyTally } from '../../../harness/run/program-tally.ts';
import { temporaryDirectory } from '../temporary.ts';

const lane: JournalEntry = { type: 'lane', key: 'k', programs: 3 };
const some = { ...emptyTally(), programs: 2, steps: 9, fields: { outcome: 9 }, slack: { pfn: 1 } };

async function written(entries: readonly JournalEntry[]): Promise<string> {
  const file = join(await temporaryDirectory(), 'lane', 'journal.jsonl');
  await using journal = await Journal.open(file, []);
  for (const entry of entries) await journal.append(entry);
  return file;
}

it('a journal gives back what was appended', async () => {
  const entries: JournalEntry[] = [
    lane,
    { type: 'design', design: 'offset' },
    { type: 'programs', tally: some },
    { type: 'lost', reason: 'panic', step: 3 },
  ];
  expect(await readJournal(await written(entries))).toEqual(entries);
});

it('a line that was cut off by a kill counts as not written, and the next is appended behind the whole ones', async () => {
  const file = await written([lane]);
  await appendFile(file, '{"type":"programs","tal');
  const entries = await readJournal(file);
  expect(entries).toEqual([lane]);
  {
    await using journal = await Journal.open(file, entries);
    await journal.append({ type: 'lost', reason: 'oops' });
  }
  expect(await readJournal(file)).toEqual([lane, { type: 'lost', reason: 'oops' }]);
  expect((await readFile(file, 'utf8')).endsWith('\n')).toBe(true);
});

it('a whole line that is none of a journal is an error with file and line', async () => {
  const file = await written([lane]);
  await appendFile(file, '{"type":"surprise"}\n');
  await expect(readJournal(file)).rejects.toMatchObject({
    code: 'journal',
    message: expect.stringContaining('journal.jsonl:2'),
  });
});

it('a folder without a journal has finished nothing', async () => {
  expect(await readJournal(join(await temporaryDirectory(), 'none'))).toEqual([]);
});

it('tallies add up', () => {
  const sum = emptyTally();
  addTally(sum, some);
  addTally(sum, some);
  expect(sum).toMatchObject({
    programs: 4,
    steps: 18,
    fields: { outcome: 18 },
    slack: { pfn: 2 },
    diverged: [],
  });
});
