import { mkdir, statfs } from 'node:fs/promises';
import { infrastructureError } from './errors.ts';

const GiB = 1024 ** 3;

/**
 * Refuses early when the file system of `directory` has less than `bytes` free: a full disk in the middle of a build
 * costs minutes and is reported by whatever happens to write next.
 *
 * @throws HmmdiffError `disk` (exit status 3).
 */
export async function requireFreeSpace(directory: string, bytes: number, what: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free < bytes) {
    throw infrastructureError(
      'disk',
      `${what} needs ${(bytes / GiB).toFixed(1)} GiB in ${directory}, but only ${(free / GiB).toFixed(1)} GiB are free`,
      {
        hint: 'Free some space, run "hmmdiff clean", or set XDG_CACHE_HOME to a larger disk.',
      },
    );
  }
}
