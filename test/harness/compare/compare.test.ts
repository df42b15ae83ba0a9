import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare } from '../../../harness/compare/compare.ts';
import { programArbitrary } from '../../../harness/programs/generate.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import type { ProgramTranscript } from '../../../model/observation.ts';
import type { Program } from '../../../model/program.ts';
import { mutations } from './mutate.ts';
import { environmentOf, predict } from './predict.ts';

const environments = [
  environmentOf({ kernel: '7.3', design: 'pfn', arch: 'x86_64' }),
  environmentOf({ kernel: '7.3', design: 'pfn', arch: 'x86_64', softDirty: false }),
  environmentOf({ kernel: '7.3', design: 'pfn', arch: 'aarch64' }),
  environmentOf({ kernel: '7.3', design: 'offset', arch: 'x86_64' }),
  environmentOf({ kernel: '7.3', design: 'offset', arch: 'aarch64' }),
  environmentOf({ kernel: '6.12', design: 'pfn', arch: 'x86_64' }),
];
const [x86] = environments;

function program(steps: string, regions = '{a: 3}'): Program {
  const lines = steps.trim().split('\n');
  return parseProgram(
    'test',
    `name: test\nregions: ${regions}\nsteps:\n${lines.map((l) => `  - ${l.trim()}`).join('\n')}`,
  );
}

/** RAM, zero page and device pages, two processes, all kinds of events, and an inherited descriptor. */
const everything = program(`
  {mmap: a}
  {cpu-write: "a[0..1]"}
  {open: 0}
  {fork: p1}
  {migrate-to-dev: a, device: 0}
  {read: a, device: 0}
  {snapshot: "a[1..2]", device: 0}
  {cpu-write: "a[1]", by: p1}
  {munmap: "a[0]"}
  {cpu-read: a}
  {migrate-to-dev: "a[1]", device: 0, by: p1}`);

describe.each(environments)(
  'a run as the model predicts it ($profile.kernel $profile.design $profile.arch)',
  (environment) => {
    it('has no divergence, and compares every page of every step', () => {
      fc.assert(
        fc.property(programArbitrary({ profile: environment.profile }), (generated) => {
          const { divergences, fieldsCompared, steps } = compare(
            generated,
            predict(generated, environment),
            environment,
          );
          expect(divergences).toEqual([]);
          expect(steps).toBe(generated.steps.length);
          expect(fieldsCompared.outcome).toBe(steps);
          const pages = generated.regions.reduce((sum, region) => sum + region.pages, 0);
          expect(fieldsCompared['pagemap.kind']).toBeGreaterThanOrEqual(steps * pages);
        }),
        { numRuns: 20 },
      );
    });
  },
);

describe('a change of one thing in a run', () => {
  // Where a value may be one of several, a single changed one can be as good as the one before.
  const isFree = (name: string, transcript: ProgramTranscript): boolean => {
    // PG_lru of a page that may still be in a batch.
    if (/kpageflags bit 5$/.test(name)) return true;
    // The number of a page that was seen this once: any other page of the same kind would do.
    return (
      /(pagemap|entry) bit \d+$/.test(name) &&
      compare(everything, transcript, x86!).slack['page'] !== undefined
    );
  };

  it('is reported, whatever it is', () => {
    const transcript = predict(everything, x86!);
    const base = compare(everything, transcript, x86!);
    expect(base.divergences).toEqual([]);
    const unnoticed: string[] = [];
    let tried = 0;
    for (const mutation of mutations(transcript)) {
      tried++;
      const { divergences } = compare(everything, mutation.transcript, x86!);
      if (divergences.length === 0 && !isFree(mutation.name, mutation.transcript))
        unnoticed.push(mutation.name);
    }
    expect(tried).toBeGreaterThan(5000);
    expect(unnoticed).toEqual([]);
  });
});
