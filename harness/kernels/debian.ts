import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { requireFreeSpace } from '../disk.ts';
import { infrastructureError, inputError } from '../errors.ts';
import { run } from '../exec.ts';
import { withLock } from '../lock.ts';
import type { CachePaths } from '../paths.ts';

/** Debian's names of the architectures. */
export type DebianArch = 'amd64' | 'arm64';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** A package as the archive offers it now. */
export interface DebianPackage {
  name: string;
  version: string;
}

/**
 * Packages of any suite and architecture, through a private apt state: the system's sources, lists and architectures
 * are left alone, only its mirror, proxy settings and keyring are used.
 */
export class DebianArchive {
  /** States whose package lists this process has fetched. */
  private static readonly updated = new Set<string>();

  constructor(
    private readonly cache: CachePaths,
    readonly arch: DebianArch,
    readonly suite: string,
    private readonly signal?: AbortSignal,
  ) {}

  private get state(): string {
    return join(this.cache.apt, `${this.suite}-${this.arch}`);
  }

  private options(): string[] {
    const settings = {
      'Dir::State::Lists': join(this.state, 'lists'),
      'Dir::State::status': join(this.state, 'status'),
      'Dir::Cache': join(this.state, 'cache'),
      'Dir::Etc::SourceList': join(this.state, 'sources.list'),
      'Dir::Etc::SourceParts': '-',
      'Dir::Etc::Preferences': '/dev/null',
      'Dir::Etc::PreferencesParts': '-',
      'APT::Architecture': this.arch,
      'APT::Architectures': this.arch,
      'APT::Sandbox::User': 'root',
      'Acquire::Languages': 'none',
    };
    return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  }

  /** Fetches the suite's package list, once per process. */
  private async update(): Promise<void> {
    if (DebianArchive.updated.has(this.state)) return;
    for (const directory of ['lists/partial', 'cache/archives/partial']) {
      await mkdir(join(this.state, directory), { recursive: true });
    }
    await writeFile(join(this.state, 'status'), '');
    await writeFile(
      join(this.state, 'sources.list'),
      `deb [signed-by=${KEYRING}] ${await systemMirror(this.signal)} ${this.suite} main\n`,
    );
    await run('network', 'apt-get', [...this.options(), 'update', '--error-on=any'], {
      signal: this.signal,
      hint: `Debian's suite "${this.suite}" could not be listed. Check the network, the system's apt sources, and the suite's name.`,
    });
    DebianArchive.updated.add(this.state);
  }

  /**
   * The version that the archive offers of `name`.
   *
   * @throws HmmdiffError `package` (exit status 2) that lists packages of a similar name when there is none.
   */
  async candidate(name: string): Promise<DebianPackage> {
    return this.locked(async () => {
      await this.update();
      const version = await this.newest(name);
      if (version) return { name, version };
      const stem = name.replace(/[0-9.]+$/, '');
      const { stdout } = await run('network', 'apt-cache', [
        ...this.options(),
        'pkgnames',
        ...(stem ? [stem] : []),
      ]);
      const others = stdout.split('\n').filter(Boolean).sort();
      throw inputError('package', `Debian's suite "${this.suite}" has no package "${name}" (${this.arch})`, {
        hint:
          others.length > 0 ? `It has: ${others.slice(0, 20).join(', ')}.` : 'Check the name and the suite.',
      });
    });
  }

  private async newest(name: string): Promise<string | undefined> {
    const { stdout } = await run(
      'network',
      'apt-cache',
      [...this.options(), 'show', '--no-all-versions', name],
      {
        reject: false,
      },
    );
    return /^Version: (.+)$/m.exec(stdout)?.[1];
  }

