import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { infrastructureError } from '../errors.ts';

/** Whether apt can be used here: Debian itself, or a system that says it is like Debian. */
export async function isDebian(file = '/etc/os-release'): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\bdebian\b/m.test(text);
}

/**
 * Installs Debian packages, as root or through sudo; apt's output goes to stderr.
 *
 * @throws HmmdiffError `not-debian`, `not-root`, `install` (exit status 3)
 */
export async function installPackages(packages: readonly string[], signal?: AbortSignal): Promise<void> {
  const command = `apt-get install ${packages.join(' ')}`;
  if (!(await isDebian())) {
    throw infrastructureError(
      'not-debian',
      'this system is not Debian; hmmdiff does not know its package manager',
      {
        hint: `Install what these Debian packages hold: ${packages.join(' ')}`,
      },
    );
  }
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  if (sudo.length > 0 && (await execa('sudo', ['--version'], { reject: false })).exitCode !== 0) {
    throw infrastructureError('not-root', 'installing packages needs root, and sudo is not there', {
      hint: `As root: ${command}`,
    });
  }
  const apt = async (...args: string[]) => {
    const [program, ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args] as [
      string,
      ...string[],
    ];
    const result = await execa(program, rest, {
      stdin: sudo.length > 0 ? 'inherit' : 'ignore',
      stdout: process.stderr,
      stderr: process.stderr,
      reject: false,
      cancelSignal: signal,
    });
    signal?.throwIfAborted();
    return result.exitCode === 0;
  };
  if (
    !(await apt('update', '--quiet')) ||
    !(await apt('install', '--yes', '--quiet', '--no-install-recommends', ...packages))
  ) {
    throw infrastructureError('install', `${command} failed; its output stands above`, {
      hint: 'Check the network and the apt sources, then run again.',
    });
  }
}
