import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ExitStatus, HmmdiffError } from '../errors.ts';
import { run } from '../exec.ts';
import { withLock } from '../lock.ts';
import { guestSourceDir } from '../paths.ts';
import type { KernelBuild } from './build.ts';
import type { SourceContext } from './source.ts';

/** Static programs for the guest, compiled against the headers of the kernel tree under test. */
export interface GuestPrograms {
  agent: string;
  hmmTests: string;
}

/** Companions that hmm-tests.c has needed over time; each tree has some of them. */
const HMM_TESTS_PARTS = ['vm_util.c', 'thp_settings.c', 'hugepage_settings.c'];

/**
 * Compiles the agent and the tree's own hmm-tests, once per kernel, agent source and compiler.
 *
 * @throws HmmdiffError `guest-build` (exit status 1 for hmm-tests, which belongs to the tree).
 */
export async function buildGuestPrograms(build: KernelBuild, context: SourceContext): Promise<GuestPrograms> {
  const { cache, events, signal } = context;
  const sources = (await readdir(guestSourceDir)).filter((name) => /\.[ch]$/.test(name)).sort();
  const hash = createHash('sha256').update(build.key).update(build.toolchain.version);
  for (const name of sources) hash.update(name).update(await readFile(join(guestSourceDir, name)));
  const directory = join(cache.kernels, `${build.key}-programs-${hash.digest('hex').slice(0, 12)}`);
  const programs = { agent: join(directory, 'agent'), hmmTests: join(directory, 'hmm-tests') };
  if (existsSync(directory)) return programs;
  return events.task(`programs ${build.key}`, `Guest programs for ${build.arch}`, () =>
    withLock(
      join(cache.locks, `programs-${build.key}`),
      async () => {
        if (existsSync(directory)) return programs;
        const partial = `${directory}.partial`;
        await rm(partial, { recursive: true, force: true });
        await mkdir(partial, { recursive: true });
        const tree = build.tree.directory;
        const compile = async (what: string, output: string, args: string[]) => {
          const compiler = `${build.toolchain.prefix}gcc`;
          const result = await run(
            'guest-build',
            compiler,
            ['-O2', '-pthread', '-o', join(partial, output), ...args],
            { reject: false, signal },
          );
          if (result.exitCode === 0) return;
          const lines = result.stderr.trimEnd().split('\n').slice(0, 20).join('\n');
          throw new HmmdiffError(
            'guest-build',
            ExitStatus.finding,
            `${what} does not compile for ${build.arch}:\n${lines}`,
          );
        };
        await compile('the guest agent', 'agent', [
          // Where it lies tells qemu/guest/smaps.c where to stop.
          '-static-pie',
          `-I${join(tree, 'lib')}`,
          ...sources.filter((name) => name.endsWith('.c')).map((name) => join(guestSourceDir, name)),
        ]);
        const mm = join(tree, 'tools/testing/selftests/mm');
        const parts = HMM_TESTS_PARTS.map((name) => join(mm, name)).filter((file) => existsSync(file));
        const hmmTests = `hmm-tests of ${build.tree.origin}`;
        const object = join(partial, 'hmm-tests.o');
        const include = ['', 'tools/include/uapi', 'tools/testing/selftests'].map(
          (part) => `-I${join(tree, part)}`,
        );
        await compile(hmmTests, 'hmm-tests.o', [
          '-D_GNU_SOURCE',
          ...include,
          ...['-include', join(guestSourceDir, 'test_limit.h')],
          ...['-c', join(mm, 'hmm-tests.c')],
        ]);
        await compile(hmmTests, 'hmm-tests', ['-static', '-D_GNU_SOURCE', ...include, object, ...parts]);
        await rm(object);
        await rename(partial, directory);
        return programs;
      },
      { signal },
    ),
  );
}
