import { join } from 'node:path';
import type { Divergence } from '../compare/tally.ts';
import { type Colors, colorsFor } from './colors.ts';
import { formatDuration } from './duration.ts';
import { number } from './number.ts';
import { formatDetails, formatReach } from './programs.ts';
import type { LaneVerdict, ProgramFinding, Verdict } from './verdict.ts';

/** The verdict for people: one block per lane, then what is to be looked at. Colours only on a terminal. */
export function formatVerdict(
  verdict: Verdict,
  folder: string,
  details = false,
  paint = colorsFor(process.stdout),
): string {
  const lines: string[] = [];
  for (const lane of verdict.lanes) {
    lines.push(...formatLane(lane, folder, paint));
    if (details && lane.suites.programs) lines.push(...formatDetails(lane.suites.programs));
    lines.push('');
  }
  for (const pair of verdict.against ?? []) lines.push(...formatPair(pair, folder, paint));
  if (verdict.against) lines.push('');
  const bad = verdict.lanes.filter((lane) => !lane.ok).length;
  const mark = verdict.ok ? paint.green('ok') : paint.red('NOT OK');
  lines.push(
    `${mark}: ${verdict.lanes.length - bad} of ${verdict.lanes.length} lanes without a finding, in ${formatDuration(verdict.seconds * 1000)} (seed ${verdict.seed})`,
    `${folder}/verdict.json has all of it`,
  );
  return `${lines.join('\n')}\n`;
}

function formatLane(lane: LaneVerdict, folder: string, paint: Colors): string[] {
  const title = [
    `${lane.kernel.name}${lane.series ? ` + ${lane.series}` : ''} (${lane.kernel.version})`,
    lane.arch,
    `design ${lane.design ?? 'unknown'}`,
    `${lane.machine}, ${lane.accel ?? 'no accelerator'}`,
    ...(lane.scenario === 'default' ? [] : [lane.scenario]),
    ...lane.append,
    ...(lane.readyMs === null ? [] : [`ready in ${formatDuration(lane.readyMs)}`]),
  ].join(' · ');
  const lines = [`${lane.ok ? paint.green('ok    ') : paint.red('NOT OK')} ${paint.bold(title)}`];
  const row = (name: string, text: string) => lines.push(`       ${name.padEnd(10)} ${text}`);
  const { 'hmm-tests': tests, programs } = lane.suites;
  if (lane.load && lane.load.seen !== 'loads') {
    row(
      'test_hmm',
      `${lane.load.seen}${lane.load.seen === lane.load.expected ? ', as it must in this scenario' : ''}`,
    );
    return [...lines, ...findings(lane, folder, paint)];
  }
  if (tests) {
    const allowed = tests.failures.filter((failure) => failure.allowed !== undefined).length;
    const fail = `${tests.fail} fail${allowed > 0 ? ` (${allowed} allowed)` : ''}`;
    row(
      'hmm-tests',
      `${tests.pass} pass, ${fail}, ${tests.skip} skip in ${formatDuration(tests.seconds * 1000)}`,
    );
  }
  if (programs) {
    const share = programs.fieldsCompared > 0 ? (100 * programs.slack) / programs.fieldsCompared : 0;
    row(
      'programs',
      `${number(programs.programs)} programs, ${number(programs.steps)} steps, ${number(programs.fieldsCompared)} fields compared, ${programs.divergences.length} diverge in ${formatDuration(programs.seconds * 1000)}`,
    );
    const names = Object.entries(programs.bySlack).map(([name, count]) => `${name} ${number(count)}`);
    row(
      'slack',
      `${number(programs.slack)} (${share.toFixed(2)} %)${names.length > 0 ? `: ${names.join(', ')}` : ''}`,
    );
    for (const [name, text] of formatReach(programs)) row(name, text);
  }
  const { lifecycle } = lane.suites;
  if (lifecycle) {
    row(
      'lifecycle',
      `${lifecycle.loads} loads, ${lifecycle.releases} RELEASE, ${lifecycle.closes} closes under live pages, ${lifecycle.lostKiB} KiB lost in ${formatDuration(lifecycle.seconds * 1000)}`,
    );
  }
  for (const splat of lane.splats) {
    row(
      'splat',
      `${splat.count > 1 ? `${splat.count} × ` : ''}${splat.title}${splat.allowed ? ' (allowed)' : ''}`,
    );
  }
  return [...lines, ...findings(lane, folder, paint)];
}

