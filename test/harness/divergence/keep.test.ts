import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import type { Divergence } from '../../../harness/compare/tally.ts';
import { fingerprintOfDivergences } from '../../../harness/divergence/fingerprint.ts';
import { keepFinding } from '../../../harness/divergence/keep.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { STOCK } from '../../model/play.ts';

const CLI = join(import.meta.dirname, '../../../harness/bin/hmmdiff.mjs');

it('keeps what a run showed where no trial has shown it again, and hmmdiff show tells it', async () => {
  const program = parseProgram('test', 'name: once\nregions: {a: 4}\nsteps:\n  - {mmap: a}\n');
  const divergences: Divergence[] = [
    {
      step: 0,
      process: 0,
      region: 0,
      page: 3,
      field: 'kpageflags',
      expected: 'UPTODATE',
      seen: 'UPTODATE ACTIVE',
      rule: 'stable_page_flags',
    },
  ];
  const fingerprint = fingerprintOfDivergences(program, divergences, STOCK)!;
  const never = { shown: 0, runs: 12 };
  const subject = {
    kernel: 'debian-7.3',
    version: '7.3.4',
    origin: 'a tree',
    series: null,
    config: [],
    append: [],
    scenario: 'default',
  };
  const parent = await mkdtemp(join(tmpdir(), 'hmmdiff-keep-'));
  try {
    const { folder, finding } = await keepFinding(
      parent,
      subject,
      { fingerprint, programs: [program], divergences },
      {
        fingerprint,
        original: program,
        originalRate: never,
        program,
        rate: never,
        coldRate: never,
        minimal: false,
        tried: 0,
        trial: undefined,
        seconds: 1,
      },
      STOCK,
    );
    expect(finding.divergences).toEqual(divergences);
    const { stdout } = await execa(process.execPath, [CLI, 'show', folder]);
    expect(stdout).toContain(
      [
        'in the run that found it:',
        'step 0, p0, region 0 page 3, kpageflags',
        '  expected UPTODATE',
        '  seen     UPTODATE ACTIVE',
        '  rule     stable_page_flags',
      ].join('\n'),
    );
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}, 30_000);