  /**
   * Downloads packages and unpacks them into one new directory, without running their scripts. apt checks the
   * signatures and sums. The directory appears under its final name only when it is whole.
   *
   * @param progress gets the percentage that was downloaded
   * @returns `destination`
   */
  async unpack(
    packages: readonly string[],
    destination: string,
    progress: (percent: number) => void = () => {},
  ): Promise<string> {
    if (existsSync(destination)) return destination;
    return this.locked(async () => {
      if (existsSync(destination)) return destination;
      await this.update();
      const partial = `${destination}.partial`;
      const downloads = join(this.state, 'downloads');
      await rm(partial, { recursive: true, force: true });
      await rm(downloads, { recursive: true, force: true });
      await mkdir(partial, { recursive: true });
      await mkdir(downloads, { recursive: true });
      try {
        await this.download(packages, downloads, progress);
        for (const file of (await readdir(downloads)).sort()) {
          await run('unpack', 'dpkg-deb', ['--extract', join(downloads, file), partial], {
            signal: this.signal,
          });
        }
        await rename(partial, destination);
        return destination;
      } finally {
        await rm(partial, { recursive: true, force: true });
        await rm(downloads, { recursive: true, force: true });
      }
    });
  }

  /** apt reports on its "status fd" as `dlstatus:PACKAGE:PERCENT:TEXT` (apt's README.progress-reporting). */
  private async download(
    packages: readonly string[],
    directory: string,
    progress: (percent: number) => void,
  ): Promise<void> {
    const apt = execa('apt-get', [...this.options(), '-o', 'APT::Status-Fd=3', 'download', ...packages], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      reject: false,
      cancelSignal: this.signal,
    });
    for await (const line of apt.iterable({ from: 'fd3' })) {
      const percent = /^dlstatus:[^:]*:([\d.]+):/.exec(line)?.[1];
      if (percent !== undefined) progress(Math.round(Number(percent)));
    }
    const { exitCode, stderr } = await apt;
    this.signal?.throwIfAborted();
    if (exitCode !== 0) {
      throw infrastructureError('network', `apt-get cannot download ${packages.join(', ')}:\n${stderr}`, {
        hint: 'Check the network and the free disk space, then run again.',
      });
    }
  }

  private locked<T>(work: () => Promise<T>): Promise<T> {
    return withLock(join(this.cache.locks, `apt-${this.suite}-${this.arch}`), work, { signal: this.signal });
  }
}

/**
 * The Debian mirror that this system's own apt uses.
 *
 * @throws HmmdiffError `no-mirror` when there is none, for example on another distribution.
 */
async function systemMirror(signal?: AbortSignal): Promise<string> {
  const { stdout } = await run('no-mirror', 'apt-get', ['indextargets', '--format', '$(REPO_URI)'], {
    signal,
    hint: 'hmmdiff fetches Debian packages with apt-get; on another system give a kernel tree with --kernel DIR.',
  });
  const uris = [...new Set(stdout.split('\n'))];
  const mirror = uris.find((uri) => /\/debian\/?$/.test(uri));
  if (!mirror) {
    throw infrastructureError('no-mirror', "apt's sources name no Debian mirror", {
      hint: 'Add the Debian archive to /etc/apt/sources.list.d, or give a kernel tree with --kernel DIR.',
    });
  }
  return mirror;
}

/** Unpacks the kernel tree inside a linux-source package to `destination` and returns it. */
export async function unpackLinuxSource(
  archive: DebianArchive,
  pkg: DebianPackage,
  destination: string,
  { signal, progress }: { signal?: AbortSignal | undefined; progress?: (percent: number) => void } = {},
): Promise<string> {
  if (existsSync(destination)) return destination;
  await requireFreeSpace(join(destination, '..'), 5 * 1024 ** 3, `The source of ${pkg.name}`);
  const outer = `${destination}.deb`;
  const partial = `${destination}.partial`;
  await rm(outer, { recursive: true, force: true });
  await archive.unpack([`${pkg.name}=${pkg.version}`], outer, progress);
  try {
    const inside = join(outer, 'usr', 'src');
    const tarball = (await readdir(inside)).find((name) => /^linux-source-.*\.tar\.\w+$/.test(name));
    if (!tarball) {
      throw inputError('package', `${pkg.name} ${pkg.version} holds no usr/src/linux-source-*.tar.*`);
    }
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await run('unpack', 'tar', ['--extract', '--strip-components=1', '--file', join(inside, tarball)], {
      cwd: partial,
      signal,
      hint: 'Is the disk full?',
    });
    await rename(partial, destination);
    return destination;
  } finally {
    await rm(outer, { recursive: true, force: true });
    await rm(partial, { recursive: true, force: true });
  }
}
