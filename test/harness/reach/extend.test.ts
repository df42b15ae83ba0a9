import { describe, expect, it } from 'vitest';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { Beginnings } from '../../../harness/reach/beginnings.ts';
import { extend } from '../../../harness/reach/extend.ts';
import { rowsIn, rowsOf } from '../../../harness/reach/rows.ts';
import { parseTransition } from '../../../harness/reach/targets.ts';
import { type Coverage, newCoverage } from '../../../model/coverage/coverage.ts';
import { rowsFor } from '../../../model/coverage/tables.ts';
import { STOCK } from '../../model/play.ts';

const DEVICE = parseProgram(
  'device',
  `name: device
regions: {a: 2, b: 1}
steps:
  - {mmap: a}
  - {open: 0}
  - {migrate-to-dev: "a[0]", device: 0}
  - {mmap: b, protection: read}
  - {cpu-read: a}
`,
);

/** Of all transitions but these. */
function lacking(...rows: readonly string[]): Coverage {
  const coverage = newCoverage();
  for (const row of rowsFor('transitions', STOCK)) {
    if (!rows.includes(row)) coverage.transitions.set(row, 1);
  }
  return coverage;
}

function beginningsOf(program: typeof DEVICE): Beginnings {
  const beginnings = new Beginnings(STOCK);
  beginnings.addAll(program);
  return beginnings;
}

describe('beginnings', () => {
  it('are the first steps after which a page is in a state, in each kind of mapping', () => {
    const beginnings = beginningsOf(DEVICE);
    expect(beginnings.choose('device-write', 0, 0)!.end).toBe(3);
    expect(beginnings.choose('none', 0, 0)!.end).toBe(1);
    expect(beginnings.choose('none-read-only', 0, 0)!.end).toBe(4);
    expect(beginnings.choose('ram-write', 0, 0)!.end).toBe(5);
    expect(beginnings.choose('ram-shared', 0, 0)).toBeUndefined();
  });

  it('are kept while they are short', () => {
    const beginnings = beginningsOf(DEVICE);
    const ends = Array.from({ length: 8 }, (_, which) => beginnings.choose('none', 0, which)!.end);
    expect(new Set(ends)).toEqual(new Set([1, 2, 3, 4]));
  });
});

describe('extend', () => {
  const ROWS = ['munmap: device-write > unmapped', 'fork: device-write > device-shared'];

  it('finds a row by its operation behind the beginning of another program', { timeout: 60_000 }, () => {
    const coverage = lacking(...ROWS);
    const tries = extend({ profile: STOCK, coverage, beginnings: beginningsOf(DEVICE), seed: 1 });
    const found = Array.from({ length: 20 }, () => tries.next().value).filter((one) => one !== undefined);
    expect(
      found
        .flatMap(({ rows }) => rows)
        .filter((row) => row.startsWith('transitions'))
        .sort(),
    ).toEqual(ROWS.map((row) => `transitions ${row}`).sort());
    expect(rowsIn(coverage)).toEqual(expect.arrayContaining(ROWS.map((row) => `transitions ${row}`)));
    for (const { program, rows } of found) {
      expect(findHazard(program, STOCK)).toBeUndefined();
      expect([...rowsOf(program, STOCK)]).toEqual(expect.arrayContaining([...rows]));
    }
  });

  it('looks beyond the tables for what no program reached', { timeout: 60_000 }, () => {
    const coverage = lacking();
    const known = new Set(rowsIn(coverage));
    const tries = extend({
      profile: STOCK,
      coverage,
      beginnings: beginningsOf(DEVICE),
      seed: 1,
      beyond: true,
    });
    const found = Array.from({ length: 20 }, () => tries.next().value).filter((one) => one !== undefined);
    const rows = found.flatMap((one) => one.rows);
    expect(new Set(rows).size).toBe(rows.length);
    // None of the other tables was covered.
    expect(rows.filter((row) => row.startsWith('states ')).length).toBeGreaterThan(0);
    expect(rows.filter((row) => known.has(row))).toEqual([]);
    for (const { program } of found) expect(findHazard(program, STOCK)).toBeUndefined();
  });

  it('finds nothing where no program gets to the state that a row starts from', () => {
    const coverage = lacking('munmap: swap-shared > unmapped');
    const tries = extend({ profile: STOCK, coverage, beginnings: beginningsOf(DEVICE), seed: 1 });
    expect(Array.from({ length: 5 }, () => tries.next().value)).toEqual(Array(5).fill(undefined));
  });
});

it('takes a row apart, with the place of the page', () => {
  expect(parseTransition('cpu-read elsewhere: device-shared > ram-shared')).toEqual({
    op: 'cpu-read',
    from: 'device-shared',
    to: 'ram-shared',
    elsewhere: true,
  });
  expect(parseTransition('fork child: none > none')).toMatchObject({ op: 'fork', elsewhere: false });
});
