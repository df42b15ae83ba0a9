import { describe, expect, it } from 'vitest';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { loadLibrary, loadTransitions } from '../../../harness/programs/load.ts';
import { COHERENT } from '../../../model/coverage/coherent.ts';
import { COLLAPSE } from '../../../model/coverage/collapse.ts';
import { cover, newCoverage, reportCoverage } from '../../../model/coverage/coverage.ts';
import { FILES } from '../../../model/coverage/files.ts';
import { HUGETLB } from '../../../model/coverage/hugetlb.ts';
import { KSM } from '../../../model/coverage/ksm.ts';
import { MARKERS } from '../../../model/coverage/markers.ts';
import { SWAP } from '../../../model/coverage/swap.ts';
import type { CoverageTables } from '../../../model/coverage/tables.ts';
import { USERFAULT } from '../../../model/coverage/userfault.ts';
import { makeProfile } from '../../../model/profile.ts';

/** Parts for which npm run reach has still to look. */
const UNREACHED: readonly CoverageTables[] = [
  USERFAULT,
  FILES,
  COHERENT,
  COLLAPSE,
  HUGETLB,
  KSM,
  MARKERS,
  SWAP,
];

const library = await loadLibrary();
const unreached = new Set(
  UNREACHED.flatMap((part) => Object.values(part).flatMap((tables) => tables.flatMap(({ rows }) => rows))),
);

describe.each(['7.3', '6.12'] as const)('library and transitions of %s', (kernel) => {
  it.each(['aarch64', 'x86_64'] as const)(
    'reach every row of the tables on %s, and nothing else',
    { timeout: 60_000 },
    async (arch) => {
      const profile = makeProfile({ kernel, design: 'pfn', arch });
      const coverage = newCoverage();
      for (const program of [...library, ...(await loadTransitions(kernel))]) {
        if (findHazard(program, profile) === undefined) cover(coverage, program, profile);
      }
      const tables = Object.values(reportCoverage(coverage, profile));
      expect({
        // npm run reach finds programs.
        missing: tables.flatMap(({ missing }) => missing).filter((row) => !unreached.has(row)),
        // To be added to the file of the part of the model in model/coverage that they belong to, if they are right.
        undeclared: tables.flatMap(({ undeclared }) => undeclared),
      }).toEqual({ missing: [], undeclared: [] });
    },
  );
});
