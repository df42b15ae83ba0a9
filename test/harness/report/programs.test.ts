import { expect, it } from 'vitest';
import { formatDetails, formatReach } from '../../../harness/report/programs.ts';
import type { LaneVerdict } from '../../../harness/report/verdict.ts';

const none = { rows: 1, reached: 1, missing: [], undeclared: [] };
const programs: NonNullable<LaneVerdict['suites']['programs']> = {
  programs: 1,
  steps: 1,
  fieldsCompared: 1,
  slack: 0,
  divergences: [],
  findings: [],
  seconds: 1,
  byField: {},
  bySlack: {},
  slackByField: {},
  invariants: {},
  smapsEvery: 1,
  coverage: {
    operations: { ...none, missing: ['mmap: EEXIST'] },
    transitions: {
      ...none,
      missing: ['read: none > zero', 'munmap: zero > unmapped', 'read: none > huge-zero'],
      undeclared: ['read: zero > none'],
    },
  },
  lost: [],
};

it('names what was not reached, all that an operation makes of a state on one line', () => {
  const lines = formatDetails(programs).map((line) => line.trim().replace(/ {2,}/g, ' | '));
  expect(lines.filter((line) => / (operations|transitions) /.test(line))).toEqual([
    'not reached: operations | mmap: EEXIST',
    'not reached: transitions | read: none > zero, huge-zero',
    'not reached: transitions | munmap: zero > unmapped',
    'in no table: transitions | read: zero > none',
  ]);
});

it('says how often it looked at what is dear', () => {
  const byField = {
    'smaps.mappings': 12,
    'status.rss-anon': 3456,
    'status.rss-file': 78,
    'meminfo.Mlocked': 9,
    'vmstat.pgmigrate_success': 0,
  };
  expect(new Map(formatReach({ ...programs, byField, smapsEvery: 32 })).get('sampled')).toBe(
    'smaps 12 times (every 32 steps, and the last), RssAnon 3,456, other RSS lines 78, meminfo 9, vmstat 0',
  );
});
