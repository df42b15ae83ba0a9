import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { withLock } from '../../harness/lock.ts';
import { repositoryRoot } from '../../harness/paths.ts';
import { temporaryDirectory } from './temporary.ts';

it('lets one run in at a time, and tells the other that it waits', async () => {
  const file = join(await temporaryDirectory(), 'locks', 'a');
  const order: string[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const entered = new Promise<void>((resolve) => {
    void withLock(file, async () => {
      resolve();
      await held;
      order.push('first');
    });
  });
  await entered;
  await withLock(file, async () => order.push('second'), {
    onWait: () => {
      order.push('waits');
      release();
    },
  });
  expect(order).toEqual(['waits', 'first', 'second']);
});

it('is free again when its holder was killed without a chance to let go', async () => {
  const file = join(await temporaryDirectory(), 'a');
  const holder = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      '--eval',
      `const { withLock } = await import('./harness/lock.ts'); withLock(${JSON.stringify(file)}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1000)); });`,
    ],
    { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(() => void holder.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: holder.stdout }), 'line');
  expect(line).toBe('held');
  let waited = false;
  await withLock(file, async () => expect(waited).toBe(true), {
    onWait: () => {
      waited = true;
      holder.kill('SIGKILL');
    },
  });
});

it('is let go by a wait that is aborted', async () => {
  const file = join(await temporaryDirectory(), 'a');
  await withLock(file, async () => {
    const abort = new AbortController();
    const waiting = withLock(file, async () => {}, {
      signal: abort.signal,
      onWait: () => abort.abort(new Error('enough')),
    });
    await expect(waiting).rejects.toThrow('enough');
  });
});
