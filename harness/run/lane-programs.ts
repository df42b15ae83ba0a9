import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { cover, newCoverage, reportCoverage } from '../../model/coverage/coverage.ts';
import { type Arch, type KernelVersion, makeProfile, type Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { announcements } from '../divergence/announcements.ts';
import type { TaskReport } from '../events.ts';
import { printProgram } from '../programs/print.ts';
import type { LaneVerdict, ProgramFinding } from '../report/verdict.ts';
import type { Session } from '../session/session.ts';
import { LIMIT_AFTER_HANG_MS, runPrograms } from '../suites/programs.ts';
import { round } from './findings.ts';
import type { Suspects } from './investigation.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { environmentOf } from './profile.ts';
import { addComparison, addTally, emptyTally, type Tally } from './program-tally.ts';

/** Of more programs than this, transcripts are recorded only to compare lanes with each other. */
const MOST_RECORDED = 1000;

type ProgramsVerdict = NonNullable<LaneVerdict['suites']['programs']>;

/** The suite `programs` of one lane, over as many guests as it takes. */
export class LanePrograms {
  readonly #tally: Tally = emptyTally();
  readonly #files = new Map<string, string>();
  readonly #lost: { program: Program; reason: string; step?: number | undefined }[] = [];
  readonly #reported: Program[] = [];
  /** How many of `programs` are behind us. */
  #done = 0;
  /** What the kernel is as far as coverage is concerned, which does not depend on the design. */
  #profile: Profile;
  /** Of the model, by the programs that have run. */
  readonly #coverage = newCoverage();
  #seconds = 0;
  readonly transcripts: string[] = [];
  findings: ProgramFinding[] = [];

  constructor(
    private readonly programs: readonly Program[],
    /** The lane's folder, and the run folder that paths are relative to. */
    private readonly place: { folder: string; runFolder: string; against: boolean },
    private readonly journal: Journal,
    private readonly options: { rules: KernelVersion; arch: Arch; smapsEvery: number },
  ) {
    this.#profile = makeProfile({ kernel: options.rules, design: 'pfn', arch: options.arch });
  }

  get pending(): boolean {
    return this.#done < this.programs.length;
  }

  /** Programs that have run. */
  get count(): number {
    return this.#tally.programs;
  }

  /** Nothing can be run on this lane. */
  giveUp(): void {
    this.#done = this.programs.length;
  }

  /** Takes over what an earlier run of this lane has finished. */
  restore(entry: JournalEntry): void {
    if (entry.type === 'programs') {
      addTally(this.#tally, entry.tally);
      this.#coverAgain(this.programs.slice(this.#done, this.#done + entry.tally.programs));
      this.#done += entry.tally.programs;
    } else if (entry.type === 'lost') {
      this.#lost.push({ program: this.programs[this.#done]!, reason: entry.reason, step: entry.step });
      this.#done++;
    }
  }

  /**
   * Runs what is left in a guest.
   *
   * @param isReport whether something that the kernel said counts
   * @returns whether the guest can be used further
   */
  async run(
    session: Session,
    guestName: string,
    profile: Profile,
    isReport: (splat: Session['guest']['splats'][number]) => boolean,
    report: TaskReport,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    this.#profile = profile;
    const { folder, runFolder } = this.place;
    const from = this.#done;
    const pending = this.programs.slice(from);
    const file = join(folder, `${guestName}.transcripts`);
    const isRecorded = this.place.against || pending.length <= MOST_RECORDED;
    const record = isRecorded ? createWriteStream(file) : undefined;
    if (record) this.transcripts.push(relative(runFolder, file));
    const started = performance.now();
    const splatsBefore = session.guest.splats.length;
    const linesBefore = session.guest.console.lines.length;
    // Slow; but a kernel that has lost one guest will lose more, and which step it was would take a boot to find out.
    const announce = this.#lost.length > 0;
    const diverged: Program[] = [];
    const run = await runPrograms(session, pending, {
      environment: () => environmentOf(session, profile),
      lean: true,
      smapsEvery: this.options.smapsEvery,
      ...(this.#lost.length > 0 ? { stepLimit: LIMIT_AFTER_HANG_MS } : {}),
      announce,
      sparse: true,
      coverage: this.#coverage,
      firstSequence: from + 1,
      signal,
      progress: (done) => report.progress(done, pending.length, 'programs'),
      onResults: (results) => {
        const tally = emptyTally();
        for (const { program, comparison } of results) {
          addComparison(tally, program.name, comparison);
          if (comparison.divergences.length > 0) diverged.push(program);
        }
        addTally(this.#tally, tally);
        this.#done += results.length;
        void this.journal.append({ type: 'programs', tally });
      },
      ...(record ? { record: (chunk: Buffer) => record.write(chunk) } : {}),
    }).finally(async () => {
      record?.end();
      if (record) await finished(record);
    });
    for (const program of diverged) await this.#keep(program);
    if (run.lost) {
      const { program, agentLives } = run.lost;
      await this.#keep(program);
      const reason = agentLives ? run.lost.reason : await session.explainLoss(run.lost.reason);
      const said = announcements(session.guest.console.lines.slice(linesBefore));
      const step = announce ? (said.lastStepOf(this.#done + 1) ?? -1) : undefined;
      this.#lost.push({ program, reason, step });
      this.#done++;
      await this.journal.append({ type: 'lost', reason, ...(step === undefined ? {} : { step }) });
    } else {
      await session.mark();
      if (session.guest.splats.slice(splatsBefore).some(isReport)) {
        this.#reported.push(...this.programs.slice(from, this.#done));
      }
    }
    this.#seconds += (performance.now() - started) / 1000;
    report.detail = `${this.#done - from} programs, ${diverged.length} diverge`;
    return run.lost === undefined;
  }

  /** What is to be looked into. */
  get suspects(): Suspects {
    const byName = new Map(this.programs.map((program) => [program.name, program]));
    return {
      diverged: this.#tally.diverged.map(({ program, divergences }) => ({
        program: byName.get(program)!,
        divergences,
      })),
      lost: this.#lost,
      reported: this.#reported,
    };
  }

  get verdict(): ProgramsVerdict {
    const { programs, steps, fields, slack, slackByField, invariants, diverged } = this.#tally;
    const fileOf = (name: string) => this.#files.get(name) ?? '';
    return {
      programs,
      steps,
      fieldsCompared: sum(fields),
      slack: sum(slack),
      divergences: diverged.map(({ program, divergences }) => ({
        program,
        file: fileOf(program),
        fields: divergences,
      })),
      findings: this.findings,
      seconds: round(this.#seconds),
      byField: fields,
      bySlack: slack,
      slackByField,
      invariants,
      smapsEvery: this.options.smapsEvery,
      coverage: reportCoverage(this.#coverage, this.#profile),
      lost: this.#lost.map(({ program, reason }) => ({
        program: program.name,
        file: fileOf(program.name),
        reason,
      })),
    };
  }

  /** Notes what programs of an earlier run have reached. */
  #coverAgain(programs: readonly Program[]): void {
    for (const program of programs) cover(this.#coverage, program, this.#profile);
  }

  /** Writes a program that shows something into the run folder. */
  async #keep(program: Program): Promise<void> {
    const folder = join(this.place.folder, 'programs');
    const file = join(folder, `${program.name}.yaml`);
    await mkdir(folder, { recursive: true });
    await writeFile(file, printProgram(program));
    this.#files.set(program.name, relative(this.place.runFolder, file));
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
