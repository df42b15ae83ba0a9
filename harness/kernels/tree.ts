import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { inputError } from '../errors.ts';

/** Files that make a directory a kernel tree that hmmdiff can test, with what their absence means. */
const landmarks: [file: string, meaning: string][] = [
  ['Makefile', 'it has no Makefile'],
  ['Kconfig', 'it has no Kconfig'],
  ['lib/test_hmm.c', 'it has no lib/test_hmm.c (5.8 or later has)'],
  [
    'tools/testing/selftests/mm/hmm-tests.c',
    'it has no tools/testing/selftests/mm/hmm-tests.c (6.3 or later has)',
  ],
];

/**
 * The release that a kernel tree's Makefile states, such as `7.3.4`.
 *
 * @throws HmmdiffError `kernel-tree` (exit status 2) when `directory` is no kernel tree, or one that was built
 * in place, from which Kbuild refuses to build elsewhere.
 */
export async function kernelRelease(directory: string): Promise<string> {
  for (const [file, meaning] of landmarks) {
    if (!(await stat(join(directory, file)).catch(() => undefined))) {
      throw inputError('kernel-tree', `${directory} is not a kernel tree that can be tested: ${meaning}`, {
        hint: 'Give the top directory of a Linux source tree, or a kernel name from kernel-configs/kernels.yaml.',
      });
    }
  }
  const makefile = await readFile(join(directory, 'Makefile'), 'utf8');
  const value = (name: string) => new RegExp(`^${name} *= *(.*)$`, 'm').exec(makefile)?.[1]?.trim() ?? '';
  if (!/^\d+$/.test(value('VERSION')) || !/^\d+$/.test(value('PATCHLEVEL'))) {
    throw inputError(
      'kernel-tree',
      `${directory}/Makefile states no VERSION and PATCHLEVEL of a Linux kernel`,
    );
  }
  for (const file of ['.config', 'include/config', `include/generated`]) {
    if (await stat(join(directory, file)).catch(() => undefined)) {
      throw inputError('kernel-tree', `${directory} was built in place (it has ${file})`, {
        hint: 'Kbuild then refuses to build elsewhere. Run "make mrproper" there, or give a clean clone or worktree.',
      });
    }
  }
  const sublevel = value('SUBLEVEL') || '0';
  return `${value('VERSION')}.${value('PATCHLEVEL')}.${sublevel}${value('EXTRAVERSION')}`;
}
