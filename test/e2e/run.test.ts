import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { VIEWS } from '../../harness/against/views.ts';
import { repositoryRoot } from '../../harness/paths.ts';
import { type Verdict, verdictSchema } from '../../harness/report/verdict.ts';
import { temporaryDirectory } from '../harness/temporary.ts';

const hmmdiff = join(repositoryRoot, 'harness/bin/hmmdiff.mjs');

describe('hmmdiff run', () => {
  let out: string;
  let verdict: Verdict;
  let exitCode: number | undefined;

  beforeAll(async () => {
    out = join(repositoryRoot, 'hmmdiff-out', 'e2e');
    const result = await execa(
      process.execPath,
      [hmmdiff, 'run', '--transitions', 'small', '--against', '--json', '--out', out],
      { stderr: 'inherit', reject: false },
    );
    exitCode = result.exitCode;
    verdict = verdictSchema.parse(JSON.parse(result.stdout));
  });

  it('finds nothing on the stock kernel and with the series, on both architectures', () => {
    expect(
      verdict.lanes.flatMap((lane) => [...lane.findings, ...(lane.error ? [lane.error.message] : [])]),
    ).toEqual([]);
    expect(
      verdict.lanes.map(({ kernel, series, design, arch, ok }) => [kernel.name, series, design, arch, ok]),
    ).toEqual([
      ['debian-7.3', null, 'pfn', 'x86_64', true],
      ['debian-7.3', null, 'pfn', 'aarch64', true],
      ['debian-7.3', 'offset', 'offset', 'x86_64', true],
      ['debian-7.3', 'offset', 'offset', 'aarch64', true],
    ]);
    expect(exitCode).toBe(0);
  });

  it('has run every test of hmm-tests, skipping none: all four devices are there', () => {
    for (const lane of verdict.lanes) {
      const tests = lane.suites['hmm-tests'];
      expect(tests).toMatchObject({ skip: 0 });
      expect((tests?.pass ?? 0) + (tests?.fail ?? 0)).toBe(Object.keys(tests?.durations ?? {}).length);
      expect(tests?.pass).toBeGreaterThanOrEqual(75);
      for (const { name, allowed } of tests?.failures ?? []) {
        expect(name).toMatch(/coherent/);
        expect(allowed).toBeDefined();
      }
    }
  });

  it('has compared 50 generated programs, library and transitions, with little slack, and says how little', () => {
    for (const lane of verdict.lanes) {
      const programs = lane.suites.programs!;
      expect(programs.programs).toBeGreaterThanOrEqual(300);
      expect(programs.divergences).toEqual([]);
      expect(programs.fieldsCompared).toBeGreaterThan(500_000);
      expect(programs.slack).toBeLessThan(programs.fieldsCompared / 100);
      expect(programs.slack).toBe(Object.values(programs.bySlack).reduce((a, b) => a + b, 0));
      for (const field of [
        'outcome',
        'cpages',
        'faults',
        'data',
        'pagemap.kind',
        'kpageflags',
        'kpagecount',
        'words',
        'snapshot.bytes',
        'trace.event',
      ]) {
        expect(programs.byField[field], field).toBeGreaterThan(0);
      }
    }
  });

  it('has reached what library and transitions of small regions reach, and nothing that is in no table', () => {
    for (const lane of verdict.lanes) {
      const { operations, states, rules, transitions } = lane.suites.programs!.coverage;
      const missing = [operations!.missing, states!.missing, rules!.missing].flat();
      // Of huge regions, the library reaches most.
      expect(missing.filter((row) => !row.startsWith('huge-'))).toEqual([]);
      expect(transitions!.reached).toBeGreaterThan(600);
      expect([operations, states, rules, transitions].flatMap((table) => table!.undeclared)).toEqual([]);
    }
  });

  it('has compared /proc/iomem, the span of zone Device and the counters of migrate_pages() with the design', () => {
    for (const lane of verdict.lanes) expect(lane.system).toEqual({ fieldsCompared: 7, divergences: [] });
  });

  it('has set stock against series, which show the same, and x86_64 against aarch64, which lacks soft-dirty', () => {
    const pairs = verdict.against!;
    expect(pairs.map(({ lanes }) => lanes.join(' / '))).toEqual([
      'debian-7.3 x86_64 / debian-7.3 aarch64',
      'debian-7.3 x86_64 / debian-7.3+offset x86_64',
      'debian-7.3 aarch64 / debian-7.3+offset aarch64',
      'debian-7.3+offset x86_64 / debian-7.3+offset aarch64',
    ]);
    for (const { programs, differences } of pairs) {
      expect(programs).toBeGreaterThanOrEqual(300);
      expect(differences).toEqual([]);
    }
    const differ = pairs.map(({ explained }) =>
      Object.entries(explained).flatMap(([view, count]) => (count > 0 ? [view] : [])),
    );
    // clear_refs write-protects only where there is a soft-dirty bit to be set again: the mirrors hear of it there alone.
    // kpageflags of x86_64 end before coherent pages, and exceptions:page_fault_user is x86_64's.
    // What a reclaim leaves alone for PTE_CONT, which is arm64's, is swapped on x86_64: status, meminfo, content and scan.
    expect(differ).toEqual([VIEWS, [], [], VIEWS]);
  });

  it('keeps the verdict, the consoles and the transcripts in the run folder', async () => {
    expect(JSON.parse(await readFile(join(out, 'verdict.json'), 'utf8'))).toEqual(verdict);
    for (const lane of verdict.lanes) {
      expect(lane.console.length).toBeGreaterThan(0);
      for (const file of [...lane.console, ...lane.transcripts]) {
        expect((await stat(join(out, file))).size, file).toBeGreaterThan(0);
      }
    }
  });
});

it('loads test_hmm into a full physical address space with the series alone', async () => {
  const out = join(await temporaryDirectory(), 'out');
  const { stdout } = await execa(
    process.execPath,
    [
      hmmdiff,
      ...['run', '--json', '--out', out, '--scenario', 'full-address-space'],
      ...['--suite', 'programs', '--transitions', 'none', '--programs', '10'],
    ],
    { stderr: 'inherit', reject: false },
  );
  const { lanes } = verdictSchema.parse(JSON.parse(stdout));
  expect(lanes.map(({ series, arch, load, ok }) => [series, arch, load?.seen, ok])).toEqual([
    [null, 'x86_64', 'ENOMEM', true],
    [null, 'aarch64', 'ENOMEM', true],
    ['offset', 'x86_64', 'loads', true],
    ['offset', 'aarch64', 'loads', true],
  ]);
  expect(lanes.slice(2).map(({ suites }) => suites.programs?.divergences)).toEqual([[], []]);
});

it('says with status 3 that QEMU cannot start, in its own words', async () => {
  const bin = await temporaryDirectory();
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'qemu-system-x86_64'), '#!/bin/sh\necho "qemu: no luck today" >&2\nexit 1\n');
  await chmod(join(bin, 'qemu-system-x86_64'), 0o755);
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [
      hmmdiff,
      'run',
      '--kernel',
      'debian-7.3',
      '--arch',
      'x86_64',
      '--accel',
      'tcg',
      '--out',
      join(bin, 'out'),
    ],
    { env: { PATH: `${bin}:${process.env.PATH}` }, reject: false },
  );
  expect(`${stdout}${stderr}`).toContain('qemu: no luck today');
  expect(exitCode).toBe(3);
});
