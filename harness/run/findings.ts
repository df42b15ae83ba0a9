import type { Splat } from '../../qemu/splats.ts';
import { describeFingerprint } from '../divergence/fingerprint.ts';
import type { AllowContext, AllowList } from '../report/allow.ts';
import type { LaneVerdict } from '../report/verdict.ts';
import type { KtapTest } from '../suites/ktap.ts';

type Suites = LaneVerdict['suites'];

/** Adds one guest's splats to a lane's, one entry per title. */
export class SplatLog {
  readonly entries: LaneVerdict['splats'] = [];

  constructor(
    private readonly allow: AllowList,
    private readonly context: AllowContext,
  ) {}

  /** Why the allow list lets a splat pass, or undefined. */
  allows(splat: Splat, devices: AllowContext['devices']): string | undefined {
    return this.allow.splat(splat.title, { ...this.context, devices });
  }

  add(splat: Splat, devices: AllowContext['devices'], consoleFile: string): void {
    const allowed = this.allows(splat, devices);
    const known = this.entries.find((entry) => entry.title === splat.title && entry.allowed === allowed);
    if (known) {
      known.count += 1;
      return;
    }
    this.entries.push({
      kind: splat.kind,
      title: splat.title,
      ...(allowed === undefined ? {} : { allowed }),
      count: 1,
      console: consoleFile,
      firstLine: splat.firstLine,
      lines: splat.lines,
    });
  }
}

/** Sums up hmm-tests; a test that was interrupted has failed. */
export function summarizeHmmTests(
  tests: readonly KtapTest[],
  interrupted: readonly { name: string; reason: string }[],
  seconds: number,
  allow: AllowList,
  context: AllowContext,
): NonNullable<Suites['hmm-tests']> {
  const bad = (test: KtapTest) => ['fail', 'timeout', 'error', 'xpass'].includes(test.status);
  const failures = [
    ...tests.filter(bad).map((test) => ({ name: test.name, reason: reasonOf(test) })),
    ...interrupted,
  ].map((failure) => {
    const allowed = allow.test(failure.name, context);
    return { ...failure, ...(allowed === undefined ? {} : { allowed }) };
  });
  const durations = tests.flatMap(({ name, seconds }) =>
    seconds === undefined ? [] : [[name, round(seconds)]],
  );
  return {
    pass: tests.filter(({ status }) => status === 'pass' || status === 'xfail').length,
    fail: failures.length,
    skip: tests.filter(({ status }) => status === 'skip').length,
    seconds: round(seconds),
    failures,
    durations: Object.fromEntries(durations),
  };
}

function reasonOf(test: KtapTest): string {
  if (test.status === 'timeout') return 'hung: ended by its time limit';
  const said = test.diagnostics.filter((line) => !/^\s*(RUN|FAIL|OK)\b/.test(line));
  return said.join(' | ').replaceAll(/\S*\/(tools\/testing\/)/g, '$1') || test.reason || test.status;
}

/** What makes a lane not ok, in a line each. */
export function findingsOf(lane: Pick<LaneVerdict, 'suites' | 'splats' | 'system' | 'load'>): string[] {
  const { suites, splats, system, load } = lane;
  const tests = suites['hmm-tests'];
  return [
    ...(load && load.seen !== load.expected
      ? [`loading test_hmm: expected ${load.expected}, seen ${load.seen}`]
      : []),
    ...system.divergences.map(({ field, expected, seen }) => `${field}: expected ${expected}, seen ${seen}`),
    ...(tests?.failures ?? [])
      .filter(({ allowed }) => allowed === undefined)
      .map(({ name, reason }) => `hmm-tests: ${name}: ${reason}`),
    ...(suites.programs?.findings ?? []).map(
      ({ id, fingerprint, shown, programs, like }) =>
        `${programs === 1 ? 'a program' : `${programs} programs`}: ${describeFingerprint(fingerprint, shown ?? undefined)} (${like ? `${id}, like ${like}` : id})`,
    ),
    ...(suites.lifecycle?.failures ?? []).map((failure) => `lifecycle: ${failure}`),
    ...splats
      .filter(({ allowed }) => allowed === undefined)
      .map(({ title, count }) => `splat: ${title}${count > 1 ? ` (${count} times)` : ''}`),
  ];
}

export function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
