import { describe, expect, it } from 'vitest';
import { cutAfter, reductions, singleRemovals } from '../../../harness/divergence/reductions.ts';
import { accepts, runsFor, shrink } from '../../../harness/divergence/shrink.ts';
import { encodeProgram } from '../../../harness/programs/encode.ts';
import { generatePrograms } from '../../../harness/programs/generate.ts';
import { generateConcurrentPrograms } from '../../../harness/programs/generate-concurrent.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { printProgram } from '../../../harness/programs/print.ts';
import type { Program } from '../../../model/program.ts';

const page = (first: number, count = 1) => ({ region: 0, first, count });

/** Shows its "bug" when p1 writes page 5 of region b after a migration of it. */
const long: Program = {
  name: 'long',
  regions: [
    { name: 'a', pages: 8 },
    { name: 'b', pages: 8 },
  ],
  steps: [
    { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
    { op: 'mmap', by: 0, region: 1, protection: 'read-write' },
    { op: 'open', by: 0, device: 0 },
    { op: 'open', by: 0, device: 1 },
    { op: 'cpu-write', by: 0, at: page(0, 8) },
    { op: 'migrate-to-dev', by: 0, device: 1, at: { region: 1, first: 2, count: 6 } },
    { op: 'fork', by: 0, child: 1 },
    { op: 'fork', by: 0, child: 2 },
    { op: 'exit', by: 1 },
    { op: 'cpu-read', by: 0, at: page(3) },
    { op: 'cpu-write', by: 2, at: { region: 1, first: 4, count: 3 } },
    { op: 'snapshot', by: 0, device: 0, at: page(0, 8) },
  ],
};

function showsIt({ steps }: Program): boolean {
  let migrated = false;
  return steps.some((step) => {
    if (step.op === 'migrate-to-dev' && step.at.count > 0) migrated = true;
    return migrated && step.op === 'cpu-write' && step.by > 0;
  });
}

describe('shrinking', () => {
  it('finds a program that cannot lose a step, a page, a process, a region or a device', async () => {
    const { program, minimal } = await shrink(long, {
      rate: { shown: 12, runs: 12 },
      runnable: () => true,
      attempt: async (candidates, runs) =>
        candidates.map((candidate) => ({ shown: showsIt(candidate) ? runs : 0, runs })),
    });
    expect(minimal).toBe(true);
    expect(program.regions).toEqual([{ name: 'b', pages: 1 }]);
    expect(program.steps).toEqual([
      { op: 'open', by: 0, device: 0 },
      { op: 'migrate-to-dev', by: 0, device: 0, at: page(0) },
      { op: 'fork', by: 0, child: 1 },
      { op: 'cpu-write', by: 1, at: page(0) },
    ]);
    expect(singleRemovals(program).filter(showsIt)).toEqual([]);
  });

  it('leaves a region huge, or as huge, only where that matters', async () => {
    const huge = parseProgram(
      'huge.yaml',
      `
name: huge
regions: { h: { pmds: 3 } }
steps:
  - { mmap: h }
  - { open: 0 }
  - { migrate-to-dev: "h[512..1535]", device: 0 }
`,
    );
    const smallest = async (shows: (program: Program) => boolean) => {
      const { program } = await shrink(huge, {
        rate: { shown: 1, runs: 1 },
        runnable: () => true,
        attempt: async (candidates, runs) =>
          candidates.map((candidate) => ({ shown: shows(candidate) ? runs : 0, runs })),
      });
      return [program.regions[0]!.pages, program.steps.at(-1)];
    };
    const migrates = ({ steps }: Program) => steps.some(({ op }) => op === 'migrate-to-dev');
    const migration = (count: number) => ({ op: 'migrate-to-dev', by: 0, device: 0, at: page(0, count) });
    expect(await smallest(migrates)).toEqual([1, migration(1)]);
    expect(await smallest((program) => migrates(program) && program.regions[0]!.pages >= 512)).toEqual([
      512,
      migration(1),
    ]);
  });

  it('accepts a flaky candidate by its rate and not by one lucky run', async () => {
    // One that lacks the fork shows it in 1 of 40 runs: another bug, or noise.
    const rate = { shown: 6, runs: 12 };
    const { program } = await shrink(long, {
      rate,
      runnable: () => true,
      attempt: async (candidates, runs) =>
        candidates.map((candidate) =>
          showsIt(candidate) ? { shown: Math.ceil(runs / 2), runs } : { shown: 1, runs: 40 },
        ),
    });
    expect(showsIt(program)).toBe(true);
    expect(program.steps).toHaveLength(4);
  });

  it('runs a flaky candidate that had bad luck again before it refuses it', async () => {
    // Each shows it once in its first runs, and in half of those that follow.
    const seen = new Set<Program>();
    const asked: number[] = [];
    const { program, minimal } = await shrink(long, {
      rate: { shown: 20, runs: 40 },
      runnable: () => true,
      attempt: async (candidates, runs) => {
        asked.push(runs);
        return candidates.map((candidate) => {
          const isFirst = !seen.has(candidate);
          seen.add(candidate);
          if (!showsIt(candidate)) return { shown: 0, runs };
          return { shown: isFirst ? 1 : Math.ceil(runs / 2), runs };
        });
      },
    });
    expect(minimal).toBe(true);
    expect(program.steps).toHaveLength(4);
    expect(new Set(asked)).toEqual(new Set([10, 30]));
  });

  it('never runs a candidate that is not safe', async () => {
    const ran: Program[] = [];
    await shrink(long, {
      rate: { shown: 1, runs: 1 },
      runnable: (program) => program.steps.some(({ op }) => op === 'snapshot'),
      attempt: async (candidates, runs) => {
        ran.push(...candidates);
        return candidates.map((candidate) => ({ shown: showsIt(candidate) ? runs : 0, runs }));
      },
    });
    expect(ran.length).toBeGreaterThan(0);
    expect(ran.every(({ steps }) => steps.some(({ op }) => op === 'snapshot'))).toBe(true);
  });

  it('says that it is not minimal when it was stopped', async () => {
    let asked = 0;
    const { minimal } = await shrink(long, {
      rate: { shown: 1, runs: 1 },
      runnable: () => true,
      stop: () => ++asked > 2,
      attempt: async (candidates, runs) => candidates.map(() => ({ shown: 0, runs })),
    });
    expect(minimal).toBe(false);
  });

  it('runs a candidate more often the rarer the failure is', () => {
    expect(runsFor({ shown: 12, runs: 12 })).toBe(1);
    expect(runsFor({ shown: 6, runs: 12 })).toBe(10);
    expect(runsFor({ shown: 1, runs: 12 })).toBe(40);
    expect(() => runsFor({ shown: 0, runs: 12 })).toThrow(RangeError);
    expect(accepts({ shown: 6, runs: 12 }, { shown: 1, runs: 6 })).toBe(false);
    expect(accepts({ shown: 6, runs: 12 }, { shown: 2, runs: 6 })).toBe(true);
  });
});

describe('reductions', () => {
  it('are programs that the agent takes, each once, for any generated program', () => {
    for (const program of [...generatePrograms(7, 12), ...generateConcurrentPrograms(7, 8)]) {
      const keys = new Set<string>();
      for (const candidate of reductions(program)) {
        expect(() => encodeProgram(candidate, { sequence: 1, limitMs: 1 })).not.toThrow();
        keys.add(JSON.stringify([candidate.regions, candidate.steps]));
      }
      const { length } = [...reductions(program)];
      expect(keys.size).toBe(length);
      expect(keys.has(JSON.stringify([program.regions, program.steps]))).toBe(false);
    }
  });

  it('of a step together leave out actors, parts, rounds and time', async () => {
    const race = parseProgram(
      'race',
      `name: race
regions: {a: 4}
steps:
  - {mmap: a}
  - {open: 0}
  - {fork: p1}
  - together:
      - [{cpu-read: a}, {migrate-to-dev: a, device: 0}]
      - [{cpu-read: a, by: p1}]
      - [{cpu-write: "a[0..1]"}, {cpu-read: a}]
    rounds: 100
    apart: 16
`,
    );
    const isRace = ({ steps }: Program) =>
      steps.some(({ op, ...step }) => {
        const ops =
          op === 'together' && 'actors' in step ? step.actors.map((parts) => parts.map((p) => p.op)) : [];
        return ops.some((o) => o.includes('migrate-to-dev')) && ops.some((o) => o.includes('cpu-write'));
      });
    const { program, minimal } = await shrink(race, {
      rate: { shown: 3, runs: 12 },
      runnable: () => true,
      attempt: async (candidates, runs) =>
        candidates.map((candidate) => ({ shown: isRace(candidate) ? runs : 0, runs })),
    });
    expect(minimal).toBe(true);
    expect(printProgram({ ...program, name: 'race' })).toBe(`name: race
regions: {a: 1}
steps:
  - {open: 0}
  - {together: [[{migrate-to-dev: a, device: 0}], [{cpu-write: a}]]}
`);
  });

  it('take with a fork everything that its child does, and number the others anew', () => {
    const withoutFork = singleRemovals(long)[6]!;
    expect(withoutFork.steps.map(({ op, by }) => `${op} ${by}`)).toEqual([
      'mmap 0',
      'mmap 0',
      'open 0',
      'open 0',
      'cpu-write 0',
      'migrate-to-dev 0',
      'fork 0',
      'cpu-read 0',
      'cpu-write 1',
      'snapshot 0',
    ]);
  });

  it('cut a program behind the step that fails', () => {
    expect(cutAfter(long, 4).steps).toEqual(long.steps.slice(0, 5));
  });
});
