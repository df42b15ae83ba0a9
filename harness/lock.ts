import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { infrastructureError } from './errors.ts';

/** A held lock. Pass `fd` to a child's stdio and the lock lasts until that child has ended, too. */
export interface Lock {
  readonly fd: number;
}

/**
 * Runs `work` while holding an exclusive lock on `file`; `onWait` is called once when another run holds it.
 *
 * It is a flock(2) on our open file description: flock(1) only takes it for us, through an inherited descriptor.
 * So the kernel releases it however this process ends, SIGKILL included, and nobody has to guess from a time stamp
 * whether a lock is stale.
 *
 * @throws HmmdiffError `lock` when flock cannot run.
 */
export async function withLock<T>(
  file: string,
  work: (lock: Lock) => Promise<T>,
  options: { onWait?: () => void; signal?: AbortSignal | undefined } = {},
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'a');
  const flock = async (...args: string[]): Promise<number | null> => {
    const child = spawn('flock', [...args, '3'], {
      stdio: ['ignore', 'ignore', 'inherit', handle.fd],
      signal: options.signal,
    });
    const [status] = await once(child, 'exit');
    return status;
  };
  try {
    let status = await flock('--nonblock', '--conflict-exit-code', '75');
    if (status === 75) {
      options.onWait?.();
      status = await flock();
    }
    if (status !== 0) throw new Error(`flock ended with status ${status}`);
  } catch (cause) {
    await handle.close();
    options.signal?.throwIfAborted();
    throw infrastructureError('lock', `cannot lock ${file}: ${(cause as Error).message}`, {
      hint: 'flock(1) is in the package util-linux.',
      cause,
    });
  }
  try {
    return await work({ fd: handle.fd });
  } finally {
    await handle.close();
  }
}
