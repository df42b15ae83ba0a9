import { describe, expect, it } from 'vitest';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { nameFor } from '../../../harness/reach/names.ts';
import { Roads } from '../../../harness/reach/roads.ts';
import { rowsOf } from '../../../harness/reach/rows.ts';
import { search } from '../../../harness/reach/search.ts';
import { formatUndeclared } from '../../../harness/reach/undeclared.ts';
import { newCoverage, reportCoverage } from '../../../model/coverage/coverage.ts';
import { makeProfile } from '../../../model/profile.ts';
import { STOCK } from '../../model/play.ts';

const OLDER = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

describe('search', () => {
  const find = (count: number, seed: number) => {
    const coverage = newCoverage();
    const walks = search({ profile: STOCK, coverage, seed });
    const found = Array.from({ length: count }, () => walks.next().value).filter((one) => one !== undefined);
    return { found, coverage };
  };

  it('finds safe programs, each of which reaches what none before it did', { timeout: 60_000 }, () => {
    const { found, coverage } = find(3, 1);
    const reached = new Set<string>();
    for (const { program, rows } of found) {
      expect(findHazard(program, STOCK)).toBeUndefined();
      expect(rows.length).toBeGreaterThan(0);
      expect(rows.filter((row) => reached.has(row))).toEqual([]);
      for (const row of rowsOf(program, STOCK)) reached.add(row);
      expect(rows.filter((row) => !reached.has(row))).toEqual([]);
    }
    expect(reportCoverage(coverage, STOCK).transitions.reached).toBeGreaterThan(100);
  });

  it('is the same for the same seed', { timeout: 60_000 }, () => {
    expect(find(2, 2).found).toEqual(find(2, 2).found);
    expect(find(2, 2).found).not.toEqual(find(2, 3).found);
  });
});

describe('roads', () => {
  it('lead to a state by steps that the tables have', () => {
    const roads = new Roads(STOCK);
    expect(roads.towards('device-shared', new Set(['device-write']))).toContainEqual({
      op: 'fork',
      from: 'device-write',
    });
    const first = roads.towards('other-device-shared', new Set(['none']));
    expect(first.every(({ from }) => from === 'none')).toBe(true);
    expect(first.map(({ op }) => op)).toContain('migrate-to-dev');
  });

  it('do not lead to device folios on 6.12, which has none', () => {
    expect(new Roads(OLDER).towards('huge-device-write', new Set(['none']))).toEqual([]);
  });
});

describe('names of found programs', () => {
  it('are those of a transition, and tell programs apart', () => {
    const rows = ['rules zap', 'transitions cpu-read elsewhere: device-shared > ram-shared'];
    const name = 'cpu-read-elsewhere-device-shared-to-ram-shared';
    expect(nameFor(rows, new Set())).toBe(name);
    expect(nameFor(rows, new Set([name]))).toBe(`${name}-2`);
    expect(nameFor(['operations release: EFAULT'], new Set())).toBe('release-efault');
  });
});

it('prints what is in no table as it would stand in one', () => {
  const tables = (...undeclared: string[]) => {
    const none = { rows: 0, reached: 0, missing: [], undeclared: [] };
    return { operations: none, states: none, rules: none, transitions: { ...none, undeclared } };
  };
  const text = formatUndeclared([
    {
      kernel: '7.3',
      tables: tables('read: none > zero', 'read: none > huge-zero', 'fork child: none > none'),
    },
    { kernel: '6.12', tables: tables('read: none > zero') },
  ]);
  expect(text).toBe(`transitions in no table, on all kernels:
  read: {
    none: 'zero',
  },
transitions in no table, on 7.3 alone:
  read: {
    none: 'huge-zero',
  },
  'fork child': {
    none: 'none',
  },
`);
});
