/** Programs that a lane runs in guests of their own: for what its programs showed, and for what those of other lanes did. */
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { type Fingerprint, sameBug } from '../divergence/fingerprint.ts';
import type { Rate } from '../divergence/shrink.ts';
import { Trials, type TrialsOptions } from '../divergence/trials.ts';
import { nameOrPath } from '../kernels/series.ts';
import type { ProgramFinding } from '../report/verdict.ts';
import type { Session } from '../session/session.ts';
import type { SplatLog } from './findings.ts';
import { investigateLane, isRunnable, type Suspects } from './investigation.ts';
import type { LaneContext, LanePlan } from './lane-plan.ts';
import { environmentOf } from './profile.ts';

/** Runs of another lane's smallest program. */
const ELSEWHERE_RUNS = 4;

export class LaneTrials {
  constructor(
    private readonly plan: LanePlan,
    private readonly context: LaneContext,
    private readonly splats: SplatLog,
    /** Boots a guest of the lane, named so. */
    private readonly boot: (name: string) => Promise<Session>,
  ) {}

  /** What the programs showed comes down to a few findings, which are shrunk. */
  investigate(suspects: Suspects, name: string, profile: Profile): Promise<ProgramFinding[]> {
    const { plan, context } = this;
    const { kernel, build } = plan;
    return investigateLane(suspects, {
      name,
      profile,
      trials: this.#options(profile),
      subject: {
        kernel: 'directory' in kernel.spec.source ? kernel.spec.source.directory : kernel.spec.name,
        version: build.tree.release,
        origin: build.tree.origin,
        series: kernel.series ? nameOrPath(kernel.series) : null,
        config: [...plan.fragments],
        append: [...plan.append],
        scenario: plan.scenario,
      },
      folder: plan.folder,
      runFolder: plan.runFolder,
      most: plan.shrink,
      events: context.events,
    });
  }

  /**
   * How often a program shows what it showed on another lane, in a few runs here.
   *
   * @returns undefined when the program is not safe here
   */
  async rate(program: Program, fingerprint: Fingerprint, profile: Profile): Promise<Rate | undefined> {
    if (!isRunnable(program, profile)) return undefined;
    await using trials = new Trials({ ...this.#options(profile), setting: profile, name: 'elsewhere' });
    const rate = { shown: 0, runs: 0 };
    while (rate.runs < ELSEWHERE_RUNS) {
      const left = Array.from({ length: ELSEWHERE_RUNS - rate.runs }, () => program);
      for (const { fingerprints } of await trials.run(left)) {
        rate.runs++;
        if (fingerprints.some((shown) => sameBug(shown, fingerprint))) rate.shown++;
      }
    }
    this.context.signal?.throwIfAborted();
    return rate;
  }

  #options(profile: Profile): Omit<TrialsOptions, 'setting' | 'name'> {
    return {
      boot: this.boot,
      environment: (session) => environmentOf(session, profile),
      allows: (splat) => this.splats.allows(splat, undefined) !== undefined,
      signal: this.context.signal,
    };
  }
}
