import type { Program } from '../../model/program.ts';
import type { Splat } from '../../qemu/splats.ts';
import type { Environment } from '../compare/environment.ts';
import { HmmdiffError } from '../errors.ts';
import type { Session } from '../session/session.ts';
import { type LostProgram, type ProgramResult, runPrograms } from '../suites/programs.ts';
import { leavesGuestUsable } from './aftermath.ts';
import { announcements } from './announcements.ts';
import {
  type Fingerprint,
  fingerprintOfDivergences,
  fingerprintOfLoss,
  fingerprintOfSplat,
  type Setting,
} from './fingerprint.ts';

/** What one run of a program showed. */
export interface Trial {
  program: Program;
  /** Everything that was wrong, the worst first; empty when all was as expected. */
  fingerprints: Fingerprint[];
  /** Unless the guest was lost. */
  result?: ProgramResult;
  /** What the numbers of its transcript are to be read with. */
  environment?: Environment;
  /** What the kernel reported while it ran. */
  splats: Splat[];
  /** Why the guest was lost, and the last step that it began. */
  lost?: string;
  lostStep?: number;
}

export interface TrialsOptions {
  setting: Setting;
  /** Boots a guest; the name is for its console. */
  boot: (name: string) => Promise<Session>;
  environment: (session: Session) => Environment;
  /** Whether a report of the kernel is known and let pass. */
  allows: (splat: Splat) => boolean;
  signal?: AbortSignal | undefined;
  /** Guests are called `${name}-1` and so on. */
  name: string;
}

/** Small programs are run again and again here, and some of them hang each time. */
const STEP_LIMIT_MS = 1000;

/** Runs programs on demand, in guests that it boots when it needs them. */
export class Trials implements AsyncDisposable {
  readonly #options: TrialsOptions;
  #session: Session | undefined;
  #booted = 0;
  #slowness = 1;

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** How much slower than the reference host the last guest was; multiply time limits by it. */
  get slowness(): number {
    return this.#slowness;
  }

  /** Guests that were booted so far. */
  get boots(): number {
    return this.#booted;
  }

  /** Ends the guest: the next run gets one that nothing has happened in. */
  async renew(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.[Symbol.asyncDispose]();
  }

  /**
   * Runs programs one after the other. What ends a guest, or makes its kernel report something that leaves doubts
   * about what comes after, ends the run: the trials behind it would not be worth anything.
   *
   * @returns the trials so far, in order; at least one, unless `programs` is empty
   * @throws HmmdiffError of exit status 3 when guests cannot be had
   */
  async run(programs: readonly Program[]): Promise<Trial[]> {
    if (programs.length === 0) return [];
    const { setting, signal } = this.#options;
    const session = await this.#guest();
    const { guest } = session;
    const splatsBefore = guest.splats.length;
    const linesBefore = guest.console.lines.length;
    const run = await runPrograms(session, programs, {
      environment: () => this.#options.environment(session),
      announce: true,
      stepLimit: STEP_LIMIT_MS,
      signal,
    });
    const loss = run.lost ?? (await this.#settle(session, run.results));
    const lost = loss && (loss.agentLives ? loss.reason : await session.explainLoss(loss.reason));
    if (loss) await this.renew();

    const environment = this.#options.environment(session);
    const announced = announcements(guest.console.lines.slice(linesBefore));
    const splats = guest.splats.slice(splatsBefore).filter((splat) => !this.#options.allows(splat));
    const trials = run.results.map((result, index): Trial => {
      const { program, comparison } = result;
      const mine = splats.filter((splat) => announced.at(splat.firstLine)?.program === index + 1);
      const shown = fingerprintOfDivergences(program, comparison.divergences, setting);
      return {
        program,
        result,
        environment,
        splats: mine,
        fingerprints: [
          ...mine.map((splat) =>
            fingerprintOfSplat(program, announced.at(splat.firstLine)?.step, splat, setting),
          ),
          ...(shown ? [shown] : []),
        ],
      };
    });
    if (loss && lost !== undefined) {
      // A program may be among them several times.
      const index = run.lost ? run.results.length + 1 : run.results.length;
      const step = announced.lastStepOf(index);
      trials.length = index - 1;
      trials.push({
        program: loss.program,
        lost,
        splats: splats.filter((splat) => announced.at(splat.firstLine)?.program === index),
        fingerprints: [fingerprintOfLoss(loss.program, step ?? -1, lost, setting)],
        // One that ran to its end, and whose guest was lost behind it, has to keep all steps.
        ...(run.lost && step !== undefined ? { lostStep: step } : {}),
      });
    }
    const first = trials.findIndex(({ splats }) => splats.some((splat) => !leavesGuestUsable(splat)));
    if (first < 0) return trials;
    // Many reports come once in a kernel's life.
    await this.renew();
    return trials.slice(0, first + 1);
  }

  /** Waits for everything that the kernel has said. A guest that dies of what it did before is the last program's. */
  async #settle(session: Session, results: readonly ProgramResult[]): Promise<LostProgram | undefined> {
    try {
      await session.mark();
      return undefined;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      const last = results.at(-1);
      if (!last) throw error;
      return { program: last.program, reason: 'the guest was lost behind it' };
    }
  }

  async #guest(): Promise<Session> {
    if (!this.#session) {
      this.#booted++;
      this.#session = await this.#options.boot(`${this.#options.name}-${this.#booted}`);
      this.#slowness = this.#session.guest.slowness;
      if (this.#session.load !== 'loads') {
        throw new HmmdiffError('test-hmm', 1, `test_hmm does not load: ${this.#session.load}`);
      }
    }
    return this.#session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.renew();
  }
}
