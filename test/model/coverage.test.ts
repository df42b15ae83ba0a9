import { expect, it } from 'vitest';
import { generatePrograms } from '../../harness/programs/generate.ts';
import { findHazard } from '../../harness/programs/hazards.ts';
import { loadLibrary, parseProgram } from '../../harness/programs/load.ts';
import { cover, newCoverage, reportCoverage, TABLE_NAMES } from '../../model/coverage/coverage.ts';
import { rowsFor } from '../../model/coverage/tables.ts';
import { makeProfile } from '../../model/profile.ts';
import { STOCK } from './play.ts';

function covered(steps: string, regions = '{a: 2}') {
  const coverage = newCoverage();
  const text = steps
    .trim()
    .split('\n')
    .map((line) => `  - ${line.trim()}`)
    .join('\n');
  cover(coverage, parseProgram('test', `name: test\nregions: ${regions}\nsteps:\n${text}\n`), STOCK);
  return coverage;
}

it('counts what an operation makes of the pages in its range, and of others that change with them', () => {
  const { transitions, operations } = covered(`
    {mmap: a}
    {cpu-write: a}
    {open: 0}
    {migrate-to-dev: a, device: 0}
    {fork: p1}
    {cpu-read: "a[0]"}
    {close: 0, by: p1}
    {close: 0}`);
  expect(Object.fromEntries(transitions)).toEqual({
    'mmap: unmapped > none': 2,
    'cpu-write: none > ram-write': 2,
    'migrate-to-dev: ram-write > device-write': 2,
    'fork: device-write > device-shared': 2,
    'fork child: device-write > device-shared': 2,
    'cpu-read: device-shared > ram-shared': 1,
    'cpu-read elsewhere: device-shared > ram-shared': 1,
    'close: device-shared > ram-shared': 2,
  });
  expect(operations.get('close: ok')).toBe(2);
});

it('tells a page on the device that acts from one on another', () => {
  const { transitions } = covered(`
    {mmap: a}
    {open: 0}
    {open: 1}
    {migrate-to-dev: "a[0]", device: 0}
    {read: a, device: 1}`);
  expect([...transitions.keys()].filter((row) => row.startsWith('read'))).toEqual([
    'read: other-device-write > ram-write',
    'read: none > zero',
  ]);
});

it('takes a PMD that an operation touches for one entry, until it is split', () => {
  const { transitions } = covered(
    `{mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: "h[1]"}
    {fork: p1}
    {cpu-write: "h[1]"}`,
    '{h: {pmds: 1}}',
  );
  expect([...transitions.keys()].filter((row) => row.startsWith('cpu-write'))).toEqual([
    'cpu-write: none > huge-ram-write',
    'cpu-write elsewhere: huge-ram-shared > ram-shared',
    'cpu-write: huge-ram-shared > ram-write',
  ]);
});

it('asks for soft-dirty rows only where there are such bits', () => {
  const row = 'clear-refs: ram-write > ram-read-exclusive';
  expect(reportCoverage(newCoverage(), STOCK).transitions.missing).toContain(row);
  expect(reportCoverage(newCoverage(), { ...STOCK, softDirty: false }).transitions.missing).not.toContain(
    row,
  );
});

it('asks for pages of KSM that are not migrated only of our series, which leaves them where they are', () => {
  const row = 'migrate-to-dev: ram-merged > ram-merged';
  const series = makeProfile({ kernel: '7.3', design: 'offset', arch: 'x86_64' });
  expect(reportCoverage(newCoverage(), series).transitions.missing).toContain(row);
  expect(reportCoverage(newCoverage(), STOCK).transitions.missing).not.toContain(row);
});

it('reports rows that were not reached, and what was reached and is no row', () => {
  const coverage = covered('{mmap: a}');
  coverage.transitions.set('mmap: none > device-write', 1);
  const { operations, transitions } = reportCoverage(coverage, STOCK);
  expect(operations.reached).toBe(1);
  expect(operations.missing).toContain('munmap: ok');
  expect(operations.missing).not.toContain('mmap: ok');
  expect(operations.missing).not.toContain('exclusive: EBUSY');
  expect(transitions.undeclared).toEqual(['mmap: none > device-write']);
});

it.each(['7.3', '6.12'] as const)('has no row twice on %s', (kernel) => {
  const profile = makeProfile({ kernel, design: 'pfn', arch: 'x86_64' });
  for (const name of TABLE_NAMES) {
    const rows = rowsFor(name, profile);
    expect(rows.length, name).toBe(new Set(rows).size);
  }
});

it.each(['7.3', '6.12'] as const)(
  'has a row for all that programs reach on %s',
  async (kernel) => {
    const profile = makeProfile({ kernel, design: 'pfn', arch: 'x86_64' });
    const library = (await loadLibrary()).filter((program) => findHazard(program, profile) === undefined);
    const coverage = newCoverage();
    for (const program of [...library, ...generatePrograms(1, 60, { profile })])
      cover(coverage, program, profile);
    // To be added to the file of the part of the model in model/coverage that they belong to.
    const undeclared = Object.values(reportCoverage(coverage, profile)).flatMap(
      (report) => report.undeclared,
    );
    expect(undeclared).toEqual([]);
  },
  60_000,
);
