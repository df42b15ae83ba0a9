import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fold, investigate } from '../../harness/divergence/investigate.ts';
import { type Finding, readFinding } from '../../harness/divergence/keep.ts';
import { singleRemovals } from '../../harness/divergence/reductions.ts';
import { repositoryRoot } from '../../harness/paths.ts';
import { generatePrograms } from '../../harness/programs/generate.ts';
import { loadProgram, parseProgram } from '../../harness/programs/load.ts';
import { verdictSchema } from '../../harness/report/verdict.ts';
import { isRunnable } from '../../harness/run/investigation.ts';
import { firstThatShows, runAll, shows, withTrials } from './support/trials.ts';

const hmmdiff = join(repositoryRoot, 'harness/bin/hmmdiff.mjs');
const subject = ['--kernel', 'debian-7.3+offset-mutants', '--arch', 'x86_64'];

/** The library, and a few. */
const GENERATED = ['--transitions', 'none', '--programs', '20'];
const ALL_OF_5 = ['--exhaustive', '5', '--pages', '1', '--operations', 'write,cpu-read,fork'];

describe.each([
  {
    mutant: 1,
    what: 'a bit that is wrong after fork',
    kind: 'divergence',
    most: 4,
    runs: 1,
    programs: GENERATED,
  },
  // One fork of three has it: some 45 of these programs can show it, which none does in one run of 10^7.
  {
    mutant: 17,
    what: 'content that is wrong by chance',
    kind: 'divergence',
    most: 5,
    runs: 40,
    programs: ALL_OF_5,
  },
  { mutant: 18, what: 'an oops', kind: 'lost', most: 4, runs: 1, programs: GENERATED },
])('a seeded bug: $what (hmm_mutant=$mutant)', ({ mutant, kind, most, runs, programs }) => {
  let out: string;
  let folder: string;
  let finding: Finding;

  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), 'hmmdiff-mutant-'));
    const { exitCode, stdout } = await execa(
      process.execPath,
      [
        ...[hmmdiff, 'run', ...subject, '--append', `hmm_mutant=${mutant}`, '--suite', 'programs'],
        ...programs,
        ...['--shrink', '1', '--json', '--out', out],
      ],
      { stderr: 'inherit', reject: false },
    );
    expect(exitCode).toBe(1);
    const [lane] = verdictSchema.parse(JSON.parse(stdout)).lanes;
    const [first] = lane?.suites.programs?.findings ?? [];
    expect(first?.folder).toEqual(expect.any(String));
    folder = join(out, first!.folder!);
    finding = await readFinding(folder);
  });

  afterAll(() => rm(out, { recursive: true, force: true }));

  it('is found, shrunk until nothing can go, and shown on a machine that has just booted', () => {
    expect(finding.fingerprint.kind).toBe(kind);
    expect(finding.smallest).toMatchObject({ minimal: true });
    expect(finding.smallest!.steps).toBeLessThanOrEqual(most);
    expect(finding.smallest!.coldRate.shown).toBeGreaterThan(0);
  });

  it('is not shown by the smallest program with any one step less', async () => {
    const program = await loadProgram(join(folder, 'smallest.yaml'));
    const done = await withTrials(mutant, (trials, profile) =>
      runAll(trials, profile, singleRemovals(program), runs),
    );
    expect(done.length).toBeGreaterThan(0);
    const still = done.filter((trial) => shows(trial, finding.fingerprint));
    expect(still.map((trial) => trial.program.steps)).toEqual([]);
  });

  it('is shown again by hmmdiff repro, and not without the bug', async () => {
    const again = await execa(process.execPath, [hmmdiff, 'repro', folder, '--runs', `${runs}`, '--json'], {
      reject: false,
    });
    expect(again.exitCode).toBe(1);
    expect(JSON.parse(again.stdout)).toMatchObject([{ arch: 'x86_64', shown: expect.any(Number) }]);
    expect(JSON.parse(again.stdout)[0].shown).toBeGreaterThan(0);
    const sound = await execa(
      process.execPath,
      [
        ...[hmmdiff, 'repro', join(folder, 'smallest.yaml')],
        ...subject,
        '--append',
        'hmm_mutant=0',
        '--json',
      ],
      { reject: false },
    );
    expect(JSON.parse(sound.stdout)).toMatchObject([{ shown: 0, fingerprints: [] }]);
    expect(sound.exitCode).toBe(0);
  });
});

/** Each run of it costs a boot. */
const HANGS = parseProgram(
  'hangs.yaml',
  `
name: hangs
regions: { a: 2 }
steps:
  - { mmap: a }
  - { cpu-write: a }
  - { open: 1 }
  - { open: 0 }
  - { fork: p1 }
  - { cpu-read: "a[0]", by: p1 }
  - { migrate-to-dev: a, device: 0 }
  - { snapshot: a, device: 0 }
  - { cpu-read: "a[1]" }
  - { close: 1 }
`,
);

describe('shrinking', () => {
  it('leaves four steps at most of a program of 40', async () => {
    await withTrials(1, async (trials, profile) => {
      const programs = generatePrograms(1, 12, { profile, steps: 40 }).filter(
        ({ steps }) => steps.length >= 40,
      );
      const shown = await firstThatShows(trials, programs);
      const { program, minimal, coldRate } = await investigate(fold([shown])[0]!, {
        trials,
        runnable: (candidate) => isRunnable(candidate, profile),
      });
      expect(minimal).toBe(true);
      expect(coldRate.shown).toBe(coldRate.runs);
      expect(program.steps.length).toBeLessThanOrEqual(4);
    });
  });

  it('leaves of a program that hangs what cannot lose a step (hmm_mutant=21: a page stays locked)', {
    timeout: 900_000,
  }, async () => {
    await withTrials(21, async (trials, profile) => {
      const shown = await firstThatShows(trials, [HANGS]);
      expect(shown.fingerprint).toMatchObject({ kind: 'lost', operation: 'cpu-read' });
      const { program, minimal, rate } = await investigate(fold([shown])[0]!, {
        trials,
        runnable: (candidate) => isRunnable(candidate, profile),
      });
      expect(minimal).toBe(true);
      expect(rate.shown).toBe(rate.runs);
      expect(program.steps.map(({ op }) => op)).toEqual([
        ...['mmap', 'cpu-write', 'open', 'fork', 'migrate-to-dev', 'cpu-read'],
      ]);
      const less = await runAll(trials, profile, singleRemovals(program), 1);
      expect(less.filter((trial) => shows(trial, shown.fingerprint))).toEqual([]);
    });
  });
});
