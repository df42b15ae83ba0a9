/** How much of kernel and model the suite `programs` has looked at. */
import { number } from './number.ts';
import type { LaneVerdict } from './verdict.ts';

type Programs = NonNullable<LaneVerdict['suites']['programs']>;

const INDENT = ' '.repeat(9);
/** Rows that are in no table, and that are named in the short form. */
const NAMED = 3;

/** Name and text of lines for the short form. */
export function formatReach({ byField, invariants, smapsEvery, coverage }: Programs): [string, string][] {
  const fields = Object.values(byField).filter((times) => times > 0).length;
  const checks = Object.values(invariants).reduce((sum, times) => sum + times, 0);
  const tables = Object.entries(coverage).map(([name, { rows, reached }]) => `${name} ${reached}/${rows}`);
  const undeclared = Object.values(coverage).flatMap((table) => table.undeclared);
  const times = (field: string) => number(byField[field] ?? 0);
  return [
    ['observed', `${fields} fields, ${Object.keys(invariants).length} invariants (${number(checks)} checks)`],
    [
      'sampled',
      [
        `smaps ${times('smaps.mappings')} times (every ${smapsEvery} steps, and the last)`,
        `RssAnon ${times('status.rss-anon')}`,
        `other RSS lines ${times('status.rss-file')}`,
        `meminfo ${times('meminfo.Mlocked')}`,
        `vmstat ${times('vmstat.pgmigrate_success')}`,
      ].join(', '),
    ],
    ['coverage', `${tables.join(', ')} (what is missing: hmmdiff show --details)`],
    ...(undeclared.length > 0
      ? [['', `in no table of model/coverage: ${shorten(undeclared)}`] satisfies [string, string]]
      : []),
  ];
}

function shorten(rows: readonly string[]): string {
  const more = rows.length > NAMED ? ` and ${rows.length - NAMED} more` : '';
  return `${rows.slice(0, NAMED).join('; ')}${more}`;
}

/** The whole tables. */
export function formatDetails({ byField, slackByField, invariants, coverage }: Programs): string[] {
  const line = (name: string, text: string) => `${INDENT}${name.padEnd(26)}${text}`;
  const count = (value: number) => number(value).padStart(12);
  return [
    line('field', `${'compared'.padStart(12)}${'as slack'.padStart(12)}`),
    ...Object.entries(byField).map(([name, times]) =>
      line(name, count(times) + count(slackByField[name] ?? 0)),
    ),
    line('invariant', 'checked'.padStart(12)),
    ...Object.entries(invariants).map(([name, times]) => line(name, count(times))),
    ...Object.entries(coverage).flatMap(([name, { missing, undeclared }]) => [
      ...joined(missing).map((row) => line(`not reached: ${name}`, row)),
      ...joined(undeclared).map((row) => line(`in no table: ${name}`, row)),
    ]),
  ];
}

/** Transitions of one operation from one state on one line: `munmap: device-write > unmapped, none`. */
function joined(rows: readonly string[]): string[] {
  const targets = new Map<string, string[]>();
  for (const row of rows) {
    const [from, to] = row.split(' > ');
    targets.set(from!, [...(targets.get(from!) ?? []), ...(to === undefined ? [] : [to])]);
  }
  return [...targets].map(([from, to]) => (to.length > 0 ? `${from} > ${to.join(', ')}` : from));
}
