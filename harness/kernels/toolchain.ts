import { execa } from 'execa';
import { infrastructureError } from '../errors.ts';
import { type Arch, archBuilds } from './arch.ts';

/** A compiler that builds for one architecture. */
export interface Toolchain {
  arch: Arch;
  /** `CROSS_COMPILE=`; empty on a host of the same architecture without prefixed tools. */
  prefix: string;
  /** First line of `gcc --version`: part of a build's identity. */
  version: string;
  /** True when ccache is there to be put before the compiler. */
  ccache: boolean;
}

const hostArch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string];

/** @throws HmmdiffError `compiler` (exit status 3) that names the missing Debian packages. */
export async function findToolchain(arch: Arch): Promise<Toolchain> {
  const build = archBuilds[arch];
  const prefixes = arch === hostArch ? ['', build.toolPrefix] : [build.toolPrefix];
  for (const prefix of prefixes) {
    const version = await firstLine(`${prefix}gcc`);
    if (version)
      return {
        arch,
        prefix,
        version,
        ccache: (await firstLine('ccache')) !== undefined,
      };
  }
  const packages = arch === hostArch ? ['gcc', 'libc6-dev'] : build.crossPackages;
  throw infrastructureError('compiler', `no compiler for ${arch}: ${prefixes.at(-1)}gcc is not installed`, {
    hint: `Run "hmmdiff doctor --install", or: apt-get install ${packages.join(' ')}`,
  });
}

async function firstLine(command: string): Promise<string | undefined> {
  const { stdout, exitCode } = await execa(command, ['--version'], {
    reject: false,
  });
  return exitCode === 0 ? stdout.split('\n', 1)[0] : undefined;
}