/** What is to be looked at. */
function findings(lane: LaneVerdict, folder: string, paint: Colors): string[] {
  const lines: string[] = [];
  for (const finding of lane.findings)
    lines.push(`       ${paint.red('✗')} ${finding.split('\n').join('\n         ')}`);
  for (const finding of lane.suites.programs?.findings ?? []) {
    lines.push(...formatFinding(finding, lane, folder, paint));
  }
  if (lane.error) lines.push(`       ${paint.red('lane not run to its end')}: ${lane.error.message}`);
  return lines;
}

const MOST_FIELDS = 4;

/** Where fields differ, and how. */
export function formatFields(fields: readonly (Omit<Divergence, 'field'> & { field: string })[]): string[] {
  const lines = fields.slice(0, MOST_FIELDS).flatMap((field) => {
    const where = [
      `step ${field.step}`,
      ...(field.process === undefined ? [] : [`p${field.process}`]),
      ...(field.page === undefined ? [] : [`region ${field.region} page ${field.page}`]),
      field.field,
    ].join(', ');
    return [where, `  expected ${field.expected}`, `  seen     ${field.seen}`, `  rule     ${field.rule}`];
  });
  if (fields.length > MOST_FIELDS) lines.push(`and ${fields.length - MOST_FIELDS} more fields`);
  return lines;
}

/** Where one program shows it, and how to see it again. */
function formatFinding(finding: ProgramFinding, lane: LaneVerdict, run: string, paint: Colors): string[] {
  const { id, example, smallest, rate, folder } = finding;
  const times = (counted: { shown: number; runs: number }) => `${counted.shown} of ${counted.runs}`;
  const lines = [`       ${paint.red(id)} ${example}`];
  const shown = lane.suites.programs?.divergences.find(({ program }) => program === example)?.fields ?? [];
  lines.push(...formatFields(shown).map((line) => `         ${line}`));
  if (rate) lines.push(`         run again by itself, it showed this in ${times(rate)} runs`);
  if (smallest && folder !== null) {
    const cold = `${times(smallest.rate)} runs, ${times(smallest.coldRate)} on a machine that had just booted`;
    lines.push(
      `         smallest program: ${smallest.steps} steps, ${smallest.minimal ? 'none of which can go' : 'not the least yet'}; shown in ${cold}`,
      ...finding.elsewhere.map(({ lane: other, rate }) => `         on ${other}: ${times(rate)} runs`),
      `         again: hmmdiff repro ${join(run, folder)}`,
    );
  }
  return lines;
}

function countsOf(counts: Readonly<Record<string, number>>): string {
  const names = Object.entries(counts).filter(([, count]) => count > 0);
  return names.map(([name, count]) => `${name} (${number(count)})`).join(', ');
}

/** Two lanes against each other. */
function formatPair(pair: NonNullable<Verdict['against']>[number], run: string, paint: Colors): string[] {
  const { lanes, programs, steps, views, explained, freed, freedBy, differences } = pair;
  const mark = differences.length === 0 ? paint.green('ok    ') : paint.red('NOT OK');
  const lines = [
    `${mark} ${paint.bold(lanes.join(' against '))}`,
    `       ${number(views)} observations of ${number(programs)} programs, ${number(steps)} steps: ${differences.length} programs differ`,
  ];
  const differ = countsOf(explained);
  if (differ !== '') lines.push(`       as the model says, they differ in ${differ}`);
  const free = countsOf(freed);
  if (free !== '') lines.push(`       by what it leaves free, they differ in ${free}: ${countsOf(freedBy)}`);
  for (const { program, step, view, file } of differences.slice(0, 10)) {
    const where = file === null ? '' : `: ${join(run, file)}`;
    lines.push(`       ${paint.red('✗')} ${program}, step ${step}, ${view}${where}`);
  }
  if (differences.length > 10) lines.push(`       and ${differences.length - 10} more programs`);
  return lines;
}
