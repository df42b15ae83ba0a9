import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { requireFreeSpace } from '../disk.ts';
import { ExitStatus, HmmdiffError, infrastructureError } from '../errors.ts';
import { type Lock, withLock } from '../lock.ts';
import { type Arch, archBuilds } from './arch.ts';
import { configure, fragmentFiles } from './config.ts';
import { type ConfigRequest, formatRequests, readFragments } from './fragment.ts';
import type { SourceContext, SourceTree } from './source.ts';
import { findToolchain, type Toolchain } from './toolchain.ts';

/** A built kernel with what runs on it. All paths are absolute and lie in one directory of the cache. */
export interface KernelBuild {
  key: string;
  arch: Arch;
  directory: string;
  /** Image that QEMU boots: vmlinux (PVH) or Image. */
  image: string;
  /** The kernel's symbols. */
  vmlinux: string;
  /** test_hmm.ko of the same tree. */
  module: string;
  /** Kbuild's output directory. */
  output: string;
  /** Value of each config symbol that is set. */
  config: string;
  tree: SourceTree;
  toolchain: Toolchain;
}

export interface BuildOptions extends SourceContext {
  /** Parallel jobs of make. */
  jobs: number;
  /** Fragments beyond the common and the architecture's: names in kernel-configs or paths. */
  fragments?: readonly string[];
}

/** Counts objects that Kbuild compiles, from its own short log. */
const COMPILED = /^ {2}(CC|AS|CC \[M\]|AS \[M\]|HOSTCC)\s/;

/**
 * Builds the kernel of `tree` for `arch`, or finds it in the cache. The key is made of source, .config, compiler
 * and architecture. A killed build resumes; two runs that want the same build share one.
 *
 * @throws HmmdiffError `config`, `compiler`, `disk`, or `build` (exit status 1: the tree does not compile).
 */
export async function buildKernel(tree: SourceTree, arch: Arch, options: BuildOptions): Promise<KernelBuild> {
  const { cache, events, signal } = options;
  const toolchain = await findToolchain(arch);
  const requests = await readFragments(fragmentFiles(arch, options.fragments));
  const config = await findConfig(tree, arch, toolchain, requests, options);
  const hash = createHash('sha256');
  for (const part of ['build 2', arch, tree.key, toolchain.version, config]) hash.update(part).update('\0');
  const key = `${tree.key.split('_')[0]}-${arch}-${hash.digest('hex').slice(0, 16)}`;
  const directory = join(cache.kernels, key);
  // A directory source keeps one output directory per config, so that an edited file costs one compilation.
  const output = tree.key.startsWith('dir_')
    ? join(cache.work, `dir-${arch}-${sha(tree.directory + config)}`)
    : join(cache.work, key);
  const build: KernelBuild = {
    key,
    arch,
    directory,
    image: join(directory, basename(archBuilds[arch].image)),
    vmlinux: join(directory, 'vmlinux'),
    module: join(directory, 'test_hmm.ko'),
    config: join(directory, 'config'),
    output,
    tree,
    toolchain,
  };
  return events.task(`kernel ${key}`, `Kernel ${tree.release} for ${arch}`, async (report) => {
    report.detail = key;
    if (existsSync(directory)) {
      report.status = 'cached';
      return build;
    }
    await requireFreeSpace(cache.work, 3 * 1024 ** 3, `Building Linux ${tree.release} for ${arch}`);
    return withLock(
      join(cache.locks, `build-${basename(output)}`),
      async (lock) => {
        if (existsSync(directory)) return build;
        const make = makeCommand(tree, arch, output, toolchain);
        await mkdir(output, { recursive: true });
        await writeConfig(join(output, '.config'), config);
        const counted = join(cache.work, `objects-${arch}`);
        const expected = Number(
          await readFile(counted, 'utf8').catch(() => archBuilds[arch].expectedObjects),
        );
        const compiled = await compile(make, build, options, lock, (done) =>
          report.progress(done, Math.max(expected, done), 'objects', true),
        );
        // A resumed build compiles fewer: only a larger count says something about a whole one.
        if (compiled > expected * 0.8) await writeFile(counted, String(compiled));
        await install(build);
        return build;
      },
      { signal, onWait: () => events.note(`another hmmdiff is building ${key}; waiting for it`) },
    );
  });
}

