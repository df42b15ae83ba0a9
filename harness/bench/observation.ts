/** What observing costs: the same programs in the same guest, with and without. */

import { newCoverage } from '../../model/coverage/coverage.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { compare } from '../compare/compare.ts';
import { AgentStream } from '../programs/agent-stream.ts';
import { ALL_OBSERVATIONS, encodeProgram, SMAPS_EVERY } from '../programs/encode.ts';
import { generatePrograms } from '../programs/generate.ts';
import type { ObservationKind } from '../programs/protocol.ts';
import { environmentOf } from '../run/profile.ts';
import type { Session } from '../session/session.ts';
import { runPrograms, sparseObservations } from '../suites/programs.ts';
import { type Measurement, type Pair, summarize } from './measurement.ts';

const PROGRAMS = 40;
const SEED = 1;
const LIMIT_MS = 60_000;
/** What full observation may cost, against the same program run bare: without smaps, and with smaps at every step. */
const LIMITS = { withoutSmaps: 1.3, withSmaps: 2.2, host: 0.1 };

/** How long the comparison is run on what one guest has shown before it is measured, and how many runs come behind that. */
const WARM_UP_MS = 5000;
const WARM_UP_RUNS = 3;

/** @param progress is told the number of pairs that are done */
export async function observationCost(
  session: Session,
  profile: Profile,
  pairs: number,
  progress: (done: number) => void,
): Promise<Measurement[]> {
  const { arch } = profile;
  const programs = generatePrograms(SEED, PROGRAMS, { profile });
  const plain: Pair[] = [];
  const smaps: Pair[] = [];
  const host: Pair[] = [];
  // What is run first warms the guest up.
  await inGuest(session, programs, bareOf);
  const recorded: Buffer[] = [];
  const cold = await onHost(session, programs, profile, (chunk) => recorded.push(chunk));
  warmUp(session, programs, profile, Buffer.concat(recorded));
  // What takes the answers and hands them on has to get warm as well.
  for (let run = 0; run < WARM_UP_RUNS; run++) await onHost(session, programs, profile);
  const beside: Pair[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const bare = await inGuest(session, programs, bareOf);
    const full = await inGuest(session, programs, withoutSmaps);
    const fullWithSmaps = await inGuest(session, programs, withSmaps, 1);
    // Around the measured ones: the host's speed drifts.
    const against = (bare + (await inGuest(session, programs, bareOf))) / 2;
    plain.push({ measured: full, against });
    smaps.push({ measured: fullWithSmaps, against });
    const run = await onHost(session, programs, profile);
    host.push(run);
    beside.push({ measured: run.against, against: await inGuest(session, programs, sparseObservations) });
    progress(pair + 1);
  }
  return [
    summarize('observed without smaps / bare', arch, LIMITS.withoutSmaps, plain),
    summarize('observed with smaps at every step / bare', arch, LIMITS.withSmaps, smaps),
    summarize(`${HOST} / wall time`, arch, LIMITS.host, host),
    summarize(`${HOST} / wall time, of the first ${PROGRAMS} programs of a process`, arch, undefined, [cold]),
    summarize('a run / the agent alone, its answers thrown away', arch, undefined, beside),
  ];
}

const HOST = 'processor time of orchestrator, model and comparison';

/** What is observed of a program. */
type Observing = (program: Program) => readonly ObservationKind[];
const bareOf: Observing = () => [];
const withoutSmaps: Observing = (program) =>
  sparseObservations(program).filter((kind) => kind !== 'smaps' && kind !== 'rollup');
const withSmaps: Observing = () => ALL_OBSERVATIONS.filter((kind) => kind !== 'rollup');

/** Milliseconds from the first program to the last answer; nothing is decoded or compared meanwhile. */
async function inGuest(
  session: Session,
  programs: readonly Program[],
  observe: Observing,
  smapsEvery = SMAPS_EVERY,
): Promise<number> {
  const frames = programs.map((program, index) =>
    encodeProgram(program, { sequence: index + 1, limitMs: LIMIT_MS, observe: observe(program), smapsEvery }),
  );
  const agent = await session.ssh.spawn('exec agent run');
  agent.stdout.resume();
  agent.stderr.resume();
  const started = performance.now();
  agent.stdin.end(Buffer.concat(frames));
  await agent.exited;
  return performance.now() - started;
}

/**
 * A run as `hmmdiff run` makes it: processor time of this process, all its threads, against the time that it all took.
 *
 * @param record gets what the agent answers
 */
async function onHost(
  session: Session,
  programs: readonly Program[],
  profile: Profile,
  record?: (chunk: Buffer) => void,
): Promise<Pair> {
  const before = process.cpuUsage();
  const started = performance.now();
  await runPrograms(session, programs, {
    environment: () => environmentOf(session, profile),
    sparse: true,
    coverage: newCoverage(),
    lean: true,
    ...(record ? { record } : {}),
  });
  const { user, system } = process.cpuUsage(before);
  return { measured: (user + system) / 1000, against: performance.now() - started };
}

/**
 * Compares the answers to `programs` again and again: V8's interpreter makes the first 10,000 steps or so of a process,
 * which are nothing beside those of a run over night.
 */
function warmUp(session: Session, programs: readonly Program[], profile: Profile, answers: Buffer): void {
  const environment = environmentOf(session, profile);
  const coverage = newCoverage();
  const started = performance.now();
  while (performance.now() - started < WARM_UP_MS) {
    for (const message of new AgentStream().push(answers)) {
      if (message.type !== 'transcript') continue;
      compare(programs[message.sequence - 1]!, message.transcript, environment, undefined, { coverage });
    }
  }
}
