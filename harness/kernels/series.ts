import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { requireFreeSpace } from '../disk.ts';
import { inputError } from '../errors.ts';
import { run } from '../exec.ts';
import { withLock } from '../lock.ts';
import { kernelConfigsDir } from '../paths.ts';
import { readYamlFile } from '../yaml-file.ts';
import type { Design } from './registry.ts';
import type { SourceContext, SourceTree } from './source.ts';

/** Optional series.yaml beside the patches. */
const seriesFileSchema = z.strictObject({
  /** Design of a tree with the series applied. */
  design: z.enum(['pfn', 'offset']),
  /** Kernel of kernels.yaml that the series is written for; the default of `--kernel`. */
  kernel: z.string(),
  /** Series that is applied first: the name of one beside this, or a directory, relative to this one. */
  after: z.string().min(1).optional(),
});

export interface Series {
  name: string;
  directory: string;
  /** Absolute paths, in order of their names; without those of `after`. */
  patches: string[];
  design?: Design;
  kernel?: string;
  /** What these patches are made for, beyond the kernel. */
  after?: Series;
}

const seriesRoot = join(kernelConfigsDir, 'series');

/**
 * Finds the series that `--series` names: a directory of kernel-configs/series, or any directory with *.patch files;
 * with it the series that it comes after.
 *
 * @throws HmmdiffError `series` (exit status 2).
 */
export function findSeries(name: string): Promise<Series> {
  return find(name, process.cwd(), `--series ${name}`, []);
}

/**
 * @param from directory that a relative path in `name` starts at
 * @param asked how messages call the wish for it
 * @param later directories of the series that come after it
 */
async function find(name: string, from: string, asked: string, later: readonly string[]): Promise<Series> {
  const known = join(seriesRoot, name);
  const directory = /^[\w.-]+$/.test(name) && existsSync(known) ? known : resolve(from, name);
  if (later.includes(directory)) {
    throw inputError('series', `${asked}: that series comes after this one`, {
      hint: `The keys "after" of series.yaml lead in a circle: ${[...later, directory].map((one) => basename(one)).join(', ')}.`,
    });
  }
  if (!(await stat(directory).catch(() => undefined))?.isDirectory()) {
    const names = (await readdir(seriesRoot, { withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    throw inputError('series', `${asked}: neither a series of ${seriesRoot} nor a directory`, {
      hint: names.length > 0 ? `Known series: ${names.join(', ')}.` : 'Give a directory with *.patch files.',
    });
  }
  const patches = (await readdir(directory)).filter((file) => file.endsWith('.patch')).sort();
  if (patches.length === 0) {
    throw inputError('series', `${asked}: ${directory} has no *.patch file`, {
      hint: 'Write the series with "git format-patch -o DIR BASE..".',
    });
  }
  const file = join(directory, 'series.yaml');
  const { after, ...about } = existsSync(file)
    ? await readYamlFile(file, seriesFileSchema)
    : ({} as Partial<z.output<typeof seriesFileSchema>>);
  return {
    name: basename(directory),
    directory,
    patches: patches.map((patch) => join(directory, patch)),
    ...about,
    ...(after === undefined
      ? {}
      : { after: await find(after, directory, `${file}: after: ${after}`, [...later, directory]) }),
  };
}

/** What `--series` takes for it, from any working directory. */
export function nameOrPath({ name, directory }: Series): string {
  return dirname(directory) === seriesRoot ? name : directory;
}

/**
 * A copy of `kernel` with every patch of `series` applied, after those of the series that it builds on; made once per
 * content. Files that no patch touches are hard links to the base.
 *
 * @throws HmmdiffError `series-apply` (exit status 2) naming patch, file and hunk; nothing is left behind then.
 */
export async function applySeries(
  kernel: SourceTree,
  series: Series,
  context: SourceContext,
): Promise<SourceTree> {
  const base = series.after ? await applySeries(kernel, series.after, context) : kernel;
  const { cache, events, signal } = context;
  const hash = createHash('sha256').update(base.key);
  for (const patch of series.patches) hash.update(await readFile(patch));
  const key = `${series.name}_${hash.digest('hex').slice(0, 20)}`;
  const directory = join(cache.sources, key);
  const tree = {
    directory,
    key,
    release: base.release,
    origin: `${base.origin} + ${series.name} (${series.patches.length} ${series.patches.length === 1 ? 'patch' : 'patches'})`,
  };
  return events.task(`series ${key}`, `Series ${series.name} on ${base.origin}`, async (report) => {
    report.detail = `${series.patches.length} patches`;
    if (existsSync(directory)) {
      report.status = 'cached';
      return tree;
    }
    await requireFreeSpace(cache.sources, 3 * 1024 ** 3, `A tree with series ${series.name}`);
    return withLock(
      join(cache.locks, `source-${key}`),
      async () => {
        if (existsSync(directory)) return tree;
        const partial = `${directory}.partial`;
        await rm(partial, { recursive: true, force: true });
        try {
          await copyTree(base.directory, partial, signal);
          for (const [index, patch] of series.patches.entries()) {
            report.progress(index, series.patches.length, 'patches');
            await applyPatch(patch, partial, base.origin, signal);
          }
          await rename(partial, directory);
        } finally {
          await rm(partial, { recursive: true, force: true });
        }
        return tree;
      },
      { signal },
    );
  });
}

/** Hard links where the file system allows (our own cache); a user's directory is copied, so that it stays apart. */
async function copyTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
  const sameRoom = dirname(from) === dirname(to);
  await run('copy', 'cp', ['--archive', sameRoom ? '--link' : '--reflink=auto', from, to], {
    signal,
    hint: 'Is the disk full?',
  });
}

async function applyPatch(patch: string, tree: string, base: string, signal?: AbortSignal): Promise<void> {
  // Without a repository around it, `git apply` is a strict patch(1): no fuzz, and it unlinks before it writes.
  const result = await run('git', 'git', ['apply', '--whitespace=nowarn', patch], {
    cwd: tree,
    env: { GIT_CEILING_DIRECTORIES: dirname(tree), GIT_DIR: '/nonexistent' },
    reject: false,
    signal,
  });
  if (result.exitCode === 0) return;
  const failed = /^error: patch failed: (.+):(\d+)$/m.exec(result.stderr);
  const missing = /^error: (.+): No such file or directory$/m.exec(result.stderr);
  const corrupt = /^error: (corrupt patch at line \d+|No valid patches in input.*)$/m.exec(result.stderr);
  const where = failed
    ? `${failed[1]}, ${hunkAt(await readFile(patch, 'utf8'), failed[1]!, Number(failed[2]))}`
    : missing
      ? `${missing[1]}, which this tree does not have`
      : corrupt
        ? corrupt[1]!
        : result.stderr.trim();
  throw inputError('series-apply', `${basename(patch)} does not apply to ${base}: ${where}`, {
    hint: `Rebase the series on this kernel, or name the kernel it was made for with --kernel. Patch: ${patch}`,
  });
}

/** "hunk 3 (@@ -120,7 +120,9 @@ …)" for the hunk of `file` that starts at the old line `line`. */
function hunkAt(patch: string, file: string, line: number): string {
  let inFile = false;
  let hunk = 0;
  for (const text of patch.split('\n')) {
    if (text.startsWith('diff --git ')) {
      inFile = text.endsWith(` b/${file}`);
      hunk = 0;
    }
    const header = /^@@ -(\d+)/.exec(text);
    if (!inFile || !header) continue;
    hunk += 1;
    if (Number(header[1]) === line) return `hunk ${hunk} (${text})`;
  }
  return `the hunk at line ${line}`;
}