/** The checked .config for the requests; kept, since making it takes seconds and every run needs it for its key. */
async function findConfig(
  tree: SourceTree,
  arch: Arch,
  toolchain: Toolchain,
  requests: readonly ConfigRequest[],
  { cache, signal }: BuildOptions,
): Promise<string> {
  const name = `config-${sha([arch, tree.key, toolchain.version, formatRequests(requests)].join('\0'))}`;
  const file = join(cache.kernels, name);
  if (!existsSync(file)) {
    const output = join(cache.work, name);
    await requireFreeSpace(cache.work, 3 * 1024 ** 3, `Building Linux ${tree.release} for ${arch}`);
    await withLock(
      join(cache.locks, name),
      async () => {
        await rm(output, { recursive: true, force: true });
        await mkdir(output, { recursive: true });
        const make = makeCommand(tree, arch, output, toolchain);
        const config = await configure(tree.directory, output, make, requests, { signal });
        await mkdir(cache.kernels, { recursive: true });
        await writeFile(`${file}.partial`, config);
        await rename(`${file}.partial`, file);
        await rm(output, { recursive: true, force: true });
      },
      { signal },
    );
  }
  return readFile(file, 'utf8');
}

/** Leaves an equal file alone: Kbuild would look at every object again. */
async function writeConfig(file: string, config: string): Promise<void> {
  if ((await readFile(file, 'utf8').catch(() => undefined)) !== config) await writeFile(file, config);
}

/** make with everything but a target; the compiler goes through ccache where that is installed. */
export function makeCommand(
  tree: SourceTree,
  arch: Arch,
  output: string,
  toolchain: Toolchain,
): [string, ...string[]] {
  const { prefix, ccache } = toolchain;
  return [
    'make',
    '-C',
    tree.directory,
    `O=${output}`,
    `ARCH=${archBuilds[arch].kbuildArch}`,
    `CROSS_COMPILE=${prefix}`,
    ...(ccache ? [`CC=ccache ${prefix}gcc`, 'HOSTCC=ccache gcc'] : []),
    // Nothing of the machine goes into the image: the same input gives the same kernel.
    'KBUILD_BUILD_USER=hmmdiff',
    'KBUILD_BUILD_HOST=hmmdiff',
    'KBUILD_BUILD_TIMESTAMP=1970-01-01',
  ];
}

/**
 * make passes a SIGTERM to the shells that it started and not to the makes below them; so the whole group gets it, from
 * a leader that is told by us, or by the kernel when we have died.
 */
const GROUP_LEADER = 'trap "trap - TERM; kill -TERM 0" TERM; "$@" & wait $!';

/** Runs make and returns how many objects it compiled. */
async function compile(
  [command, ...args]: [string, ...string[]],
  build: KernelBuild,
  { jobs, signal }: BuildOptions,
  lock: Lock,
  progress: (objects: number) => void,
): Promise<number> {
  // make holds the lock as well (fd 3): when we are killed, its compilers end before another run starts in `output`.
  const child = spawn(
    'setpriv',
    [
      '--pdeathsig',
      'TERM',
      'sh',
      '-c',
      GROUP_LEADER,
      'sh',
      command,
      ...args,
      `-j${jobs}`,
      ...archBuilds[build.arch].targets,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe', lock.fd],
      detached: true,
      signal,
      killSignal: 'SIGTERM',
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  const ended = once(child, 'close');
  ended.catch(() => {});
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    errors = (errors + chunk).slice(-65536);
  });
  let objects = 0;
  let last = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    if (!COMPILED.test(line)) continue;
    objects += 1;
    if (Date.now() - last > 200) {
      last = Date.now();
      progress(objects);
    }
  }
  const [status] = await ended.catch((cause) => {
    signal?.throwIfAborted();
    throw infrastructureError('build-start', `make cannot be started: ${cause.message}`, {
      hint: 'Run "hmmdiff doctor".',
      cause,
    });
  });
  signal?.throwIfAborted();
  if (status !== 0) throw buildFailure(build, errors);
  return objects;
}

function buildFailure(build: KernelBuild, stderr: string): HmmdiffError {
  if (/No space left on device/.test(stderr)) {
    return infrastructureError(
      'disk',
      `the disk is full: building ${build.tree.origin} for ${build.arch} stopped`,
      {
        hint: 'Free some space or run "hmmdiff clean", then run again: the build resumes.',
      },
    );
  }
  const lines = stderr.trimEnd().split('\n');
  const first = lines.findIndex((line) =>
    /\b(error|fatal error|undefined reference|No rule to make)\b/i.test(line),
  );
  const shown = first < 0 ? lines.slice(-20) : lines.slice(first, first + 20);
  return new HmmdiffError(
    'build',
    ExitStatus.finding,
    `${build.tree.origin} does not compile for ${build.arch}:\n${shown.join('\n')}`,
    { hint: `Objects so far are kept in ${build.output}; correct the tree and run again.` },
  );
}

async function install(build: KernelBuild): Promise<void> {
  const partial = `${build.directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const copy = (from: string, to: string) => copyFile(join(build.output, from), join(partial, to));
  await copy(archBuilds[build.arch].image, basename(build.image));
  if (basename(build.image) !== 'vmlinux') await copy('vmlinux', 'vmlinux');
  await copy('lib/test_hmm.ko', 'test_hmm.ko');
  await copy('.config', 'config');
  await rename(partial, build.directory);
}

function sha(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
