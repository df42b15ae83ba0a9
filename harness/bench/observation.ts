/** What observing costs: the same programs in the same guest, with and without. */
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { ALL_OBSERVATIONS, encodeProgram } from '../programs/encode.ts';
import { generatePrograms } from '../programs/generate.ts';
import type { ObservationKind } from '../programs/protocol.ts';
import { environmentOf } from '../run/profile.ts';
import type { Session } from '../session/session.ts';
import { runPrograms } from '../suites/programs.ts';
import { type Measurement, type Pair, summarize } from './measurement.ts';

const PROGRAMS = 40;
const SEED = 1;
const LIMIT_MS = 60_000;
/** What full observation may cost, against the same program run bare: without smaps, and with smaps at every step. */
const LIMITS = { withoutSmaps: 1.3, withSmaps: 2.2, host: 0.1 };

/** @param progress is told the number of pairs that are done */
export async function observationCost(
  session: Session,
  profile: Profile,
  pairs: number,
  progress: (done: number) => void,
): Promise<Measurement[]> {
  const { arch } = profile;
  const programs = generatePrograms(SEED, PROGRAMS, { profile });
  const withoutSmaps = ALL_OBSERVATIONS.filter((kind) => kind !== 'smaps' && kind !== 'rollup');
  const withSmaps: ObservationKind[] = [...withoutSmaps, 'smaps'];
  const plain: Pair[] = [];
  const smaps: Pair[] = [];
  const host: Pair[] = [];
  // What is run first warms the guest up.
  await inGuest(session, programs, []);
  for (let pair = 0; pair < pairs; pair++) {
    const bare = await inGuest(session, programs, []);
    const full = await inGuest(session, programs, withoutSmaps);
    const fullWithSmaps = await inGuest(session, programs, withSmaps);
    // Around the measured ones: the host's speed drifts.
    const against = (bare + (await inGuest(session, programs, []))) / 2;
    plain.push({ measured: full, against });
    smaps.push({ measured: fullWithSmaps, against });
    host.push(await onHost(session, programs, profile));
    progress(pair + 1);
  }
  return [
    summarize('observed without smaps / bare', arch, LIMITS.withoutSmaps, plain),
    summarize('observed with smaps at every step / bare', arch, LIMITS.withSmaps, smaps),
    summarize('processor time of orchestrator, model and comparison / wall time', arch, LIMITS.host, host),
  ];
}

/** Milliseconds from the first program to the last answer; nothing is decoded or compared meanwhile. */
async function inGuest(
  session: Session,
  programs: readonly Program[],
  observe: readonly ObservationKind[],
): Promise<number> {
  const frames = programs.map((program, index) =>
    encodeProgram(program, { sequence: index + 1, limitMs: LIMIT_MS, observe, smapsEvery: 1 }),
  );
  const agent = await session.ssh.spawn('exec agent run');
  agent.stdout.resume();
  agent.stderr.resume();
  const started = performance.now();
  agent.stdin.end(Buffer.concat(frames));
  await agent.exited;
  return performance.now() - started;
}

/** A run as `hmmdiff run` makes it: processor time of this process, against the time that it all took. */
async function onHost(session: Session, programs: readonly Program[], profile: Profile): Promise<Pair> {
  const before = process.cpuUsage();
  const started = performance.now();
  await runPrograms(session, programs, { environment: () => environmentOf(session, profile), lean: true });
  const { user, system } = process.cpuUsage(before);
  return { measured: (user + system) / 1000, against: performance.now() - started };
}
