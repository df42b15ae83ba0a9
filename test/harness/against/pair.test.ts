/** Recorded runs of the same programs on real guests, against each other. */
import { describe, expect, it } from 'vitest';
import { adoptedViews, expectedViews } from '../../../harness/against/expected-views.ts';
import { comparePair, type LaneDigests } from '../../../harness/against/pair.ts';
import { seenViews } from '../../../harness/against/seen-views.ts';
import { VIEWS } from '../../../harness/against/views.ts';
import { listPages } from '../../../harness/programs/page-runs.ts';
import type { RecordedTranscript } from '../../../harness/programs/transcript.ts';
import type { RegionObservation, TraceEvent } from '../../../model/observation.ts';
import type { Program } from '../../../model/program.ts';
import { loadRun, type Run } from '../compare/recorded-runs.ts';
import { CtrlC } from './ctrl-c.ts';
import { laneOf } from './lanes.ts';

/** Of a pagemap entry (fs/proc/task_mmu.c). */
const PM_SOFT_DIRTY = 55n;

const runs = Object.fromEntries(
  ['run-pfn-x86_64', 'run-pfn-aarch64', 'run-offset-x86_64'].map((name) => [name, loadRun(name)]),
) as Record<string, Run>;

describe.each(Object.entries(runs))(
  'the views of the recorded run %s',
  (_name, { environment, programs }) => {
    it('are those of the model, also of one that takes its freedoms as the run shows', () => {
      for (const { program, transcript } of programs) {
        const seen = [...seenViews(environment.profile, program, transcript)];
        expect(seen, program.name).toEqual([...expectedViews(program, environment.profile, transcript)]);
        const adopted = adoptedViews(program, transcript, environment).map(({ views }) => views);
        expect(adopted, program.name).toEqual(seen);
      }
    });
  },
);

