import { describe, expect, it } from 'vitest';
import { DEFAULT_OPERATIONS, exhaustivePrograms } from '../../../harness/programs/exhaustive.ts';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { makeProfile } from '../../../model/profile.ts';

const profile = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
const all = (length: number, more = {}) => [
  ...exhaustivePrograms({
    profile,
    length,
    pages: 2,
    devices: 1,
    processes: 2,
    operations: DEFAULT_OPERATIONS,
    ...more,
  }),
];

describe('exhaustive programs', () => {
  it('are, of one step, one for each step that is possible', () => {
    const last = all(1).map(({ steps }) => steps.at(-1)!);
    const at = (first: number, count = 1) => ({ region: 0, first, count });
    expect(last).toEqual([
      ...[0, 1].map((page) => ({ op: 'cpu-read', by: 0, at: at(page) })),
      ...[0, 1].map((page) => ({ op: 'cpu-write', by: 0, at: at(page) })),
      ...['migrate-to-dev', 'migrate-to-sys'].flatMap((op) =>
        [at(0), at(1), at(0, 2)].map((range) => ({ op, by: 0, device: 0, at: range })),
      ),
      { op: 'fork', by: 0, child: 1 },
    ]);
  });

  it('are each made once, with names that tell them apart', () => {
    const programs = all(3);
    expect(new Set(programs.map(({ steps }) => JSON.stringify(steps))).size).toBe(programs.length);
    expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length);
    expect(programs.every(({ steps }) => steps.length === 5)).toBe(true);
  });

  it('leave out what is not safe', () => {
    const programs = all(2, { operations: ['migrate-to-dev', 'read', 'write'] });
    expect(programs.filter((program) => findHazard(program, profile))).toEqual([]);
    // A page that is born on the device must not be written through it.
    const unsafe = programs.filter(
      ({ steps: [, , first, second] }) => first!.op === 'migrate-to-dev' && second!.op === 'write',
    );
    expect(unsafe.every(({ steps: [, , first, second] }) => disjoint(first, second))).toBe(true);
  });

  it('have no more processes than asked for', () => {
    const forks = all(3, { processes: 1 }).flatMap(({ steps }) => steps.filter(({ op }) => op === 'fork'));
    expect(forks).toEqual([]);
  });
});

function disjoint(...steps: unknown[]): boolean {
  const [a, b] = steps.map((step) => (step as { at: { first: number; count: number } }).at);
  return a!.first + a!.count <= b!.first || b!.first + b!.count <= a!.first;
}
