import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { TaskReport } from '../events.ts';
import type { AllowContext, AllowList } from '../report/allow.ts';
import type { LaneVerdict } from '../report/verdict.ts';
import type { Session } from '../session/session.ts';
import { listHmmTests, runHmmTests } from '../suites/hmm-tests.ts';
import type { KtapTest } from '../suites/ktap.ts';
import { summarizeHmmTests } from './findings.ts';
import type { Journal, JournalEntry } from './journal.ts';

/** Tests of private and of coherent devices are run apart: what is allowed differs (allow.yaml). */
export type TestGroup = 'private' | 'coherent';
export const TEST_GROUPS: readonly TestGroup[] = ['private', 'coherent'];

export interface LaneHmmTestsOptions {
  /** The lane's folder, and the run folder that paths are relative to. */
  folder: string;
  runFolder: string;
  /** Let hmm-tests run its benchmarks. */
  benchmarks: boolean;
  journal: Journal;
}

/** The suite `hmm-tests` of one lane, over as many guests as it takes. */
export class LaneHmmTests {
  readonly #tests: KtapTest[] = [];
  /** Tests that took their guest with them. */
  readonly #interrupted: { name: string; reason: string }[] = [];
  /** Undefined until a guest has listed them. */
  #left: string[] | undefined;
  #seconds = 0;
  readonly transcripts: string[] = [];

  constructor(private readonly options: LaneHmmTestsOptions) {}

  get pending(): boolean {
    return this.#left === undefined || this.#left.length > 0;
  }

  /** Nothing can be run on this lane. */
  giveUp(): void {
    this.#left = [];
  }

  /** Takes over what an earlier run of this lane has finished. */
  restore(entry: JournalEntry): void {
    if (entry.type !== 'hmm-tests') return;
    this.#tests.push(...entry.tests);
    this.#interrupted.push(...entry.interrupted);
  }

  /** Asks a guest which tests there are, and answers how many of a group are left. */
  async leftIn(session: Session, group: TestGroup): Promise<number> {
    const done = new Set([...this.#tests, ...this.#interrupted].map(({ name }) => name));
    this.#left ??= (await listHmmTests(session)).filter(
      (test) => (this.options.benchmarks || !/\.benchmark_/.test(test)) && !done.has(test),
    );
    return this.#left.filter((name) => groupOf(name) === group).length;
  }

  /** Runs what is left of a group in a guest. Answers whether the guest can be used further. */
  async run(
    session: Session,
    guestName: string,
    group: TestGroup,
    report: TaskReport,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { folder, runFolder, journal } = this.options;
    const left = this.#left ?? [];
    const wanted = left.filter((name) => groupOf(name) === group);
    const started = performance.now();
    const run = await runHmmTests(session, {
      tests: wanted,
      signal,
      progress: (done) => report.progress(done, wanted.length, 'tests'),
    });
    const interrupted = run.interrupted
      ? [{ name: run.interrupted.name, reason: await session.explainLoss(run.interrupted.reason) }]
      : [];
    this.#tests.push(...run.tests);
    this.#interrupted.push(...interrupted);
    this.#left = [...run.remaining, ...left.filter((name) => groupOf(name) !== group)];
    await journal.append({ type: 'hmm-tests', tests: run.tests, interrupted });
    const output = join(folder, `${guestName}.${group}.ktap`);
    await writeFile(output, `${run.output.join('\n')}\n`);
    this.transcripts.push(relative(runFolder, output));
    const failed = run.tests.filter(({ status }) => status !== 'pass' && status !== 'skip').length;
    report.detail = `${run.tests.length} tests, ${failed} failed${run.interrupted ? `, ${run.interrupted.reason}` : ''}`;
    this.#seconds += (performance.now() - started) / 1000;
    return run.interrupted === undefined;
  }

  verdict(allow: AllowList, context: AllowContext): NonNullable<LaneVerdict['suites']['hmm-tests']> {
    return summarizeHmmTests(this.#tests, this.#interrupted, this.#seconds, allow, context);
  }
}

function groupOf(test: string): TestGroup {
  return /coherent/.test(test) ? 'coherent' : 'private';
}
