import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findSeries } from '../../../harness/kernels/series.ts';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { loadLibrary } from '../../../harness/programs/load.ts';
import { makeProfile } from '../../../model/profile.ts';
import { ARCHITECTURES } from '../../../qemu/machine.ts';

/** `01-fork-keeps-write` for each HMM_MUTANT_FORK_KEEPS_WRITE of the header that the patch adds, by its number. */
async function seeded(patches: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const patch of patches) {
    for (const [, name, number] of (await readFile(patch, 'utf8')).matchAll(
      /^\+\tHMM_MUTANT_(\w+)(?: = (\d+))?,\t/gm,
    )) {
      names.push(name!);
      // The numbers that the header spells out are those that come by counting.
      if (number !== undefined) expect(Number(number), name).toBe(names.length);
    }
  }
  return names.map(
    (name, index) => `${String(index + 1).padStart(2, '0')}-${name.toLowerCase().replaceAll('_', '-')}`,
  );
}

describe('offset-mutants', async () => {
  const series = await findSeries('offset-mutants');
  const mutants = await seeded(series.patches);
  const programs = await loadLibrary(join(series.directory, 'programs'));

  it('comes after offset, and has the bugs that its README lists', async () => {
    expect(series.after?.name).toBe('offset');
    expect(mutants.length).toBeGreaterThan(13);
    const readme = await readFile(join(series.directory, 'README.md'), 'utf8');
    const listed = [...readme.matchAll(/^\| (\d+) +\| ([a-z-]+) +\|/gm)].map(
      ([, number, name]) => `${number!.padStart(2, '0')}-${name}`,
    );
    expect(listed).toEqual(mutants);
  });

  it('has programs that are each named after a bug, and safe to run', () => {
    for (const program of programs) {
      expect(mutants).toContain(program.name);
      for (const arch of ARCHITECTURES) {
        expect(
          findHazard(program, makeProfile({ kernel: '7.3', design: 'offset', arch })),
          program.name,
        ).toBeUndefined();
      }
    }
  });
});
