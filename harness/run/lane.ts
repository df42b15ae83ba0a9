import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import type { KernelVersion, Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { expectLoad, type ScenarioName } from '../../model/system.ts';
import type { AcceleratorProbe } from '../../qemu/accel.ts';
import { architectureOf } from '../../qemu/architectures.ts';
import type { Calibration } from '../../qemu/calibration.ts';
import type { Accelerator } from '../../qemu/machine.ts';
import { compareSystem } from '../compare/system.ts';
import { ExitStatus, HmmdiffError } from '../errors.ts';
import type { KernelBuild } from '../kernels/build.ts';
import type { ResolvedKernel } from '../kernels/resolve.ts';
import { nameOrPath } from '../kernels/series.ts';
import type { SourceContext } from '../kernels/source.ts';
import { printProgram } from '../programs/print.ts';
import type { AllowContext, AllowList } from '../report/allow.ts';
import type { LaneVerdict, ProgramFinding } from '../report/verdict.ts';
import { type ScenarioMachine, scenarios } from '../session/scenarios.ts';
import { chooseAccelerator, laneMachine, Session } from '../session/session.ts';
import { listHmmTests, runHmmTests } from '../suites/hmm-tests.ts';
import type { KtapTest } from '../suites/ktap.ts';
import { runLifecycle } from '../suites/lifecycle.ts';
import { type ProgramResult, runPrograms } from '../suites/programs.ts';
import { findingsOf, round, SplatLog, summarizeHmmTests, summarizePrograms } from './findings.ts';
import { investigateLane } from './investigation.ts';
import { environmentOf, profileOf } from './profile.ts';

export type Suite = 'hmm-tests' | 'programs' | 'lifecycle';

export interface LanePlan {
  kernel: ResolvedKernel;
  build: KernelBuild;
  image: string;
  rules: KernelVersion;
  suites: readonly Suite[];
  programs: readonly Program[];
  accel: Accelerator | 'auto';
  scenario: ScenarioName;
  /** Further words of the kernel command line. */
  append: readonly string[];
  /** Let hmm-tests run its benchmarks. */
  benchmarks: boolean;
  /** Findings of the programs to shrink at most. */
  shrink: number;
  /** Config fragments beyond the usual, as they were named. */
  fragments: readonly string[];
  /** The lane's folder within the run folder. */
  folder: string;
  runFolder: string;
}

export interface LaneContext extends SourceContext {
  probe: AcceleratorProbe;
  calibration: Calibration;
  allow: AllowList;
}

/** How often the suite `lifecycle` loads the module, and takes memory by RELEASE. */
const LIFECYCLE_TIMES = 100;
/** A lane that loses one guest after another is given up. */
const MAX_GUESTS = 6;

/** One kernel on one machine: boots guests, runs the suites in them, and sums up what was seen. */
export class Lane {
  readonly #results: ProgramResult[] = [];
  readonly #tests: KtapTest[] = [];
  readonly #interrupted: { name: string; reason: string }[] = [];
  readonly #lost: { program: string; file: string; reason: string }[] = [];
  readonly #files = new Map<string, string>();
  readonly #lostPrograms: { program: Program; reason: string }[] = [];
  /** Programs of guests whose kernel reported something while they ran. */
  readonly #reported: Program[] = [];
  #programFindings: ProgramFinding[] = [];
  readonly #consoles: string[] = [];
  readonly #transcripts: string[] = [];
  readonly #seconds = { programs: 0, tests: 0 };
  readonly #splats: SplatLog;
  readonly #allowContext: AllowContext;
  #lifecycle: LaneVerdict['suites']['lifecycle'];
  #pendingPrograms: readonly Program[];
  /** Undefined until a guest has listed them. */
  #pendingTests: string[] | undefined;
  #design: 'pfn' | 'offset' | undefined;
  #readyMs: number | undefined;
  #scenario: ScenarioMachine | undefined;
  #load: LaneVerdict['load'] = null;
  readonly #system: LaneVerdict['system'] = { fieldsCompared: 0, divergences: [] };
  #accel: { accelerator: Accelerator; reason: string } | undefined;

  constructor(
    private readonly plan: LanePlan,
    private readonly context: LaneContext,
  ) {
    this.#allowContext = { kernel: plan.kernel.spec.name, arch: plan.build.arch };
    this.#splats = new SplatLog(context.allow, this.#allowContext);
    this.#pendingPrograms = plan.suites.includes('programs') ? plan.programs : [];
    if (!plan.suites.includes('hmm-tests')) this.#pendingTests = [];
  }

  get name(): string {
    const { kernel, build } = this.plan;
    return `${kernel.spec.name}${kernel.series ? `+${kernel.series.name}` : ''} ${build.arch}`;
  }

  /** Never throws for what a guest does: that is in the verdict. Throws when aborted. */
  async run(): Promise<LaneVerdict> {
    let error: HmmdiffError | undefined;
    await mkdir(this.plan.folder, { recursive: true });
    try {
      this.#accel = await this.#chooseAccelerator();
      this.#scenario = await scenarios[this.plan.scenario].prepare(
        this.plan.build.arch,
        this.#accel.accelerator,
        this.plan.folder,
      );
      for (let guest = 1; this.#unfinished; guest++) {
        if (guest > MAX_GUESTS) {
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
    if (this.#design && error?.exitStatus !== ExitStatus.infrastructure) {
      await this.#investigate().catch((caught: unknown) => {
        error ??= this.#laneError(caught);
      });
    }
    return this.#verdict(error);
  }

  /** @throws what is no HmmdiffError, and the reason of an abort */
  #laneError(caught: unknown): HmmdiffError {
    this.context.signal?.throwIfAborted();
    if (!(caught instanceof HmmdiffError)) throw caught;
    return caught;
  }

  get #unfinished(): boolean {
    return (
      this.#pendingPrograms.length > 0 ||
      this.#pendingTests === undefined ||
      this.#pendingTests.length > 0 ||
      this.#lifecyclePending
    );
  }

  get #lifecyclePending(): boolean {
    return (
      this.plan.suites.includes('lifecycle') && this.#lifecycle === undefined && this.#load?.seen !== 'ENOMEM'
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
      if (this.#pendingPrograms.length > 0 && !(await this.#programs(session, id, name))) return;
      if (plan.suites.includes('hmm-tests')) {
        this.#pendingTests ??= (await listHmmTests(session)).filter(
          (test) => plan.benchmarks || !/\.benchmark_/.test(test),
        );
        for (const group of ['private', 'coherent'] as const) {
          devices = group;
          if (!(await this.#hmmTests(session, id, name, group))) return;
        }
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

  /** Compares how test_hmm loaded and what the machine shows of it. Answers whether there is something to run on. */
  async #checkDesign(session: Session): Promise<boolean> {
    const { spec, series } = this.plan.kernel;
    const { chunks, design } = session.memory;
    const declared = series ? series.design : spec.design;
    // A module that does not load says nothing of its design.
    const assumed = design ?? declared;
    this.#design = assumed;
    this.#load = { expected: expectLoad(this.plan.scenario, assumed ?? 'pfn'), seen: session.load };
    if (this.#load.seen !== 'loads') {
      this.#pendingPrograms = [];
      this.#pendingTests = [];
      return false;
    }
    if (design === undefined) {
      throw new HmmdiffError('design', ExitStatus.finding, 'test_hmm reported no chunk of device memory', {
        hint: `Its console: ${session.guest.consoleFile}`,
      });
    }
    if (declared !== undefined && declared !== design) {
      throw new HmmdiffError(
        'design',
        ExitStatus.finding,
        `the kernel was said to have design ${declared}, but test_hmm reports design ${design}`,
      );
    }
    const { fieldsCompared, divergences } = compareSystem(await session.system(), design, chunks);
    this.#system.fieldsCompared += fieldsCompared;
    this.#system.divergences.push(...divergences);
    return true;
  }

  /** Answers whether the guest can be used further. */
  async #programs(session: Session, id: string, guestName: string): Promise<boolean> {
    const { plan, context } = this;
    const profile: Profile = await profileOf(plan.build, plan.rules, this.#design!);
    const file = join(plan.folder, `${guestName}.transcripts`);
    this.#transcripts.push(relative(plan.runFolder, file));
    const record: WriteStream = createWriteStream(file);
    const pending = this.#pendingPrograms;
    const started = performance.now();
    const splatsBefore = session.guest.splats.length;
    let alive = true;
    await context.events.task(`${id} programs`, `Programs on ${this.name}`, async (report) => {
      const run = await runPrograms(session, pending, {
        environment: () => environmentOf(session, profile),
        signal: context.signal,
        progress: (done) => report.progress(done, pending.length, 'programs'),
        record: (chunk) => record.write(chunk),
      }).finally(() => {
        record.end();
        return finished(record);
      });
      this.#results.push(...run.results);
      this.#pendingPrograms = run.remaining;
      if (run.lost) {
        alive = false;
        const { program } = run.lost;
        const file = await this.#keep(program);
        const reason = await session.explainLoss(run.lost.reason);
        this.#lost.push({ program: program.name, file, reason });
        this.#lostPrograms.push({ program, reason });
      } else {
        await session.mark();
        const reports = session.guest.splats.slice(splatsBefore);
        if (reports.some((splat) => !this.#splats.allows(splat, undefined))) {
          this.#reported.push(...run.results.map(({ program }) => program));
        }
      }
      for (const { program, comparison } of run.results) {
        if (comparison.divergences.length > 0) await this.#keep(program);
      }
      const diverged = run.results.filter(({ comparison }) => comparison.divergences.length > 0).length;
      report.detail = `${run.results.length} programs, ${diverged} diverge`;
    });
    this.#seconds.programs += (performance.now() - started) / 1000;
    return alive;
  }

  /** What the programs showed comes down to a few findings; they are shrunk in guests of their own. */
  async #investigate(): Promise<void> {
    const { plan, context } = this;
    const { kernel, build } = plan;
    const profile = await profileOf(build, plan.rules, this.#design!);
    this.#programFindings = await investigateLane(
      { results: this.#results, lost: this.#lostPrograms, reported: this.#reported },
      {
        name: this.name,
        profile,
        trials: {
          boot: (name) => this.#boot(name),
          environment: (session) => environmentOf(session, profile),
          allows: (splat) => this.#splats.allows(splat, undefined) !== undefined,
          signal: context.signal,
        },
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
      },
    );
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
        design: this.#design!,
        times: LIFECYCLE_TIMES,
        signal: this.context.signal,
        progress: (done) => report.progress(done, LIFECYCLE_TIMES, 'loads'),
      });
      this.#lifecycle = { ...run, seconds: round((performance.now() - started) / 1000) };
      report.detail = `${run.loads} loads, ${run.releases} releases, ${run.failures.length} failures`;
    });
  }

  /** Writes a program that shows something into the run folder. */
  async #keep(program: Program): Promise<string> {
    const folder = join(this.plan.folder, 'programs');
    const file = join(folder, `${program.name}.yaml`);
    await mkdir(folder, { recursive: true });
    await writeFile(file, printProgram(program));
    const shown = relative(this.plan.runFolder, file);
    this.#files.set(program.name, shown);
    return shown;
  }

  async #hmmTests(
    session: Session,
    id: string,
    guestName: string,
    group: 'private' | 'coherent',
  ): Promise<boolean> {
    const mine = (name: string) => /coherent/.test(name) === (group === 'coherent');
    const wanted = (this.#pendingTests ?? []).filter(mine);
    if (wanted.length === 0) return true;
    let alive = true;
    const started = performance.now();
    await this.context.events.task(
      `${id} ${group}`,
      `hmm-tests (${group}) on ${this.name}`,
      async (report) => {
        const run = await runHmmTests(session, {
          tests: wanted,
          signal: this.context.signal,
          progress: (done) => report.progress(done, wanted.length, 'tests'),
        });
        this.#tests.push(...run.tests);
        if (run.interrupted) {
          alive = false;
          const { name } = run.interrupted;
          this.#interrupted.push({ name, reason: await session.explainLoss(run.interrupted.reason) });
        }
        this.#pendingTests = [...run.remaining, ...(this.#pendingTests ?? []).filter((name) => !mine(name))];
        const output = join(this.plan.folder, `${guestName}.${group}.ktap`);
        await writeFile(output, `${run.output.join('\n')}\n`);
        this.#transcripts.push(relative(this.plan.runFolder, output));
        const failed = run.tests.filter(({ status }) => status !== 'pass' && status !== 'skip').length;
        report.detail = `${run.tests.length} tests, ${failed} failed${run.interrupted ? `, ${run.interrupted.reason}` : ''}`;
      },
    );
    this.#seconds.tests += (performance.now() - started) / 1000;
    return alive;
  }

  #verdict(error: HmmdiffError | undefined): LaneVerdict {
    const { plan, context } = this;
    const { kernel, build } = plan;
    const suites: LaneVerdict['suites'] = {};
    if (plan.suites.includes('hmm-tests')) {
      suites['hmm-tests'] = summarizeHmmTests(
        this.#tests,
        this.#interrupted,
        this.#seconds.tests,
        context.allow,
        this.#allowContext,
      );
    }
    if (plan.suites.includes('programs')) {
      suites.programs = {
        ...summarizePrograms(this.#results, this.#lost, this.#files, this.#seconds.programs),
        findings: this.#programFindings,
      };
    }
    if (this.#lifecycle) suites.lifecycle = this.#lifecycle;
    const splats = this.#splats.entries;
    const findings = findingsOf({ suites, splats, system: this.#system, load: this.#load });
    // A finding of the kernel that ended the lane is usually among the splats already; say it all the same.
    if (error?.exitStatus === ExitStatus.finding) findings.push(error.message);
    const infrastructure = error && error.exitStatus !== ExitStatus.finding ? error : undefined;
    return {
      ok: findings.length === 0 && !infrastructure,
      kernel: { name: kernel.spec.name, version: build.tree.release, origin: build.tree.origin },
      series: kernel.series?.name ?? null,
      design: this.#design ?? null,
      profile: plan.rules,
      arch: build.arch,
      scenario: plan.scenario,
      append: [...plan.append],
      load: this.#load,
      accel: this.#accel?.accelerator ?? null,
      accelReason: this.#accel?.reason ?? '',
      machine: architectureOf(build.arch).machineType({
        ...laneMachine(build, this.#scenario),
        initrd: '',
        accelerator: 'tcg',
      }),
      readyMs: this.#readyMs === undefined ? null : Math.round(this.#readyMs),
      suites,
      system: this.#system,
      splats,
      console: this.#consoles,
      transcripts: this.#transcripts,
      findings,
      ...(infrastructure ? { error: { code: infrastructure.code, message: infrastructure.message } } : {}),
    };
  }
}
