/** Regions that are the same object step after step, since the agent does not tell again what is as before. */
import { describe, expect, it } from 'vitest';
import { compare } from '../../../harness/compare/compare.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import type { ProgramTranscript, RegionObservation } from '../../../model/observation.ts';
import { mutations } from './mutate.ts';
import { environmentOf, predict } from './predict.ts';
import { loadRun, withListedPages } from './recorded-runs.ts';

const environment = environmentOf({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });

const program = parseProgram(
  'test',
  `name: test
regions: {a: 2, b: 1}
steps:
  - {mmap: a}
  - {cpu-write: "a[0]"}
  - {open: 0}
  - {open: 1}
  - {migrate-to-dev: a, device: 0}
  - {mmap: b}
  - {fork: p1}
  - {cpu-read: "a[0]", by: p1}
  - {close: 1}
`,
);

/** At least so many regions of each recording are as before. */
const SHARED = 30;

const show = (value: unknown) =>
  JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? `${field}` : field));

/** As the decoder makes it of what the agent leaves out. */
function shared<T extends ProgramTranscript>(transcript: T): T {
  const last = new Map<string, { region: RegionObservation; text: string }>();
  const steps = transcript.steps.map((step) => ({
    ...step,
    regions: step.regions.map((region) => {
      const key = `${region.process} ${region.region}`;
      const text = show(region);
      const before = last.get(key);
      if (before?.text === text) return before.region;
      last.set(key, { region, text });
      return region;
    }),
  }));
  return { ...transcript, steps };
}

function sharedRegions({ steps }: ProgramTranscript): number {
  return steps.flatMap(({ regions }, step) =>
    regions.filter((region) => step > 0 && steps[step - 1]!.regions.includes(region)),
  ).length;
}

describe('regions that are as before', () => {
  it.each(['run-pfn-x86_64', 'run-pfn-aarch64', 'run-offset-x86_64'])(
    'are compared and checked as often as if they were told again (%s)',
    (name) => {
      const run = loadRun(name);
      let regions = 0;
      for (const { program, transcript } of run.programs) {
        const listed = withListedPages(transcript);
        const short = shared(listed);
        regions += sharedRegions(short);
        expect(compare(program, short, run.environment)).toEqual(compare(program, listed, run.environment));
      }
      expect(regions).toBeGreaterThan(SHARED);
    },
  );

  it('diverge where the model has them change', () => {
    const transcript = predict(program, environment);
    let tried = 0;
    for (const [index, { regions }] of transcript.steps.entries()) {
      for (const [place, region] of regions.entries()) {
        const before = transcript.steps[index - 1]?.regions[place];
        if (!before || show(before) === show(region)) continue;
        if (before.process !== region.process || before.region !== region.region) continue;
        const steps = transcript.steps.map((step, at) =>
          at === index ? { ...step, regions: step.regions.with(place, before) } : step,
        );
        const { divergences } = compare(program, { ...transcript, steps }, environment, undefined, {
          invariants: false,
        });
        expect(divergences).not.toEqual([]);
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(5);
  });

  it('hide no change that would be noticed without them', () => {
    const told = predict(program, environment);
    const short = shared(told);
    expect(sharedRegions(short)).toBeGreaterThan(5);
    const changes = unnoticed(short);
    expect(changes.tried).toBeGreaterThan(1000);
    expect(changes).toEqual(unnoticed(told));
  }, 60_000);
});

/** Changes of regions after which nothing diverges: there are such, as the tests of compare() say. */
function unnoticed(transcript: ProgramTranscript): { tried: number; names: string[] } {
  const names: string[] = [];
  let tried = 0;
  for (const { name, transcript: changed } of mutations(transcript)) {
    if (!/^steps\.\d+\.regions/.test(name)) continue;
    tried++;
    const { divergences } = compare(program, changed, environment, undefined, { invariants: false });
    if (divergences.length === 0) names.push(name);
  }
  return { tried, names };
}
