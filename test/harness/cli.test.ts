import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { repositoryRoot } from '../../harness/paths.ts';
import { temporaryDirectory } from './temporary.ts';

const hmmdiff = join(repositoryRoot, 'harness/bin/hmmdiff.mjs');

/** Runs the command as a user does; `cache` is where it keeps things. */
async function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  const cache = env.XDG_CACHE_HOME ?? (await temporaryDirectory());
  const { exitCode, stdout, stderr } = await execa(process.execPath, [hmmdiff, ...args], {
    cwd: await temporaryDirectory(),
    env: { NO_COLOR: '1', ...env, XDG_CACHE_HOME: cache },
    reject: false,
  });
  return { exitCode, stdout, stderr, cache };
}

/** Looks like a kernel tree, as far as anything looks before it builds. */
async function fakeTree(): Promise<string> {
  const tree = join(await temporaryDirectory(), 'linux');
  const files = {
    Makefile: 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n',
    Kconfig: '',
    'lib/test_hmm.c': '',
    'lib/test_hmm_uapi.h': '',
    'tools/testing/selftests/mm/hmm-tests.c': '',
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(tree, name, '..'), { recursive: true });
    await writeFile(join(tree, name), content);
  }
  return tree;
}

/** An error fits on a screen, names what is wrong and the way out, and is no stack trace. */
function expectPlainError(stderr: string, ...parts: (string | RegExp)[]): void {
  for (const part of parts) expect(stderr).toMatch(part);
  expect(stderr).toMatch(/^→ /m);
  expect(stderr.split('\n').length).toBeLessThan(24);
  expect(stderr).not.toMatch(/^\s+at .*\.ts:\d+/m);
}

describe('help', () => {
  it.each(['', 'run', 'build', 'doctor', 'shell', 'clean', 'bench'])(
    'of "%s" has examples',
    async (command) => {
      const { exitCode, stdout } = await run([...(command ? [command] : []), '--help']);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/Examples?:\n {2}hmmdiff /);
    },
  );
});

it('has no colours where there is no terminal, not even in CI', async () => {
  const { stderr } = await run(['run', '--kernel', 'nothing'], { CI: 'true', NO_COLOR: undefined });
  expect(stderr).toMatch(/^error /);
  const { stdout } = await run(['doctor'], { CI: 'true', NO_COLOR: undefined });
  expect(stdout).toMatch(/^ok /m);
});

describe('bad usage and input end with status 2', () => {
  it('when an option is unknown', async () => {
    const { exitCode, stderr } = await run(['run', '--nonsense']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("unknown option '--nonsense'");
  });

  it('when the architecture is unknown', async () => {
    const { exitCode, stderr } = await run(['run', '--arch', 'sparc']);
    expect(exitCode).toBe(2);
    expectPlainError(stderr, 'sparc', 'x86_64, aarch64');
  });

  it('when a number is none', async () => {
    const { exitCode, stderr } = await run(['run', '--programs', 'many']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("'--programs <n>' argument 'many' is invalid");
  });

  it('when a word for the kernel command line is several', async () => {
    const { exitCode, stderr } = await run(['run', '--append', 'quiet nosmp']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("'--append <word>' argument 'quiet nosmp' is invalid");
  });

  it('when the kernel is neither a name nor a directory', async () => {
    const { exitCode, stderr } = await run(['run', '--kernel', 'linux-0.99']);
    expect(exitCode).toBe(2);
    expectPlainError(stderr, 'linux-0.99', 'debian-7.3');
  });

  it('when the directory is no kernel tree', async () => {
    const { exitCode, stderr } = await run(['run', '--kernel', await temporaryDirectory()]);
    expect(exitCode).toBe(2);
    expectPlainError(stderr, /is not a kernel tree .*Makefile/);
  });

  it('when the tree was built in place', async () => {
    const tree = await fakeTree();
    await writeFile(join(tree, '.config'), '');
    const { exitCode, stderr } = await run(['build', '--kernel', tree]);
    expect(exitCode).toBe(2);
    expectPlainError(stderr, 'was built in place', 'make mrproper');
  });

  it('when the series is unknown', async () => {
    const { exitCode, stderr } = await run(['run', '--series', 'v99']);
    expect(exitCode).toBe(2);
    expectPlainError(stderr, 'v99');
  });
});

describe('a host that lacks something ends with status 3', () => {
  it('when the cross compiler is missing', async () => {
    const bin = await temporaryDirectory();
    for (const tool of ['env', 'find', 'git', 'sh', 'flock'])
      await symlink(`/usr/bin/${tool}`, join(bin, tool));
    const { exitCode, stderr, cache } = await run(
      ['build', '--arch', 'aarch64', '--kernel', await fakeTree()],
      {
        PATH: bin,
      },
    );
    expect(exitCode).toBe(3);
    expectPlainError(stderr, 'no compiler for aarch64', 'hmmdiff doctor --install');
    expect(await readdir(cache).catch(() => [])).toEqual([]);
  });

  it('when the archive cannot be reached, and nothing is left that a next run would trust', async () => {
    const config = join(await temporaryDirectory(), 'apt.conf');
    const nowhere = 'http://127.0.0.1:9';
    await writeFile(
      config,
      `Acquire::http::Proxy "${nowhere}"; Acquire::https::Proxy "${nowhere}"; Acquire::Retries "0";\n`,
    );
    const { exitCode, stderr, cache } = await run(['build', '--arch', 'x86_64'], { APT_CONFIG: config });
    expect(exitCode).toBe(3);
    expectPlainError(stderr, 'apt-get', 'Check the network');
    expect(await readdir(join(cache, 'hmmdiff/sources')).catch(() => [])).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)('when the disk is full', async () => {
    const disk = await temporaryDirectory();
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    onTestFinished(async () => {
      await execa('umount', [disk]);
    });
    const { exitCode, stderr } = await run(['build', '--arch', 'x86_64', '--kernel', await fakeTree()], {
      XDG_CACHE_HOME: disk,
    });
    expect(exitCode).toBe(3);
    expectPlainError(stderr, /needs 3\.0 GiB .* only 0\.0 GiB are free/, 'hmmdiff clean');
  });
});
