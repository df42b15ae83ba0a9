import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this code runs from. */
export const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));
export const kernelConfigsDir = join(repositoryRoot, 'kernel-configs');
export const guestSourceDir = join(repositoryRoot, 'qemu', 'guest');

/** Root of everything that hmmdiff keeps between runs: `$XDG_CACHE_HOME/hmmdiff`, by default `~/.cache/hmmdiff`. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hmmdiff');
}

/** The rooms of the cache. `work` may be deleted at any time without losing a result. */
export interface CachePaths {
  root: string;
  /** Private apt state and downloaded packages. */
  apt: string;
  /** Unpacked kernel trees, one per package version, git commit or series. */
  sources: string;
  /** Kbuild output directories, kept for incremental builds. */
  work: string;
  /** Finished kernels, by content. */
  kernels: string;
  /** Guest user space: unpacked packages and base initramfs images. */
  userland: string;
  locks: string;
}

export function cachePaths(root = cacheRoot()): CachePaths {
  return {
    root,
    apt: join(root, 'apt'),
    sources: join(root, 'sources'),
    work: join(root, 'work'),
    kernels: join(root, 'kernels'),
    userland: join(root, 'userland'),
    locks: join(root, 'locks'),
  };
}
