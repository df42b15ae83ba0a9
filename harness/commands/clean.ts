import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { run } from '../exec.ts';
import { withLock } from '../lock.ts';
import { cachePaths } from '../paths.ts';

/** Parts of the cache by how dear they are to make again, cheapest first. */
const PARTS = {
  objects: ['work'],
  kernels: ['kernels', 'userland'],
  sources: ['sources', 'apt'],
} as const;

interface CleanOptions {
  all?: boolean;
  dryRun?: boolean;
}

export function cleanCommand(signal: AbortSignal): Command {
  return new Command('clean')
    .description('remove what hmmdiff keeps between runs')
    .argument('[parts...]', `${Object.keys(PARTS).join(', ')} (default: objects)`)
    .option('--all', 'the whole cache')
    .option('--dry-run', 'only tell what would be removed')
    .addHelpText(
      'after',
      `
objects   outputs of kernel builds: only cost time when a kernel is built again
kernels   finished kernels and guest images
sources   kernel trees and downloaded packages

Examples:
  hmmdiff clean
  hmmdiff clean objects kernels
  hmmdiff clean --all --dry-run`,
    )
    .action(async (names: string[], options: CleanOptions, command: Command) => {
      const parts = options.all ? Object.keys(PARTS) : names.length > 0 ? names : ['objects'];
      const unknown = parts.filter((name) => !(name in PARTS));
      if (unknown.length > 0)
        command.error(`error: unknown part: ${unknown.join(', ')} (${Object.keys(PARTS).join(', ')})`);
      const cache = cachePaths();
      for (const part of parts as (keyof typeof PARTS)[]) {
        for (const room of PARTS[part]) {
          const directory = cache[room];
          const size = await sizeOf(directory);
          if (size === undefined) continue;
          process.stdout.write(`${options.dryRun ? 'would remove' : 'removing'} ${directory} (${size})\n`);
          if (!options.dryRun) await removeUnused(directory, cache.locks, signal);
        }
      }
    });
}

/** Takes the lock of each build first: what another run is at work on is waited for. */
async function removeUnused(directory: string, locks: string, signal: AbortSignal): Promise<void> {
  for (const name of await readdir(directory)) {
    await withLock(
      join(locks, `build-${name}`),
      () => rm(join(directory, name), { recursive: true, force: true }),
      {
        signal,
        onWait: () => process.stderr.write(`${name} is in use; waiting\n`),
      },
    );
  }
}

async function sizeOf(directory: string): Promise<string | undefined> {
  const { stdout, exitCode } = await run('clean', 'du', ['--summarize', '--human-readable', directory], {
    reject: false,
  });
  return exitCode === 0 ? stdout.split('\t')[0] : undefined;
}
