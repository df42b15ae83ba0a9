import { describe, expect, it } from 'vitest';
import { parseProgram } from '../../../harness/programs/load.ts';

function messageOf(text: string): string {
  try {
    parseProgram('p.yaml', text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

function file(...steps: string[]): string {
  return `name: test\nregions: {a: 4, b: 1}\nsteps:\n${steps.map((step) => `  - ${step}\n`).join('')}`;
}

describe('a program file', () => {
  it('becomes a program', () => {
    const text = file(
      '{mmap: a}',
      '{mmap: b, protection: read}',
      '{open: 1}',
      '{cpu-write: "a[0..3]"}',
      '{migrate-to-dev: "a[1..2]", device: 1}',
      '{fork: p1}',
      '{read: b, device: 1, by: p1}',
      '{munmap: "a[2]", by: p1}',
      '{close: 1, by: p1}',
      '{exit: p0}',
    );
    expect(parseProgram('p.yaml', text)).toEqual({
      name: 'test',
      regions: [
        { name: 'a', pages: 4 },
        { name: 'b', pages: 1 },
      ],
      steps: [
        { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
        { op: 'mmap', by: 0, region: 1, protection: 'read' },
        { op: 'open', by: 0, device: 1 },
        { op: 'cpu-write', by: 0, at: { region: 0, first: 0, count: 4 } },
        { op: 'migrate-to-dev', by: 0, device: 1, at: { region: 0, first: 1, count: 2 } },
        { op: 'fork', by: 0, child: 1 },
        { op: 'read', by: 1, device: 1, at: { region: 1, first: 0, count: 1 } },
        { op: 'munmap', by: 1, at: { region: 0, first: 2, count: 1 } },
        { op: 'close', by: 1, device: 1 },
        { op: 'exit', by: 0 },
      ],
    });
  });

  it.each([
    [
      'an unknown key',
      'name: test\nregion: {a: 4}\nregions: {a: 4}\nsteps: [{mmap: a}]',
      'p.yaml:2:1: Unrecognized key: "region"',
    ],
    [
      'a bad name',
      'name: Bad Name\nregions: {a: 4}\nsteps: [{mmap: a}]',
      'p.yaml:1:7: name: a name has lower-case letters',
    ],
    [
      'a region of too many pages',
      'name: t\nregions: {a: 65}\nsteps: [{mmap: a}]',
      'p.yaml:2:14: regions.a: a region has 1..64 pages',
    ],
    [
      'a huge region that maps a file',
      'name: p\nregions: {h: {pmds: 1, backing: private-file}}\nsteps: [{mmap: h}]\n',
      'p.yaml:2:14: regions.h: hugetlb is for huge regions, and other files are for small ones',
    ],
    [
      'a backing that there is none',
      'name: p\nregions: {h: {pages: 1, backing: disk}}\nsteps: [{mmap: h}]\n',
      'p.yaml:2:34: regions.h.backing: Invalid option',
    ],
    [
      'a huge region of too many PMDs',
      'name: t\nregions: {h: {pmds: 4}}\nsteps: [{mmap: h}]',
      'p.yaml:2:21: regions.h.pmds: a huge region has 1..3 PMDs',
    ],
    [
      'too many regions',
      'name: t\nregions: {a: 1, b: 1, c: 1, d: 1, e: 1}\nsteps: [{mmap: a}]',
      'p.yaml:2:10: regions: a program has 1..4 regions',
    ],
    ['broken YAML', 'name: t\nregions: {a: 4\nsteps: [', 'p.yaml:3:'],
    [
      'an unknown operation',
      file('{mmap: a}', '{migrate: a}'),
      'p.yaml:5:15: steps.1.migrate: "migrate" is no operation; operations are mmap, ',
    ],
    [
      'an unknown key of a step',
      file('{mmap: a, prot: read}'),
      'p.yaml:4:21: steps.0.prot: mmap takes by, protection, not "prot"',
    ],
    [
      'an unknown region',
      file('{mmap: c}'),
      'p.yaml:4:12: steps.0.mmap: there is no region "c"; regions are a, b',
    ],
    [
      'a page beyond its region',
      file('{cpu-read: "a[2..4]"}'),
      'p.yaml:4:16: steps.0.cpu-read: page 4 is beyond region "a", which has pages 0..3',
    ],
    ['an empty range', file('{cpu-read: "a[3..2]"}'), 'steps.0.cpu-read: "a[3..2]" is empty: 2 is before 3'],
    ['no range', file('{cpu-read: "a[1"}'), 'steps.0.cpu-read: "a[1" is no range'],
    ['a part of a region to map', file('{mmap: "a[1]"}'), 'steps.0.mmap: mmap maps a whole region'],
    [
      'an unknown protection',
      file('{mmap: a, protection: rw}'),
      'p.yaml:4:27: steps.0.protection: protection is one of none, read, read-write',
    ],
    ['an unknown device', file('{open: 4}'), 'p.yaml:4:12: steps.0.open: open needs a device: 0 to 3'],
    [
      'a device operation without a device',
      file('{open: 0}', '{read: a}'),
      'p.yaml:5:5: steps.1: device needs a device: 0 to 3',
    ],
    [
      'a device that is not open',
      file('{mmap: a}', '{read: a, device: 0}'),
      'p.yaml:5:5: steps.1: p0 does not have device 0 open',
    ],
    [
      'a device that is open already',
      file('{open: 0}', '{open: 0}'),
      'p.yaml:5:5: steps.1: p0 has device 0 open already',
    ],
    ['a process that was never forked', file('{mmap: a, by: p1}'), 'steps.0: p1 was never forked'],
    [
      'a process that has ended',
      file('{fork: p1}', '{exit: p1}', '{mmap: a, by: p1}'),
      'p.yaml:6:5: steps.2: p1 has ended',
    ],
    [
      'processes out of order',
      file('{fork: p2}'),
      'steps.0: processes are numbered in order of creation: this one is p1',
    ],
    [
      'too many processes',
      file('{fork: p1}', '{fork: p2}', '{fork: p3}', '{fork: p4}'),
      'p.yaml:7:5: steps.3: a program has at most 4 processes',
    ],
    ['no process', file('{fork: 1}'), 'steps.0.fork: fork needs a process such as p1'],
    ['an exit by somebody', file('{exit: p0, by: p0}'), 'steps.0.by: exit takes nothing else, not "by"'],
  ])('with %s says so, with line and column', (_, text, message) => {
    expect(messageOf(text)).toContain(message);
  });
});
