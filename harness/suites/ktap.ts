/**
 * A parser of KTAP (Documentation/dev-tools/ktap.rst) as kselftest and KUnit print it, nested results included.
 * A nested block is indented (KUnit), or has each of its lines behind "# " (kselftest's runner.sh).
 */

export type KtapStatus = 'pass' | 'fail' | 'skip' | 'xfail' | 'xpass' | 'timeout' | 'error';

export interface KtapTest {
  number: number;
  name: string;
  status: KtapStatus;
  /** Text after the directive, such as the reason of a SKIP. */
  reason: string;
  /** Diagnostic lines before the result line, without "# ". */
  diagnostics: string[];
  subtests: KtapTest[];
  /** From the result line before (or the plan) to this one; undefined when the lines had no times. */
  seconds: number | undefined;
}

export interface KtapReport {
  tests: KtapTest[];
  /** What makes the report untrustworthy, such as a plan that does not match the count. Empty when it is whole. */
  problems: string[];
}

interface Level {
  indent: string;
  plan: number | undefined;
  tests: KtapTest[];
  diagnostics: string[];
  /** The block was closed by its parent's result line. */
  lastAt: number | undefined;
}

const VERSION = /^(?:K?TAP version \d+)$/;
const PLAN = /^1\.\.(\d+)(?:\s+#\s*SKIP\b\s*(.*))?$/i;
const RESULT = /^(not )?ok(?: (\d+))?(?: -)?(?: ([^#]*?))?(?:\s*#\s*(\w+)\b:?\s*(.*))?$/;

/** Feed it line by line as they come; `end` tells the whole. */
export class KtapParser {
  readonly #problems: string[] = [];
  readonly #levels: Level[] = [level('')];
  #bailed = false;

  /** @param at time of the line in ms on any clock; for durations */
  push(line: string, at?: number): KtapTest | undefined {
    const found = this.#levelOf(line);
    const current = found.level;
    const text = found.text;
    if (VERSION.test(text)) {
      if (current.lastAt === undefined) current.lastAt = at;
      return undefined;
    }
    const plan = PLAN.exec(text);
    if (plan) {
      if (current.plan !== undefined) this.#problems.push(`a second plan: ${text}`);
      current.plan = Number(plan[1]);
      current.lastAt = at;
      return undefined;
    }
    if (/^Bail out!/.test(text)) {
      this.#problems.push(text);
      this.#bailed = true;
      return undefined;
    }
    const result = RESULT.exec(text);
    if (!result) {
      if (text.startsWith('#')) current.diagnostics.push(text.replace(/^#\s?/, ''));
      return undefined;
    }
    const subtests = this.#closeBelow(current);
    const number = result[2] === undefined ? current.tests.length + 1 : Number(result[2]);
    if (number !== current.tests.length + 1) {
      this.#problems.push(`result ${current.tests.length + 1} has number ${number}: ${text}`);
    }
    const test: KtapTest = {
      number,
      name: result[3]?.trim() ?? '',
      status: statusOf(result[1] !== undefined, result[4], current.diagnostics),
      reason: result[4] === undefined ? '' : (result[5] ?? '').trim(),
      diagnostics: current.diagnostics,
      subtests,
      seconds: at === undefined || current.lastAt === undefined ? undefined : (at - current.lastAt) / 1000,
    };
    current.diagnostics = [];
    current.lastAt = at;
    current.tests.push(test);
    return current === this.#levels[0] ? test : undefined;
  }

  /** The report, once the output has ended. */
  end(): KtapReport {
    const top = this.#levels[0]!;
    if (this.#levels.length > 1) this.#closeBelow(top);
    if (top.plan === undefined) this.#problems.push('no plan ("1..N")');
    else this.#checkPlan(top, 'the plan');
    if (this.#bailed && top.tests.every((test) => test.status !== 'fail')) {
      this.#problems.push('the test program gave up');
    }
    return { tests: top.tests, problems: this.#problems };
  }

  #levelOf(line: string): { level: Level; text: string } {
    // The deepest open block whose prefix the line has.
    for (let depth = this.#levels.length - 1; depth >= 0; depth--) {
      const candidate = this.#levels[depth]!;
      if (!line.startsWith(candidate.indent)) continue;
      const text = line.slice(candidate.indent.length);
      const opened = opensBlock(text);
      if (opened) {
        this.#closeBelow(candidate, true);
        const nested = level(candidate.indent + opened);
        this.#levels.push(nested);
        return { level: nested, text: line.slice(nested.indent.length) };
      }
      return { level: candidate, text };
    }
    return { level: this.#levels[0]!, text: line };
  }

  /** Ends the blocks inside `parent`; answers the results of the outermost of them. */
  #closeBelow(parent: Level, unclaimed = false): KtapTest[] {
    let subtests: KtapTest[] = [];
    while (this.#levels.at(-1) !== parent) {
      const closed = this.#levels.pop()!;
      this.#checkPlan(closed, 'the plan of a nested block');
      subtests = closed.tests;
    }
    if (unclaimed && subtests.length > 0) {
      this.#problems.push(`a nested block of ${subtests.length} results has no result line of its own`);
    }
    return subtests;
  }

  #checkPlan(closed: Level, what: string): void {
    if (closed.plan !== undefined && closed.plan !== closed.tests.length) {
      this.#problems.push(`${what} says ${closed.plan} tests, but ${closed.tests.length} results came`);
    }
  }
}

function level(indent: string): Level {
  return { indent, plan: undefined, tests: [], diagnostics: [], lastAt: undefined };
}

/** The prefix that a nested block gets when `text` is its first line. */
function opensBlock(text: string): string | undefined {
  const match = /^( {2,}|\t|# )(.*)$/.exec(text);
  if (!match) return undefined;
  const [, prefix, rest] = match as unknown as [string, string, string];
  if (VERSION.test(rest)) return prefix;
  return prefix !== '# ' && (PLAN.test(rest) || /^# Subtest:/.test(rest)) ? prefix : undefined;
}

function statusOf(not: boolean, directive: string | undefined, diagnostics: readonly string[]): KtapStatus {
  switch (directive?.toUpperCase()) {
    case 'SKIP':
      return 'skip';
    case 'XFAIL':
    case 'TODO':
      return 'xfail';
    case 'XPASS':
      return 'xpass';
    case 'TIMEOUT':
      return 'timeout';
    case 'ERROR':
      return 'error';
    default:
      if (!not) return 'pass';
      // kselftest_harness.h, wait_for_test: the parent killed the test after its time limit.
      return diagnostics.some((line) => /terminated by timeout/.test(line)) ? 'timeout' : 'fail';
  }
}
