import { createInterface } from 'node:readline';
import { ExitStatus, HmmdiffError } from '../errors.ts';
import type { Session } from '../session/session.ts';
import { KtapParser, type KtapTest } from './ktap.ts';

export interface HmmTestsOptions {
  /** Tests to run, by full name. */
  tests: readonly string[];
  signal?: AbortSignal | undefined;
  progress?: (done: number) => void;
}

export interface HmmTestsRun {
  tests: KtapTest[];
  /** The test that was under way when the guest or the program was lost, with its full name. */
  interrupted?: { name: string; reason: string };
  /** Full names of tests that were asked for and did not run. */
  remaining: string[];
  /** The whole output. */
  output: string[];
}

/**
 * What a test gets on the reference host: as much as kselftest_harness.h gives it by itself. It is the guest that ends
 * it then (qemu/guest/test_limit.h), on newer trees without waiting for its process.
 */
const TEST_LIMIT_S = 30;
/** Comes after that and ends the whole program, because older trees then wait for ever. */
const SILENCE_LIMIT_MS = 45_000;

/** All tests of hmm-tests by full name (fixture.variant.test), in the order in which it runs them. */
export async function listHmmTests(session: Session): Promise<string[]> {
  const { stderr, stdout } = await session.ssh.exec('hmm-tests -l');
  return parseTestList(`${stderr}${stdout}`);
}

/**
 * Reads `-l` of kselftest_harness.h (test_harness_list_tests): three columns, in which a fixture's variants and its
 * tests stand beside each other without belonging together.
 */
export function parseTestList(text: string): string[] {
  const names: string[] = [];
  for (const block of text.split(/^-{20,}$/m)) {
    const rows = block.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
    const column = (from: number, to?: number) =>
      rows.map((row) => row.slice(from, to).trim()).filter(Boolean);
    const [fixture] = column(0, 21);
    if (!fixture) continue;
    const variants = column(21, 47);
    for (const variant of variants.length > 0 ? variants : ['']) {
      for (const test of column(47)) names.push([fixture, variant, test].filter(Boolean).join('.'));
    }
  }
  return names;
}

/**
 * Runs hmm-tests in a guest, following its KTAP as it comes. A test that hangs is ended by the harness in it, or by
 * us; what did not run because of it is named in `remaining`, for another guest.
 *
 * @throws HmmdiffError `ktap` (exit status 1) when the output is no whole KTAP report although the program ended
 */
export async function runHmmTests(session: Session, options: HmmTestsOptions): Promise<HmmTestsRun> {
  const { tests: wanted, signal, progress } = options;
  const filter = wanted.map((name) => `-r ${name}`).join(' ');
  const parser = new KtapParser();
  const output: string[] = [];
  const tests: KtapTest[] = [];
  let running = '';
  let hung = false;

  signal?.throwIfAborted();
  // One line at a time, or results would come in blocks and have no times of their own.
  const { slowness } = session.guest;
  const seconds = Math.ceil(TEST_LIMIT_S * slowness);
  const process = await session.ssh.spawn(`HMMDIFF_TEST_SECONDS=${seconds} exec hmm-tests ${filter} 2>&1`);
  process.stdin.end();
  const limit = SILENCE_LIMIT_MS * slowness;
  const lines = createInterface({ input: process.stdout });
  const watchdog = setTimeout(() => {
    hung = true;
    // Destroying what they are read from would not end them: that would leave us waiting for a line that never comes.
    lines.close();
    process.stdout.destroy();
  }, limit);
  const onAbort = () => process.kill();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const line of lines) {
      watchdog.refresh();
      output.push(line);
      running = /^#\s+RUN\s+(\S+)/.exec(line)?.[1] ?? running;
      const test = parser.push(line, performance.now());
      if (!test) continue;
      tests.push(test);
      running = '';
      progress?.(tests.length);
    }
    if (!hung) await process.exited;
  } catch (error) {
    signal?.throwIfAborted();
    // A destroyed or lost channel; what was under way says which test it was.
    if (!hung && !(error instanceof HmmdiffError)) throw error;
    if (!hung) return interrupted('the guest was lost');
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener('abort', onAbort);
  }
  signal?.throwIfAborted();
  if (hung)
    return interrupted(`hung: no output for ${Math.round(limit / 1000)} s, and its process does not end`);

  const report = parser.end();
  if (report.problems.length > 0) {
    if (running) return interrupted('hmm-tests ended in it');
    throw new HmmdiffError('ktap', ExitStatus.finding, `hmm-tests: ${report.problems.join('; ')}`, {
      hint: 'Its output stands in hmm-tests.ktap in the run folder.',
    });
  }
  return { tests, remaining: [], output };

  function interrupted(reason: string): HmmTestsRun {
    const done = new Set(tests.map((test) => test.name));
    const remaining = wanted.filter((name) => !done.has(name) && name !== running);
    return { tests, remaining, output, ...(running ? { interrupted: { name: running, reason } } : {}) };
  }
}
