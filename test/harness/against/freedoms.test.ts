/** Lanes on which what the model leaves free went different ways, as on two machines with different pasts. */
import { describe, expect, it } from 'vitest';
import { comparePair, type PairResult } from '../../../harness/against/pair.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { listPages } from '../../../harness/programs/page-runs.ts';
import type { StepObservation } from '../../../model/observation.ts';
import { flagMask, type PageFlag, STALE_SLACK } from '../../../model/page-flags.ts';
import type { Arch } from '../../../model/profile.ts';
import { environmentOf, predict } from '../compare/predict.ts';
import { CtrlC } from './ctrl-c.ts';
import { laneOf } from './lanes.ts';

/** A clean page comes back from its device with PG_swapbacked or without, as of an earlier life: reclaim swaps it, or keeps it. */
const program = parseProgram(
  'stale',
  `
name: stale
regions: {a: 1}
steps:
  - {swapon: p0}
  - {mmap: a}
  - {open: 0}
  - {cpu-write: a}
  - {madvise: a, advice: free}
  - {migrate-to-dev: a, device: 0}
  - {migrate-to-sys: a, device: 0}
  - {cpu-write: a}
  - {madvise: a, advice: pageout}
  - {cpu-read: a}
  - {exit: p0}
`,
);
const [RETURNED, RECLAIMED] = [6, 8];

/** A lane of 6.12, and what its kernel would show. */
function laneOn(arch: Arch, leftovers: readonly PageFlag[]) {
  const environment = environmentOf({ kernel: '6.12', design: 'pfn', arch });
  return { environment, transcript: predict(program, environment, 0, leftovers) };
}
type Ran = ReturnType<typeof laneOn>;

function pairOf(...lanes: readonly [Ran, Ran]): Promise<PairResult> {
  const [left, right] = lanes.map(({ environment, transcript }, index) =>
    laneOf(`lane ${index}`, { environment, programs: [{ program, transcript }] }),
  );
  return comparePair(left!, right!);
}

/** @param steps take the place of those that the lane has */
function showing(lane: Ran, steps: ReadonlyMap<number, StepObservation>): Ran {
  const { transcript } = lane;
  const shown = transcript.steps.map((step, index) => steps.get(index) ?? step);
  return { ...lane, transcript: { ...transcript, steps: shown } };
}

const kept = laneOn('x86_64', ['SWAPBACKED']);
const cleared = laneOn('aarch64', []);

describe('a freedom that went one way on one lane, and another way on the other', () => {
  it('explains what follows from it, by its name', async () => {
    const { differences, explained, freed, freedBy } = await pairOf(kept, cleared);
    expect(differences).toEqual([]);
    expect(freed).toMatchObject({ status: 1, pagemap: 1, content: 1, scan: 1, 'soft-dirty': 0 });
    const all = Object.values(freed).reduce((sum, count) => sum + count, 0);
    expect(freedBy).toEqual({ [STALE_SLACK]: all });
    // As ever between these two.
    expect(explained['soft-dirty']).toBeGreaterThan(0);
  });

  it('explains a bit that the views show', async () => {
    const { differences, freed, freedBy } = await pairOf(laneOn('x86_64', ['UNEVICTABLE']), cleared);
    expect(differences).toEqual([]);
    expect(freed.kpageflags).toBeGreaterThan(0);
    expect(Object.keys(freedBy)).toEqual([STALE_SLACK]);
  });

  it('explains nothing where it went the same way on both', async () => {
    const { differences, freed, freedBy } = await pairOf(kept, laneOn('aarch64', ['SWAPBACKED']));
    expect(differences).toEqual([]);
    expect(Object.values(freed)).toEqual(Object.values(freed).map(() => 0));
    expect(freedBy).toEqual({});
  });

  it('does not explain that each does what the other must', async () => {
    const swapped = showing(kept, stepsOf(laneOn('x86_64', []), RECLAIMED));
    const stays = showing(cleared, stepsOf(laneOn('aarch64', ['SWAPBACKED']), RECLAIMED));
    expect((await pairOf(swapped, stays)).differences).toEqual([
      { program: program.name, step: RECLAIMED, view: 'status' },
    ]);
  });

  it.each(['UPTODATE', 'MLOCKED'] as const)('does not explain a wrong %s beside it', async (flag) => {
    const step = kept.transcript.steps[RETURNED]!;
    const regions = step.regions.map((region) => ({
      ...region,
      pages: listPages(region.pages).map((page) => ({
        ...page,
        kpageflags: page.kpageflags! ^ flagMask([flag]),
      })),
    }));
    const wrong = showing(kept, new Map([[RETURNED, { ...step, regions }]]));
    expect((await pairOf(wrong, cleared)).differences).toEqual([
      { program: program.name, step: RETURNED, view: 'kpageflags' },
    ]);
  });
});

describe('a page that may be mlocked from an earlier life', () => {
  const mlocked = parseProgram(
    'mlocked',
    `
name: mlocked
regions: {a: 1}
steps:
  - {mmap: a}
  - {open: 0}
  - {mlock: a}
  - {migrate-to-dev: a, device: 0}
  - {munmap: a}
`,
  );
  const MIGRATED = 3;

  /** @param kib by how much Mlocked is less than without such a page, from its migration on */
  function laneWith(arch: Arch, kib: number) {
    const environment = environmentOf({ kernel: '6.12', design: 'pfn', arch });
    const transcript = predict(mlocked, environment);
    const less = (gauges: StepObservation['meminfo']) => ({ ...gauges, Mlocked: gauges!.Mlocked! - kib });
    const steps = transcript.steps.map((step, index) =>
      index < MIGRATED ? step : { ...step, meminfo: less(step.meminfo) },
    );
    const changed = { ...transcript, steps, meminfo: less(transcript.meminfo) };
    return laneOf(arch, { environment, programs: [{ program: mlocked, transcript: changed }] });
  }

  it('explains what meminfo counts of it', async () => {
    const { differences, freed, freedBy } = await comparePair(laneWith('x86_64', 0), laneWith('aarch64', 4));
    expect(differences).toEqual([]);
    // After the migration, after munmap, and at the end.
    expect(freed.meminfo).toBe(3);
    expect(freedBy).toEqual({ [STALE_SLACK]: 3 });
  });

  it('does not explain more than one page', async () => {
    const { differences } = await comparePair(laneWith('x86_64', 0), laneWith('aarch64', 8));
    expect(differences).toEqual([{ program: mlocked.name, step: MIGRATED, view: 'meminfo' }]);
  });
});

it('is looked for no longer than a moment after Ctrl-C, however many programs there are to look at again', async () => {
  const ctrlC = new CtrlC();
  const [left, right] = [kept, cleared].map((lane, index) => {
    const one = laneOf(`lane ${index}`, {
      environment: lane.environment,
      programs: [{ program, transcript: lane.transcript }],
    });
    return {
      ...one,
      async *recorded(wanted: ReadonlySet<number>) {
        ctrlC.press(1);
        for (;;) yield* one.recorded(wanted);
      },
    };
  });
  const { signal } = ctrlC;
  await expect(comparePair(left!, right!, { signal })).rejects.toThrow('stopped');
  expect(ctrlC.elapsed).toBeLessThan(1000);
});

/** The step, and those behind it. */
function stepsOf({ transcript }: Ran, first: number): Map<number, StepObservation> {
  return new Map(transcript.steps.map((step, index) => [index, step] as const).slice(first));
}
