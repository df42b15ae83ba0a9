import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { requireFreeSpace } from '../disk.ts';
import { inputError } from '../errors.ts';
import type { RunEvents } from '../events.ts';
import { run } from '../exec.ts';
import { withLock } from '../lock.ts';
import type { CachePaths } from '../paths.ts';
import { DebianArchive, unpackLinuxSource } from './debian.ts';
import type { DebianSource, GitSource, KernelSpec } from './registry.ts';
import { kernelRelease } from './tree.ts';

/** An unmodified kernel tree on disk. Never written to. */
export interface SourceTree {
  directory: string;
  /** Changes whenever the content does. */
  key: string;
  /** The Makefile's release, such as `7.3.4`. */
  release: string;
  /** Where it came from, for the verdict: package and version, commit, or directory. */
  origin: string;
}

export interface SourceContext {
  cache: CachePaths;
  events: RunEvents;
  signal?: AbortSignal | undefined;
}

/**
 * Brings the source of a kernel onto the disk, once per version.
 *
 * @throws HmmdiffError exit status 2 when there is no such package, revision or tree, 3 for network and disk.
 */
export async function fetchSource(spec: KernelSpec, context: SourceContext): Promise<SourceTree> {
  const { source } = spec;
  if ('debian' in source) return debianTree(spec.name, source, context);
  if ('git' in source) return gitTree(spec.name, source, context);
  const release = await kernelRelease(source.directory);
  return {
    directory: source.directory,
    key: await directoryKey(source.directory),
    release,
    origin: source.directory,
  };
}

async function debianTree(name: string, source: DebianSource, context: SourceContext): Promise<SourceTree> {
  const { cache, events, signal } = context;
  return events.task(`source ${name}`, `Source of ${name}`, async (report) => {
    // The package is architecture-independent; amd64's list has it on every host.
    const archive = new DebianArchive(cache, 'amd64', source.suite, signal);
    const wanted = source.version;
    const pinned = wanted && join(cache.sources, `${source.debian}_${wanted}`);
    let pkg = { name: source.debian, version: wanted ?? '' };
    if (!pinned || !existsSync(pinned)) {
      pkg = await archive.candidate(source.debian);
      if (wanted && wanted !== pkg.version) {
        events.note(`${source.debian} ${wanted} is gone from ${source.suite}; using ${pkg.version} instead`);
      }
    }
    const directory = join(cache.sources, `${pkg.name}_${pkg.version}`);
    if (existsSync(directory)) report.status = 'cached';
    else {
      await withLock(
        join(cache.locks, `source-${pkg.name}_${pkg.version}`),
        () =>
          unpackLinuxSource(archive, pkg, directory, {
            signal,
            progress: (percent) => report.progress(percent, 100, '% downloaded'),
          }),
        { signal },
      );
    }
    report.detail = `${pkg.name} ${pkg.version}`;
    return {
      directory,
      key: `${pkg.name}_${pkg.version}`,
      release: await kernelRelease(directory),
      origin: `${pkg.name} ${pkg.version} (${source.suite})`,
    };
  });
}

async function gitTree(name: string, source: GitSource, context: SourceContext): Promise<SourceTree> {
  const { cache, events, signal } = context;
  return events.task(`source ${name}`, `Source of ${name}`, async (report) => {
    const repository = existsSync(source.git) ? source.git : join(cache.sources, 'fetched.git');
    if (repository !== source.git) {
      await mkdir(repository, { recursive: true });
      await run('git', 'git', ['init', '--quiet', '--bare', repository], {
        signal,
      });
      await run('git', 'git', ['-C', repository, 'fetch', '--depth=1', '--', source.git, source.revision], {
        signal,
        hint: `Could not fetch ${source.revision} from ${source.git}: check the revision, the URL and the network.`,
      });
    }
    const revision = repository === source.git ? source.revision : 'FETCH_HEAD';
    const parsed = await run(
      'git',
      'git',
      ['-C', repository, 'rev-parse', '--verify', `${revision}^{commit}`],
      {
        reject: false,
        signal,
      },
    );
    if (parsed.exitCode !== 0) {
      throw inputError('git-revision', `${source.git} has no commit "${source.revision}"`, {
        hint: 'Correct `revision` in kernels.yaml, or fetch it into that repository.',
      });
    }
    const commit = parsed.stdout.trim();
    const directory = join(cache.sources, `git_${commit}`);
    if (existsSync(directory)) report.status = 'cached';
    else {
      await withLock(
        join(cache.locks, `source-git_${commit}`),
        () => archiveCommit(repository, commit, directory, signal),
        {
          signal,
        },
      );
    }
    const described = `${source.git} ${commit.slice(0, 12)} (${source.revision})`;
    report.detail = described;
    return {
      directory,
      key: `git_${commit}`,
      release: await kernelRelease(directory),
      origin: described,
    };
  });
}

async function archiveCommit(repository: string, commit: string, directory: string, signal?: AbortSignal) {
  if (existsSync(directory)) return;
  await requireFreeSpace(join(directory, '..'), 4 * 1024 ** 3, `The tree of commit ${commit.slice(0, 12)}`);
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const archive = execa('git', ['-C', repository, 'archive', '--format=tar', commit], {
    buffer: false,
    cancelSignal: signal,
  });
  await archive.pipe('tar', ['--extract', '--directory', partial]);
  await rename(partial, directory);
}

/**
 * Identity of a directory that may change under us: the commit and every uncommitted change in a git work tree,
 * elsewhere the name, size and time of each file.
 */
async function directoryKey(directory: string): Promise<string> {
  const hash = createHash('sha256').update(directory);
  const git = (...args: string[]) =>
    run('git', 'git', ['-C', directory, ...args], {
      reject: false,
      maxBuffer: 2 ** 30,
    });
  const head = await git('rev-parse', '--verify', 'HEAD');
  const top = await git('rev-parse', '--show-prefix');
  if (head.exitCode === 0 && top.stdout.trim() === '') {
    hash.update(head.stdout).update((await git('diff', '--binary', 'HEAD')).stdout);
    const untracked = (await git('ls-files', '--others', '--exclude-standard', '-z')).stdout
      .split('\0')
      .filter(Boolean);
    if (untracked.length > 0) {
      hash.update(
        (
          await run('git', 'git', ['hash-object', '--stdin-paths'], {
            cwd: directory,
            input: `${untracked.join('\n')}\n`,
          })
        ).stdout,
      );
      hash.update(untracked.join('\0'));
    }
  } else {
    const listing = await run('tree', 'find', ['.', '-type', 'f', '-printf', '%P %s %T@\\n'], {
      cwd: directory,
      maxBuffer: 2 ** 30,
    });
    hash.update(listing.stdout.split('\n').sort().join('\n'));
  }
  return `dir_${hash.digest('hex').slice(0, 20)}`;
}
