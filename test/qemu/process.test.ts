import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BoundProcess } from '../../qemu/process.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hmmdiff-process-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/**
 * Starts a node that starts a child which holds a FIFO open for writing for as long as it lives: the end of that
 * FIFO is the end of the child, seen without asking again and again.
 */
async function parentOfChild(): Promise<{
  parent: ChildProcess;
  lines: AsyncIterator<string>;
  childGone: Promise<unknown>;
  childPid: number;
}> {
  const fifo = join(folder, 'alive');
  execFileSync('mkfifo', [fifo]);
  const script = join(import.meta.dirname, 'support/bound-parent.ts');
  const held = ['sh', '-c', `exec 9>${fifo}; echo alive >&9; exec sleep 600`];
  const parent = spawn(process.execPath, ['--import', 'tsx', script, ...held], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const alive = createReadStream(fifo);
  await once(alive, 'readable');
  const childGone = once(alive.resume(), 'end');
  const lines = createInterface({ input: parent.stdout as Readable })[Symbol.asyncIterator]();
  const childPid = Number((await lines.next()).value);
  return { parent, lines, childGone, childPid };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('BoundProcess', () => {
  it('ends when its parent is killed', async () => {
    const { parent, childGone } = await parentOfChild();
    parent.kill('SIGKILL');
    await childGone;
  });

  it('ends when its parent ends by SIGTERM', async () => {
    const { parent, childGone } = await parentOfChild();
    parent.kill('SIGTERM');
    await childGone;
  });

  it('is not reached by a Ctrl-C, which goes to the whole foreground process group', async () => {
    const { parent, lines, childGone, childPid } = await parentOfChild();
    process.kill(-(parent.pid as number), 'SIGINT');
    expect((await lines.next()).value).toBe('interrupted');
    expect(exists(childPid)).toBe(true);
    parent.kill('SIGKILL');
    await childGone;
  });

  it('tells code, signal and the end of stderr', async () => {
    const failed = await BoundProcess.start('sh', ['-c', 'echo no such board >&2; exit 3'], 0);
    expect(await failed.exited).toEqual({
      code: 3,
      signal: undefined,
      stderr: 'no such board\n',
      killed: false,
    });
    const killed = await BoundProcess.start('sleep', ['600'], 0);
    killed.kill();
    expect(await killed.exited).toMatchObject({ code: undefined, signal: 'SIGKILL', killed: true });
    killed.kill();
  });

  it('keeps the last 16 KiB of stderr', async () => {
    const noisy = await BoundProcess.start('sh', ['-c', 'seq 1 100000 >&2'], 0);
    const { stderr } = await noisy.exited;
    expect(stderr).toHaveLength(16 * 1024);
    expect(stderr).toMatch(/\n100000\n$/);
  });

  it('joins the child by channels that go both ways', async () => {
    const echo = await BoundProcess.start('sh', ['-c', 'read -r line <&4; echo "got $line" >&4'], 2);
    echo.channels[1]?.write('a line\n');
    const [chunk] = (await once(echo.channels[1]!, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('got a line\n');
    await echo.exited;
  });

  it('hands on arguments as they are', async () => {
    const words = ['a b', '$HOME', '', "it's", '--'];
    const said = await BoundProcess.start('sh', ['-c', 'printf "%s|" "$@" >&2', 'sh', ...words], 0);
    expect((await said.exited).stderr).toBe(`${words.join('|')}|`);
  });

  it('names the program that is missing', async () => {
    await expect(BoundProcess.start('qemu-system-pdp11', [], 0)).rejects.toMatchObject({
      code: 'program-missing',
      exitStatus: 3,
      message: 'qemu-system-pdp11 is not installed, or not on PATH',
    });
  });
});
