import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { repositoryRoot } from '../../harness/paths.ts';
import { verdictSchema } from '../../harness/report/verdict.ts';
import { temporaryDirectory } from '../harness/temporary.ts';

/** Process ids of all processes whose command line names `text`. */
async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(text)) found.push(Number(name));
  }
  return found;
}

/** A run whose guest is up and busy with programs; `out` stands in the command lines of all that belongs to it. */
async function busyRun(out: string, stdout: 'ignore' | 'pipe' = 'ignore'): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      join(repositoryRoot, 'harness/bin/hmmdiff.mjs'),
      ...['run', '--kernel', 'debian-7.3', '--arch', 'x86_64', '--accel', 'tcg'],
      ...['--suite', 'programs', '--programs', '2000', '--json', '--out', out],
    ],
    { stdio: ['ignore', stdout, 'pipe'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stderr! })) {
    if (/^done Boot/.test(line)) break;
  }
  expect((await processesWith(out)).length).toBeGreaterThan(1);
  return child;
}

describe('an interrupted run', () => {
  it('ends with the status of the signal and leaves no process behind', async () => {
    const out = join(await temporaryDirectory(), 'out');
    const child = await busyRun(out);
    child.kill('SIGINT');
    const ended = once(child, 'exit');
    const stderr = await text(child.stderr!);
    expect(await ended).toEqual([130, null]);
    expect(stderr).toContain(`--resume ${relative('', out)}\n`);
    expect(stderr).not.toContain('FAIL');
    expect(await processesWith(out)).toEqual([]);
    // No verdict stands there that somebody could take for one.
    expect(await readdir(out)).not.toContain('verdict.json');
  });

  it('leaves no process behind when it is killed without warning', async () => {
    const out = join(await temporaryDirectory(), 'out');
    const child = await busyRun(out);
    const [qemu] = (await processesWith(out)).filter((pid) => pid !== child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    // The kernel kills QEMU when its parent dies; /proc loses it once it is reaped.
    await expect.poll(() => processesWith(out), { timeout: 5000 }).toEqual([]);
    expect(qemu).toBeDefined();
  });
});

it('says with status 3 that QEMU died under a run, and does not blame the program', async () => {
  const out = join(await temporaryDirectory(), 'out');
  const child = await busyRun(out, 'pipe');
  const ended = Promise.all([once(child, 'exit'), text(child.stdout!)]);
  const qemu = (await processesWith(join(out, 'debian-7.3-x86_64'))).filter((pid) => pid !== child.pid);
  for (const pid of qemu) process.kill(pid, 'SIGKILL');
  const [[code], stdout] = await ended;
  expect(code).toBe(3);
  const [lane] = verdictSchema.parse(JSON.parse(stdout)).lanes;
  expect(lane).toMatchObject({ ok: false, findings: [], error: { code: 'qemu-lost' } });
  expect(lane?.error?.message).toMatch(/QEMU died of signal SIGKILL/);
});
