import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../qemu/console.ts';

let folder: string;
let file: string;
let console_: Console;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hmmdiff-console-'));
  file = join(folder, 'console');
  console_ = await Console.follow(file, performance.now());
});

afterEach(async () => {
  await console_.end();
  await rm(folder, { recursive: true, force: true });
});

describe('Console', () => {
  it('tells a line when it is written, and leaves it in the file', async () => {
    const line = console_.untilLine(/hello/);
    await appendFile(file, 'boot\nhello wo');
    await appendFile(file, 'rld\n');
    expect(await line).toMatchObject({ number: 2, text: 'hello world', partial: false });
    expect(await readFile(file, 'utf8')).toBe('boot\nhello world\n');
  });

  it('finds a line that was there before it was asked for', async () => {
    await appendFile(file, 'early\nlate\n');
    await console_.untilLine(/late/);
    expect((await console_.untilLine(/early/)).number).toBe(1);
  });

  it('misses nothing of a writer that never pauses', async () => {
    const count = 5000;
    const last = console_.untilLine(new RegExp(`^${count}$`));
    for (let from = 1; from <= count; from += 50) {
      const numbers = Array.from({ length: 50 }, (_, index) => `${from + index}\n`);
      await appendFile(file, numbers.join(''));
    }
    await last;
    expect(console_.lines.map((line) => Number(line.text))).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    );
  });

  it('keeps the last line of a QEMU that died in the middle of it', async () => {
    await appendFile(file, 'whole\nKernel pan');
    await console_.end();
    expect(console_.lines.map(({ text, partial }) => [text, partial])).toEqual([
      ['whole', false],
      ['Kernel pan', true],
    ]);
  });

  it('ends a wait when the console ends, the limit passes or the signal aborts', async () => {
    const ended = expect(console_.untilLine(/never/)).rejects.toMatchObject({ reason: 'ended' });
    await expect(console_.untilLine(/never/, { limit: 1 })).rejects.toMatchObject({ reason: 'limit' });
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(console_.untilLine(/never/, { signal })).rejects.toThrow('stop');
    await console_.end();
    await ended;
    expect(console_.listenerCount('line')).toBe(0);
  });

  it('starts empty in a file that an earlier guest wrote', async () => {
    const used = join(folder, 'used');
    await writeFile(used, 'of another run\n');
    const fresh = await Console.follow(used, 0);
    await appendFile(used, 'new\n');
    await fresh.end();
    expect(fresh.lines.map((line) => line.text)).toEqual(['new']);
  });

  it('says which file cannot be made', async () => {
    await expect(Console.follow(join(folder, 'missing/console'), 0)).rejects.toMatchObject({
      code: 'console-file',
      exitStatus: 3,
      message: `cannot keep the console in ${join(folder, 'missing/console')}`,
    });
  });
});
