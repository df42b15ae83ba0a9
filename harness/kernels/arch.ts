import { ARCHITECTURES, type Arch } from '../../qemu/machine.ts';
import { inputError } from '../errors.ts';
import type { DebianArch } from './debian.ts';

export type { Arch };
export const architectures = ARCHITECTURES;

/** What building a kernel and guest programs for one architecture takes, on a Debian host. */
export interface ArchBuild {
  /** `ARCH=` of Kbuild. */
  kbuildArch: string;
  /** Prefix of the GNU tools, also the one with which a native compiler answers. */
  toolPrefix: string;
  debian: DebianArch;
  /** Make targets, and the bootable image relative to the output directory. */
  targets: readonly string[];
  image: string;
  /** Packages with the compiler and libc headers when the host is of another architecture. */
  crossPackages: readonly string[];
  /** Objects that a build with our config compiles (7.3): a first guess for the progress, replaced by experience. */
  expectedObjects: number;
}

export const archBuilds: Record<Arch, ArchBuild> = {
  x86_64: {
    kbuildArch: 'x86_64',
    toolPrefix: 'x86_64-linux-gnu-',
    debian: 'amd64',
    targets: ['vmlinux', 'modules'],
    image: 'vmlinux',
    crossPackages: ['gcc-x86-64-linux-gnu', 'libc6-dev-amd64-cross'],
    expectedObjects: 900,
  },
  aarch64: {
    kbuildArch: 'arm64',
    toolPrefix: 'aarch64-linux-gnu-',
    debian: 'arm64',
    targets: ['Image', 'modules'],
    image: 'arch/arm64/boot/Image',
    crossPackages: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
    expectedObjects: 800,
  },
};

/** @throws HmmdiffError `arch` for an architecture that hmmdiff has no machine for. */
export function parseArch(name: string): Arch {
  const alias: Record<string, Arch> = {
    amd64: 'x86_64',
    x86: 'x86_64',
    arm64: 'aarch64',
  };
  const arch = architectures.find((known) => known === name) ?? alias[name];
  if (arch) return arch;
  throw inputError('arch', `--arch ${name}: unknown architecture`, {
    hint: `Known: ${architectures.join(', ')}.`,
  });
}
