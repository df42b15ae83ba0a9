/** Recorded runs of the same programs on real guests, against each other. */
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../harness/against/digests.ts';
import { comparePair, type LaneDigests } from '../../../harness/against/pair.ts';
import { expectedViews, seenViews, VIEWS } from '../../../harness/against/views.ts';
import { listPages } from '../../../harness/programs/page-runs.ts';
import type { RecordedTranscript } from '../../../harness/programs/transcript.ts';
import type { RegionObservation, TraceEvent } from '../../../model/observation.ts';
import type { Program } from '../../../model/program.ts';
import { loadRun, type Run } from '../compare/recorded-runs.ts';

const runs = Object.fromEntries(
  ['run-pfn-x86_64', 'run-pfn-aarch64', 'run-offset-x86_64'].map((name) => [name, loadRun(name)]),
) as Record<string, Run>;

function laneOf(name: string, run: Run): LaneDigests {
  const { profile } = run.environment;
  return {
    name,
    profile,
    programs: run.programs.map(({ program }) => program),
    digests: new Map(
      run.programs.map(({ program, transcript }, index) => [index, digestOf(profile, program, transcript)]),
    ),
  };
}

describe.each(Object.entries(runs))(
  'the views of the recorded run %s',
  (_name, { environment, programs }) => {
    it('are those of the model', () => {
      for (const { program, transcript } of programs) {
        const seen = [...seenViews(environment.profile, program, transcript)];
        expect(seen, program.name).toEqual([...expectedViews(program, environment.profile)]);
      }
    });
  },
);

describe('two lanes', () => {
  const stock = laneOf('stock', runs['run-pfn-x86_64']!);
  const series = runs['run-offset-x86_64']!;

  /** When the series shows `transcript` of one of the programs. */
  function differencesWith(index: number, transcript: RecordedTranscript) {
    const lane = laneOf('series', series);
    const { program } = series.programs[index]!;
    const digests = new Map(lane.digests).set(index, digestOf(lane.profile, program, transcript));
    return comparePair(stock, { ...lane, digests }).differences;
  }

  it('show the same in both designs, but for the types of entries and the numbers', () => {
    const pair = comparePair(stock, laneOf('series', runs['run-offset-x86_64']!));
    expect(pair.programs).toBe(stock.programs.length);
    expect(pair.views).toBe(pair.steps * VIEWS.length);
    expect(pair.differences).toEqual([]);
    expect(pair.explained).toEqual(Object.fromEntries(VIEWS.map((view) => [view, 0])));
  });

  it('differ by architecture as the model says: soft-dirty bits and page-fault events are of x86_64', () => {
    const pair = comparePair(stock, laneOf('aarch64', runs['run-pfn-aarch64']!));
    expect(pair.differences).toEqual([]);
    const { 'soft-dirty': softDirty, faults, ...others } = pair.explained;
    expect(softDirty).toBeGreaterThan(0);
    expect(faults).toBeGreaterThan(0);
    expect(Object.values(others)).toEqual(Object.values(others).map(() => 0));
  });

  it('differ for no reason when one shows another word in a page', () => {
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
    expect(differencesWith(program, transcript)).toEqual([
      { program: run.programs[program]!.program.name, step, view: 'content' },
    ]);
  });

  it.each([
    ['differ when the pages of a migration come in another order', 'migrate-to-dev', 'trace'],
    ['do not when those of a closed device do, which follow from what ran before', 'close', undefined],
  ] as const)('%s', (_title, op, view) => {
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
    expect(differencesWith(program, { ...transcript, steps })).toEqual(
      view === undefined ? [] : [{ program: turned.name, step, view }],
    );
  });

  it('have nothing in common where their programs are different ones', () => {
    const other = { ...stock, programs: stock.programs.map((program) => ({ ...program, steps: [] })) };
    expect(comparePair(stock, other)).toMatchObject({ programs: 0, views: 0 });
  });
});
