import { execa } from 'execa';

/** One thing that hmmdiff needs from the host, and the Debian packages that bring it. */
export interface Requirement {
  /** What it is for, in a few words. */
  purpose: string;
  packages: readonly string[];
  /** Commands that must be on PATH, or headers that the host's compiler must find. */
  commands?: readonly string[];
  headers?: readonly string[];
  /** Without it things only take longer. */
  optional?: boolean;
}

export const requirements: readonly Requirement[] = [
  {
    purpose: 'building kernels',
    packages: [
      'build-essential',
      'flex',
      'bison',
      'bc',
      'cpio',
      'rsync',
      'kmod',
      'python3-minimal',
      'perl-base',
    ],
    commands: ['gcc', 'make', 'flex', 'bison', 'bc', 'cpio', 'perl'],
  },
  {
    purpose: 'building kernels (objtool, certificates)',
    packages: ['libelf-dev', 'libssl-dev'],
    headers: ['gelf.h', 'openssl/ssl.h'],
  },
  process.arch === 'arm64'
    ? {
        purpose: 'building for x86_64',
        packages: ['gcc-x86-64-linux-gnu', 'libc6-dev-amd64-cross'],
        commands: ['x86_64-linux-gnu-gcc'],
      }
    : {
        purpose: 'building for aarch64',
        packages: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
        commands: ['aarch64-linux-gnu-gcc'],
      },
  { purpose: 'x86_64 guests', packages: ['qemu-system-x86'], commands: ['qemu-system-x86_64'] },
  {
    purpose: 'aarch64 guests',
    packages: ['qemu-system-arm', 'device-tree-compiler'],
    commands: ['qemu-system-aarch64', 'fdtput'],
  },
  {
    purpose: 'sources and packages',
    packages: ['git', 'xz-utils', 'dpkg', 'debian-archive-keyring'],
    commands: ['git', 'xz', 'dpkg-deb'],
  },
  { purpose: 'locks and process guards', packages: ['util-linux'], commands: ['flock', 'setpriv'] },
  {
    purpose: 'compile check for powerpc',
    packages: ['gcc-powerpc64le-linux-gnu'],
    commands: ['powerpc64le-linux-gnu-gcc'],
    optional: true,
  },
  { purpose: 'faster rebuilds', packages: ['ccache'], commands: ['ccache'], optional: true },
];

export interface Finding {
  requirement: Requirement;
  /** Commands and headers that are not there; empty when all is well. */
  missing: string[];
}

/** Looks for every requirement on this host. */
export async function checkRequirements(): Promise<Finding[]> {
  return Promise.all(
    requirements.map(async (requirement) => {
      const { commands = [], headers = [] } = requirement;
      const missing = [
        ...(await filterAsync(
          commands,
          async (command) => !(await succeeds('sh', ['-c', `command -v ${command}`])),
        )),
        ...(await filterAsync(headers, async (header) => !(await hasHeader(header)))),
      ];
      return { requirement, missing };
    }),
  );
}

/** Debian packages that the findings ask for. */
export function missingPackages(findings: readonly Finding[]): string[] {
  const packages = findings
    .filter(({ missing }) => missing.length > 0)
    .flatMap(({ requirement }) => requirement.packages);
  return [...new Set(packages)];
}

function hasHeader(header: string): Promise<boolean> {
  return succeeds('gcc', ['-E', '-x', 'c', '-'], `#include <${header}>\n`);
}

async function succeeds(command: string, args: string[], input = ''): Promise<boolean> {
  const { exitCode } = await execa(command, args, { reject: false, input });
  return exitCode === 0;
}

async function filterAsync(
  items: readonly string[],
  test: (item: string) => Promise<boolean>,
): Promise<string[]> {
  const verdicts = await Promise.all(items.map(test));
  return items.filter((_, index) => verdicts[index]);
}
