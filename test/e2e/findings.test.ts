import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fingerprint, sameFingerprint } from '../../harness/divergence/fingerprint.ts';
import { fold, investigate } from '../../harness/divergence/investigate.ts';
import { type Finding, readFinding } from '../../harness/divergence/keep.ts';
import { singleRemovals } from '../../harness/divergence/reductions.ts';
import { type Trial, Trials } from '../../harness/divergence/trials.ts';
import { RunEvents } from '../../harness/events.ts';
import { resolveKernel } from '../../harness/kernels/resolve.ts';
import { cachePaths, repositoryRoot } from '../../harness/paths.ts';
import { generatePrograms } from '../../harness/programs/generate.ts';
import { loadProgram } from '../../harness/programs/load.ts';
import { verdictSchema } from '../../harness/report/verdict.ts';
import { prepareGuests } from '../../harness/run/guests.ts';
import { isRunnable } from '../../harness/run/investigation.ts';
import { environmentOf } from '../../harness/run/profile.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';

const hmmdiff = join(repositoryRoot, 'harness/bin/hmmdiff.mjs');
const subject = ['--kernel', 'debian-7.3+offset-mutants', '--arch', 'x86_64'];

/** Gives `use` what runs programs on the mutant. */
async function withTrials<T>(
  mutant: number,
  use: (trials: Trials, profile: Profile) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-findings-'));
  try {
    const context = { cache: cachePaths(), events: new RunEvents() };
    const kernel = await resolveKernel('debian-7.3+offset-mutants', undefined, context);
    const guests = await prepareGuests(
      {
        kernel,
        arch: 'x86_64',
        fragments: [],
        scenario: 'default',
        append: [`hmm_mutant=${mutant}`],
        accel: 'auto',
        jobs: 2,
        folder,
      },
      context,
    );
    const first = await guests.boot('profile');
    const profile = await guests.profileOf(first);
    await first[Symbol.asyncDispose]();
    await using trials = new Trials({
      setting: profile,
      boot: guests.boot,
      environment: (session) => environmentOf(session, profile),
      allows: () => false,
      name: 'guest',
    });
    return await use(trials, profile);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs each program that may be run a few times; the trials of each in order. */
async function runAll(
  trials: Trials,
  profile: Profile,
  programs: readonly Program[],
  runs: number,
): Promise<Trial[]> {
  let waiting = programs
    .filter((program) => isRunnable(program, profile))
    .flatMap((program) => Array.from({ length: runs }, () => program));
  const done: Trial[] = [];
  while (waiting.length > 0) {
    const some = await trials.run(waiting);
    done.push(...some);
    waiting = waiting.slice(some.length);
  }
  return done;
}

function shows(trial: Trial, fingerprint: Fingerprint): boolean {
  return trial.fingerprints.some((shown) => sameFingerprint(shown, fingerprint));
}

describe.each([
  { mutant: 1, what: 'a bit that is wrong after fork', kind: 'divergence', most: 4, runs: 1 },
  { mutant: 17, what: 'content that is wrong by chance', kind: 'divergence', most: 6, runs: 8 },
  { mutant: 18, what: 'an oops', kind: 'lost', most: 4, runs: 1 },
])('a seeded bug: $what (hmm_mutant=$mutant)', ({ mutant, kind, most, runs }) => {
  let out: string;
  let folder: string;
  let finding: Finding;

  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), 'hmmdiff-mutant-'));
    const { exitCode, stdout } = await execa(
      process.execPath,
      [
        ...[hmmdiff, 'run', ...subject, '--append', `hmm_mutant=${mutant}`, '--suite', 'programs'],
        ...['--transitions', 'none', '--programs', '20', '--shrink', '1', '--json', '--out', out],
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
    const again = await execa(process.execPath, [hmmdiff, 'repro', folder, '--runs', '12', '--json'], {
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

/** The first of some programs that shows anything, with what it shows. */
async function firstThatShows(trials: Trials, programs: readonly Program[]) {
  let waiting = [...programs];
  while (waiting.length > 0) {
    const done = await trials.run(waiting);
    const found = done.find(({ fingerprints }) => fingerprints.length > 0);
    if (found) return { program: found.program, fingerprint: found.fingerprints[0]! };
    waiting = waiting.slice(done.length);
  }
  throw new Error('nothing is shown');
}

describe('shrinking', () => {
  it('takes less than a minute for a program of 40 steps', async () => {
    await withTrials(1, async (trials, profile) => {
      const programs = generatePrograms(1, 12, { profile, steps: 40 }).filter(
        ({ steps }) => steps.length >= 40,
      );
      const shown = await firstThatShows(trials, programs);
      const { program, minimal, seconds, coldRate } = await investigate(fold([shown])[0]!, {
        trials,
        runnable: (candidate) => isRunnable(candidate, profile),
      });
      expect(minimal).toBe(true);
      expect(coldRate.shown).toBe(coldRate.runs);
      expect(program.steps.length).toBeLessThanOrEqual(4);
      expect(seconds).toBeLessThan(60);
    });
  });
});
