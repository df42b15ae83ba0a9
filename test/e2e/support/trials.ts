/** Programs that are run on demand in guests with a seeded bug. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fingerprint, sameFingerprint } from '../../../harness/divergence/fingerprint.ts';
import { type Trial, Trials } from '../../../harness/divergence/trials.ts';
import { RunEvents } from '../../../harness/events.ts';
import { resolveKernel } from '../../../harness/kernels/resolve.ts';
import { cachePaths } from '../../../harness/paths.ts';
import { prepareGuests } from '../../../harness/run/guests.ts';
import { isRunnable } from '../../../harness/run/investigation.ts';
import { environmentOf } from '../../../harness/run/profile.ts';
import type { Profile } from '../../../model/profile.ts';
import type { Program } from '../../../model/program.ts';

/** Gives `use` what runs programs on the mutant. */
export async function withTrials<T>(
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
export async function runAll(
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

export function shows(trial: Trial, fingerprint: Fingerprint): boolean {
  return trial.fingerprints.some((shown) => sameFingerprint(shown, fingerprint));
}

/** The first of some programs that shows anything, with what it shows. */
export async function firstThatShows(trials: Trials, programs: readonly Program[]) {
  let waiting = [...programs];
  while (waiting.length > 0) {
    const done = await trials.run(waiting);
    const found = done.find(({ fingerprints }) => fingerprints.length > 0);
    if (found) return { program: found.program, fingerprint: found.fingerprints[0]! };
    waiting = waiting.slice(done.length);
  }
  throw new Error('nothing is shown');
}
