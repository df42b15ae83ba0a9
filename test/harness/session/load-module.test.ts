import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadTestHmm } from '../../../harness/session/load-module.ts';
import { Console } from '../../../qemu/console.ts';
import { temporaryDirectory } from '../temporary.ts';

const chunk = (first: string, end: string) =>
  `[    9.1][  T80] added new 256 MB chunk (total 1 chunks, 256 MB) device PFNs [0x${first} 0x${end})\n`;

/** A console in a file, and a guest whose ssh answers before any of `printed` is on the console. */
async function slowConsole(printed: string, code: number, stderr = '') {
  const file = join(await temporaryDirectory(), 'console');
  const console = await Console.follow(file, performance.now());
  onTestFinished(() => console.end());
  const exec = async () => {
    setImmediate(() => void appendFile(file, printed));
    return { stdout: '', stderr, code, signal: undefined };
  };
  return { file, session: { ssh: { exec }, guest: { console } } };
}

it('reads the chunks of a load from a console that is behind insmod', async () => {
  // The first line belongs to a RELEASE before the load, whose round ended before its message was read.
  const { session } = await slowConsole(
    `${chunk('70000', '80000')}[    9.0][  T79] hmmdiff: load 2 begins\n${chunk('0', '10000')}${chunk('10000', '20000')}[    9.2][  T81] hmmdiff: load 2 ended\n`,
    0,
  );
  const { failure, memory } = await loadTestHmm(session, 'load 2', '');
  expect(failure).toBeUndefined();
  expect(memory.chunks).toEqual([
    { minor: 0, first: 0n, end: 0x10000n },
    { minor: 1, first: 0x10000n, end: 0x20000n },
  ]);
});

it('hands on what insmod says when the module does not load', async () => {
  const { session } = await slowConsole(
    'hmmdiff: load 1 begins\nhmmdiff: load 1 ended\n',
    1,
    'insmod: cannot insert: Cannot allocate memory\n',
  );
  const { failure, memory } = await loadTestHmm(session, 'load 1', '');
  expect(failure).toBe('insmod: cannot insert: Cannot allocate memory');
  expect(memory.chunks).toEqual([]);
});