describe('two lanes', () => {
  const stock = laneOf('stock', runs['run-pfn-x86_64']!);
  const series = runs['run-offset-x86_64']!;

  /** When the series shows `transcript` of one of the programs. */
  async function differencesWith(index: number, transcript: RecordedTranscript) {
    return (await comparePair(stock, laneOf('series', showing(series, index, transcript)))).differences;
  }

  it('show the same in both designs, but for the types of entries and the numbers', async () => {
    const pair = await comparePair(stock, laneOf('series', runs['run-offset-x86_64']!));
    expect(pair.programs).toBe(stock.programs.length);
    expect(pair.views).toBe(pair.steps * VIEWS.length);
    expect(pair.differences).toEqual([]);
    expect(pair.explained).toEqual(Object.fromEntries(VIEWS.map((view) => [view, 0])));
  });

  it('differ by architecture as the model says: soft-dirty bits and page-fault events are of x86_64', async () => {
    const pair = await comparePair(stock, laneOf('aarch64', runs['run-pfn-aarch64']!));
    expect(pair.differences).toEqual([]);
    const { 'soft-dirty': softDirty, faults, ...others } = pair.explained;
    expect(softDirty).toBeGreaterThan(0);
    expect(faults).toBeGreaterThan(0);
    expect(Object.values(others)).toEqual(Object.values(others).map(() => 0));
  });

  it('differ for no reason when one shows another soft-dirty bit, though the other has no such bits at all', async () => {
    const run = runs['run-pfn-x86_64']!;
    const program = run.programs.findIndex(({ transcript }) => transcript.steps.length > 1);
    const { program: changed, transcript } = run.programs[program]!;
    const [first, ...rest] = transcript.steps;
    const regions = first!.regions.map(({ pages, ...region }) => {
      const [page, ...others] = listPages(pages);
      return { ...region, pages: [{ ...page!, pagemap: page!.pagemap ^ (1n << PM_SOFT_DIRTY) }, ...others] };
    });
    const wrong = { ...transcript, steps: [{ ...first!, regions }, ...rest] };
    const lane = laneOf('stock', showing(run, program, wrong));
    const pair = await comparePair(lane, laneOf('aarch64', runs['run-pfn-aarch64']!));
    expect(pair.differences).toEqual([{ program: changed.name, step: 0, view: 'soft-dirty' }]);
  });

  it('differ for no reason when one shows another word in a page', async () => {
    const run = series;
    const hasWords = ({ pages }: RegionObservation) => pages.at(0)?.words !== undefined;
    const program = run.programs.findIndex(({ transcript }) =>
      transcript.steps.some(({ regions }) => regions.some(hasWords)),
    );
    const transcript = { ...run.programs[program]!.transcript };
    const step = transcript.steps.findIndex(({ regions }) => regions.some(hasWords));
    const changed = transcript.steps[step]!.regions.findIndex(hasWords);
    const regions = transcript.steps[step]!.regions.map((region, index) => {
      if (index !== changed) return region;
      const [first, ...rest] = listPages(region.pages);
      return { ...region, pages: [{ ...first!, words: [7n, 7n] as const }, ...rest] };
    });
    transcript.steps = transcript.steps.map((seen, index) => (index === step ? { ...seen, regions } : seen));
    expect(await differencesWith(program, transcript)).toEqual([
      { program: run.programs[program]!.program.name, step, view: 'content' },
    ]);
  });

  it.each([
    ['differ when the pages of a migration come in another order', 'migrate-to-dev', 'trace'],
    ['do not when those of a closed device do, which follow from what ran before', 'close', undefined],
  ] as const)('%s', async (_title, op, view) => {
    const isTurned = ({ steps }: Program, index: number, events: readonly TraceEvent[]) =>
      steps[index]!.op === op && events.length > 1 && events[0]!.addr !== events[1]!.addr;
    const program = series.programs.findIndex(({ program, transcript }) =>
      transcript.steps.some(({ events }, index) => isTurned(program, index, events)),
    );
    const { program: turned, transcript } = series.programs[program]!;
    const step = transcript.steps.findIndex(({ events }, index) => isTurned(turned, index, events));
    const steps = transcript.steps.map((seen, index) => {
      const [first, second, ...rest] = seen.events;
      return index === step ? { ...seen, events: [second!, first!, ...rest] } : seen;
    });
    expect(await differencesWith(program, { ...transcript, steps })).toEqual(
      view === undefined ? [] : [{ program: turned.name, step, view }],
    );
  });

  it('have nothing in common where their programs are different ones', async () => {
    const other = { ...stock, programs: stock.programs.map((program) => ({ ...program, steps: [] })) };
    expect(await comparePair(stock, other)).toMatchObject({ programs: 0, views: 0 });
  });

  it('are left alone within a moment of Ctrl-C, though they have thousands of programs', async () => {
    const aarch64 = laneOf('aarch64', runs['run-pfn-aarch64']!);
    const [left, right] = [stock, aarch64].map((lane) => many(lane, 400)) as [LaneDigests, LaneDigests];
    const ctrlC = new CtrlC();
    const { signal } = ctrlC;
    let done = 0;
    const progress = (count: number) => {
      done = count;
      if (count === 1) ctrlC.press(1);
    };
    await expect(comparePair(left, right, { signal, progress })).rejects.toThrow('stopped');
    expect(ctrlC.elapsed).toBeLessThan(1000);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(left.programs.length - 1);
  });
});

/** A run that shows `transcript` of one of its programs. */
function showing(run: Run, index: number, transcript: RecordedTranscript): Run {
  return { ...run, programs: run.programs.map((ran, at) => (at === index ? { ...ran, transcript } : ran)) };
}

/** The programs of a lane again and again, each under a name of its own. */
function many({ programs, digests, ...lane }: LaneDigests, times: number): LaneDigests {
  const all = Array.from({ length: times }, (_, time) =>
    programs.map((program) => ({ ...program, name: `${program.name} ${time}` })),
  ).flat();
  return {
    ...lane,
    programs: all,
    digests: new Map(all.map((_, index) => [index, digests.get(index % programs.length)!])),
  };
}
