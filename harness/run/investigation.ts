import { join, relative } from 'node:path';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { Divergence } from '../compare/compare.ts';
import { leavesGuestUsable } from '../divergence/aftermath.ts';
import {
  type Fingerprint,
  fingerprintOfDivergences,
  fingerprintOfLoss,
  identify,
  mostTelling,
} from '../divergence/fingerprint.ts';
import {
  fold,
  type Investigation,
  investigate,
  type Sighting,
  type Suspicion,
} from '../divergence/investigate.ts';
import { type Finding, keepFinding, type Subject } from '../divergence/keep.ts';
import { Trials, type TrialsOptions } from '../divergence/trials.ts';
import type { RunEvents } from '../events.ts';
import { findHazard } from '../programs/hazards.ts';
import type { ProgramFinding } from '../report/verdict.ts';

/** What a lane's programs showed. */
export interface Suspects {
  diverged: readonly { program: Program; divergences: readonly Divergence[] }[];
  /** Programs that took their guest with them, and the last step that they began, if that was said. */
  lost: readonly { program: Program; reason: string; step?: number | undefined }[];
  /** Programs of guests whose kernel reported something meanwhile; any of them may have caused it. */
  reported: readonly Program[];
}

export interface LaneInvestigation {
  /** The lane's name. */
  name: string;
  profile: Profile;
  trials: Omit<TrialsOptions, 'setting' | 'name'>;
  subject: Subject;
  /** The lane's folder, and the run folder that paths are relative to. */
  folder: string;
  runFolder: string;
  /** Findings to shrink at most. */
  most: number;
  events: RunEvents;
}

/** What loses a guest, or has its kernel report something, is run so often before it is taken for chance. */
const LOCATE_RUNS = 3;
/** Programs that make the kernel report something cost a boot each, most of them. */
const MOST_REPORTS = 3;

/** Folds what the programs of a lane showed, and shrinks the most frequent. */
export async function investigateLane(
  suspects: Suspects,
  lane: LaneInvestigation,
): Promise<ProgramFinding[]> {
  const { design, arch } = lane.profile;
  const setting = { design, arch };
  const shown = suspects.diverged.flatMap(({ program, divergences }): Sighting[] => {
    const fingerprint = fingerprintOfDivergences(program, divergences, setting);
    return fingerprint ? [{ program, fingerprint, shown: mostTelling(divergences), divergences }] : [];
  });
  if (lane.most === 0) {
    for (const { program, reason, step } of suspects.lost) {
      shown.push({ program, fingerprint: fingerprintOfLoss(program, step, reason, setting) });
    }
    return fold(shown).map((suspicion) => summary(suspicion));
  }
  if (shown.length + suspects.lost.length + suspects.reported.length === 0) return [];

  await using trials = new Trials({ ...lane.trials, setting, name: 'finding-guest' });
  shown.push(...(await locate(suspects, trials, setting)));
  const findings: ProgramFinding[] = [];
  for (const [index, suspicion] of fold(shown).entries()) {
    if (index >= lane.most) {
      findings.push(summary(suspicion));
      continue;
    }
    const id = identify(suspicion.fingerprint);
    findings.push(
      await lane.events.task(`${lane.name} ${id}`, `Shrink ${id} on ${lane.name}`, async (report) => {
        const first = suspicion.programs[0]!.steps.length;
        const investigation = await investigate(suspicion, {
          trials,
          runnable: (program) => isRunnable(program, lane.profile),
          progress: ({ steps }) => report.progress(first - steps, first, 'steps left out', true),
        });
        report.detail = detailOf(investigation);
        const kept = await keepFinding(
          join(lane.folder, 'findings'),
          lane.subject,
          suspicion,
          investigation,
          lane.profile,
        );
        return summary(suspicion, kept.finding, relative(lane.runFolder, kept.folder));
      }),
    );
    await trials.renew();
  }
  return findings;
}

/** Which program it was, and in which step, of what the console alone has told so far. */
export async function locate(
  suspects: Pick<Suspects, 'lost' | 'reported'>,
  trials: Pick<Trials, 'run'>,
  setting: { design: Profile['design']; arch: Profile['arch'] },
): Promise<{ program: Program; fingerprint: Fingerprint }[]> {
  const found: { program: Program; fingerprint: Fingerprint }[] = [];
  for (const { program, reason, step } of suspects.lost) {
    let fingerprint = step === undefined ? undefined : fingerprintOfLoss(program, step, reason, setting);
    for (let run = 0; run < LOCATE_RUNS && !fingerprint; run++) {
      fingerprint = (await trials.run([program])).at(-1)?.fingerprints[0];
    }
    fingerprint ??= fingerprintOfLoss(program, undefined, reason, setting);
    found.push({ program, fingerprint });
  }
  let waiting = suspects.reported;
  for (let guests = 0; waiting.length > 0 && guests < MOST_REPORTS; guests++) {
    const done = await trials.run(waiting);
    waiting = waiting.slice(done.length);
    for (const { program, splats, fingerprints, result } of done) {
      // One that is lost without a word has less time here than it had when it ran to its end.
      if (splats.length === 0) continue;
      // What is said of a process at its end was to be seen while it lived, and that tells more.
      const isSeen = splats.every(leavesGuestUsable) && (result?.comparison.divergences.length ?? 0) > 0;
      if (!isSeen) found.push({ program, fingerprint: fingerprints[0]! });
    }
  }
  return found;
}

/** Whether a program is safe and possible under a profile. */
export function isRunnable(program: Program, profile: Profile): boolean {
  try {
    return findHazard(program, profile) === undefined;
  } catch {
    // The model refuses what no program file could say.
    return false;
  }
}

function detailOf({ originalRate, program, original, rate, coldRate }: Investigation): string {
  if (originalRate.shown === 0) return `not shown again in ${originalRate.runs} runs`;
  const times = ({ shown, runs }: { shown: number; runs: number }) => `${shown} of ${runs}`;
  return `${original.steps.length} → ${program.steps.length} steps, shown in ${times(rate)} runs, ${times(coldRate)} after a boot`;
}

function summary(suspicion: Suspicion, finding?: Finding, folder?: string): ProgramFinding {
  const { fingerprint, programs, shown } = suspicion;
  return {
    id: identify(fingerprint),
    fingerprint,
    shown: shown ? { expected: shown.expected, seen: shown.seen } : null,
    like: suspicion.like ? identify(suspicion.like) : null,
    programs: programs.length,
    example: programs[0]!.name,
    folder: folder ?? null,
    smallest: finding?.smallest ?? null,
    rate: finding?.original.rate ?? null,
    elsewhere: [],
  };
}
