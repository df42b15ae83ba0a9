import { describe, expect, it } from 'vitest';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { loadLibrary, loadTransitions } from '../../../harness/programs/load.ts';
import { cover, newCoverage, reportCoverage } from '../../../model/coverage/coverage.ts';
import { makeProfile } from '../../../model/profile.ts';

const KERNELS = [
  { kernel: '7.3', design: 'pfn' },
  { kernel: '7.3', design: 'offset' },
  { kernel: '6.12', design: 'pfn' },
] as const;

const library = await loadLibrary();

describe.each(KERNELS)('library and transitions of $kernel, design $design', ({ kernel, design }) => {
  it.each(['aarch64', 'x86_64'] as const)(
    'reach every row of the tables on %s, and nothing else',
    { timeout: 60_000 },
    async (arch) => {
      const profile = makeProfile({ kernel, design, arch });
      const coverage = newCoverage();
      for (const program of [...library, ...(await loadTransitions(kernel))]) {
        if (findHazard(program, profile) === undefined) cover(coverage, program, profile);
      }
      const tables = Object.values(reportCoverage(coverage, profile));
      expect({
        // npm run reach finds programs.
        missing: tables.flatMap(({ missing }) => missing),
        // To be added to the file of the part of the model in model/coverage that they belong to, if they are right.
        undeclared: tables.flatMap(({ undeclared }) => undeclared),
      }).toEqual({ missing: [], undeclared: [] });
    },
  );
});
