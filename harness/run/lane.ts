import { mkdir, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { Splat } from '../../qemu/splats.ts';
import { compareVmstat } from '../compare/system.ts';
import type { Fingerprint } from '../divergence/fingerprint.ts';
import type { Rate } from '../divergence/shrink.ts';
import { ExitStatus, HmmdiffError } from '../errors.ts';
import type { AllowContext } from '../report/allow.ts';
import type { LaneVerdict } from '../report/verdict.ts';
import { prepareScenario, type ScenarioMachine } from '../session/scenarios.ts';
import { chooseAccelerator, Session } from '../session/session.ts';
import { runLifecycle } from '../suites/lifecycle.ts';
import { round, SplatLog } from './findings.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { LaneHmmTests, TEST_GROUPS, type TestGroup } from './lane-hmm-tests.ts';
import { LaneMemory } from './lane-memory.ts';
import type { ChosenAccelerator, LaneContext, LanePlan } from './lane-plan.ts';
import { LanePrograms } from './lane-programs.ts';
import { LaneTrials } from './lane-trials.ts';
import { laneVerdict } from './lane-verdict.ts';
import { profileOf } from './profile.ts';

/** How often the suite `lifecycle` loads the module, and takes memory by RELEASE. */
const LIFECYCLE_TIMES = 100;
/** A lane that loses one guest after another is given up. */
const MAX_GUESTS = 6;

/** One kernel on one machine: boots guests, runs the suites in them, and sums up what was seen. */
export class Lane {
  readonly #programs: LanePrograms;
  readonly #tests: LaneHmmTests;
  readonly #memory: LaneMemory;
  readonly #consoles: string[] = [];
  readonly #splats: SplatLog;
  readonly #trials: LaneTrials;
  readonly #allowContext: AllowContext;
  #lifecycle: LaneVerdict['suites']['lifecycle'];
  #readyMs: number | undefined;
  #scenario: ScenarioMachine | undefined;
  #accel: ChosenAccelerator | undefined;

  constructor(
    private readonly plan: LanePlan,
    private readonly context: LaneContext,
    private readonly journal: Journal,
  ) {
    this.#allowContext = { kernel: plan.kernel.spec.name, arch: plan.build.arch };
    this.#memory = new LaneMemory(plan, journal);
    this.#splats = new SplatLog(context.allow, this.#allowContext);
    this.#trials = new LaneTrials(plan, context, this.#splats, (name) => this.#boot(name));
    this.#programs = new LanePrograms(plan.programs, plan, journal, {
      rules: plan.rules,
      arch: plan.build.arch,
      smapsEvery: plan.smapsEvery,
    });
    this.#tests = new LaneHmmTests({ ...plan, journal });
    if (!plan.suites.includes('hmm-tests')) this.#tests.giveUp();
  }

  get name(): string {
    const { kernel, build } = this.plan;
    return `${kernel.spec.name}${kernel.series ? `+${kernel.series.name}` : ''} ${build.arch}`;
  }

  get programs(): readonly Program[] {
    return this.plan.programs;
  }

  /** Recordings of the programs, relative to the run folder. */
  get programTranscripts(): readonly string[] {
    return this.#programs.transcripts;
  }

  /** The rules that its transcripts are read with; undefined when no guest came so far as to say its design. */
  async profile(): Promise<Profile | undefined> {
    return this.#memory.design && profileOf(this.plan.build, this.plan.rules, this.#memory.design);
  }

  /** Takes over what an earlier run of this lane has finished. */
  restore(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      this.#memory.restore(entry);
      this.#programs.restore(entry);
      this.#tests.restore(entry);
    }
  }

  /** Never throws for what a guest does: that is in the verdict. Throws when aborted. */
  async run(): Promise<LaneVerdict> {
    let error: HmmdiffError | undefined;
    await mkdir(this.plan.folder, { recursive: true });
    try {
      this.#accel = await this.#chooseAccelerator();
      this.#scenario = await prepareScenario(
        this.plan.scenario,
        this.plan.build.arch,
        this.#accel.accelerator,
        this.plan.folder,
      );
      const first = await this.#guestsBefore();
      for (let guest = first + 1; this.#unfinished; guest++) {
        if (guest > first + MAX_GUESTS) {
          throw new HmmdiffError(
            'guests-lost',
            ExitStatus.finding,
            `${MAX_GUESTS} guests were lost; the rest was not run`,
          );
        }
        await this.#oneGuest(guest);
      }
    } catch (caught) {
      error = this.#laneError(caught);
    }
    // A lane that lost its guests has the more to tell.
    if (this.#memory.design && error?.exitStatus !== ExitStatus.infrastructure) {
      await this.#investigate().catch((caught: unknown) => {
        error ??= this.#laneError(caught);
      });
    }
    const verdict = this.#verdict(error);
    // What the infrastructure kept from its end is to be run again.
    if (!verdict.error) await this.journal.append({ type: 'verdict', verdict });
    return verdict;
  }

  /** Guests of an earlier run of this lane: their consoles are kept. */
  async #guestsBefore(): Promise<number> {
    const { folder, runFolder, resume } = this.plan;
    if (!resume) return 0;
    const consoles = (await readdir(folder)).filter((file) => /^guest-\d+\.console$/.test(file));
    this.#consoles.push(...consoles.map((file) => relative(runFolder, join(folder, file))));
    return consoles.length;
  }

  /** @throws what is no HmmdiffError, and the reason of an abort */
  #laneError(caught: unknown): HmmdiffError {
    this.context.signal?.throwIfAborted();
    if (!(caught instanceof HmmdiffError)) throw caught;
    return caught;
  }

  get #unfinished(): boolean {
    return this.#programs.pending || this.#tests.pending || this.#lifecyclePending;
  }

  get #lifecyclePending(): boolean {
    return (
      this.plan.suites.includes('lifecycle') &&
      this.#lifecycle === undefined &&
      this.#memory.load?.seen !== 'ENOMEM'
    );
  }

  #chooseAccelerator() {
    const { accel, build, image } = this.plan;
    const { probe, signal } = this.context;
    return chooseAccelerator(probe, accel, build, image, signal);
  }

  /** Boots a guest and runs in it what is left, as far as the guest lasts. */
  async #oneGuest(number: number): Promise<void> {
    const { plan, context } = this;
    const { events } = context;
    const name = `guest-${number}`;
    const consoleFile = relative(plan.runFolder, join(plan.folder, `${name}.console`));
    this.#consoles.push(consoleFile);
    const id = `${this.name} ${name}`;
    let devices: AllowContext['devices'];
    await using session = await events.task(`${id} boot`, `Boot ${this.name}`, async (report) => {
      const booted = await this.#boot(name);
      report.detail = `ready in ${(booted.readyMs / 1000).toFixed(1)} s, ${this.#accel!.accelerator}`;
      return booted;
    });
    const { guest } = session;
    const log = new Map(guest.splats.map((splat) => [splat, devices]));
    guest.on('splat-begin', (splat) => {
      log.set(splat, devices);
      // Said at once: a run may go on for long, and somebody may be watching.
      if (!this.#splats.allows(splat, devices)) events.note(`${this.name}: ${splat.title} (${consoleFile})`);
    });
    try {
      this.#readyMs ??= session.readyMs;
      if (!(await this.#checkDesign(session))) {
        await session.stop();
        return;
      }
      if (this.#programs.pending && !(await this.#runPrograms(session, id, name))) return;
      for (const group of TEST_GROUPS) {
        devices = group;
        if (!(await this.#runHmmTests(session, id, name, group))) return;
      }
      devices = undefined;
      if (this.#lifecyclePending) await this.#runLifecycle(session, id);
      await session.stop();
    } catch (error) {
      context.signal?.throwIfAborted();
      if (!(error instanceof HmmdiffError && error.code === 'ssh-lost')) throw error;
      // Between two suites: no program and no test is to blame.
      const reason = await session.explainLoss(error.message);
      throw new HmmdiffError('guest-lost', ExitStatus.finding, `${name} was lost: ${reason}`, {
        cause: error,
      });
    } finally {
      // Reports of a dying kernel are whole only when its console has ended.
      await guest.kill();
      for (const [splat, during] of log) this.#splats.add(splat, during, consoleFile);
    }
  }

  /** Answers whether there is something to run on. */
  async #checkDesign(session: Session): Promise<boolean> {
    const loaded = await this.#memory.check(session);
    if (!loaded) {
      this.#programs.giveUp();
      this.#tests.giveUp();
    }
    return loaded;
  }

  /** Answers whether the guest can be used further. */
  async #runPrograms(session: Session, id: string, guestName: string): Promise<boolean> {
    const { plan, context } = this;
    const profile = await profileOf(plan.build, plan.rules, this.#memory.design!);
    const isReport = (splat: Splat) => this.#splats.allows(splat, undefined) === undefined;
    const before = await session.vmstat();
    const alive = await context.events.task(`${id} programs`, `Programs on ${this.name}`, (report) =>
      this.#programs.run(session, guestName, profile, isReport, report, context.signal),
    );
    if (alive) this.#memory.note(compareVmstat(before, await session.vmstat()));
    return alive;
  }

  /** What the programs showed comes down to a few findings; they are shrunk in guests of their own. */
  async #investigate(): Promise<void> {
    const profile = await profileOf(this.plan.build, this.plan.rules, this.#memory.design!);
    this.#programs.findings = await this.#trials.investigate(this.#programs.suspects, this.name, profile);
  }

  /**
   * How often a program shows what it showed on another lane, in a few runs here.
   *
   * @returns undefined when that cannot be told: this lane has not run, or the program is not safe here
   */
  async shows(program: Program, fingerprint: Fingerprint): Promise<Rate | undefined> {
    const profile = await this.profile();
    return profile && this.#accel && this.#trials.rate(program, fingerprint, profile);
  }

  #boot(name: string): Promise<Session> {
    const { plan, context } = this;
    return Session.start({
      build: plan.build,
      image: plan.image,
      accelerator: this.#accel!.accelerator,
      folder: plan.folder,
      name,
      ...this.#scenario!,
      append: plan.append,
      calibration: context.calibration,
      signal: context.signal,
    });
  }

  async #runLifecycle(session: Session, id: string): Promise<void> {
    const started = performance.now();
    await this.context.events.task(`${id} lifecycle`, `Lifecycle on ${this.name}`, async (report) => {
      const run = await runLifecycle(session, {
        design: this.#memory.design!,
        times: LIFECYCLE_TIMES,
        signal: this.context.signal,
        progress: (done) => report.progress(done, LIFECYCLE_TIMES, 'loads'),
      });
      this.#lifecycle = { ...run, seconds: round((performance.now() - started) / 1000) };
      report.detail = `${run.loads} loads, ${run.releases} releases, ${run.failures.length} failures`;
    });
  }

  /** Answers whether the guest can be used further. */
  async #runHmmTests(session: Session, id: string, guestName: string, group: TestGroup): Promise<boolean> {
    if (!this.#tests.pending || (await this.#tests.leftIn(session, group)) === 0) return true;
    return this.context.events.task(`${id} ${group}`, `hmm-tests (${group}) on ${this.name}`, (report) =>
      this.#tests.run(session, guestName, group, report, this.context.signal),
    );
  }

  #verdict(error: HmmdiffError | undefined): LaneVerdict {
    const { plan, context } = this;
    const suites: LaneVerdict['suites'] = {};
    if (plan.suites.includes('hmm-tests')) {
      suites['hmm-tests'] = this.#tests.verdict(context.allow, this.#allowContext);
    }
    if (plan.suites.includes('programs')) {
      suites.programs = this.#programs.verdict;
    }
    if (this.#lifecycle) suites.lifecycle = this.#lifecycle;
    return laneVerdict(
      plan,
      {
        design: this.#memory.design ?? null,
        load: this.#memory.load,
        accel: this.#accel,
        machine: this.#scenario,
        readyMs: this.#readyMs,
        suites,
        system: this.#memory.system,
        splats: this.#splats.entries,
        console: this.#consoles,
        transcripts: [...this.#programs.transcripts, ...this.#tests.transcripts],
      },
      error,
    );
  }
}
