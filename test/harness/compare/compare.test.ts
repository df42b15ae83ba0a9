import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare } from '../../../harness/compare/compare.ts';
import { programArbitrary } from '../../../harness/programs/generate.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import type { ProgramEnd } from '../../../model/observation.ts';
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
  // PG_lru of a page that may still be in a batch is the one bit that is free. A tuple has no other length. RssFile and
  // RssShmem change with the agent's own text and transcript.
  const isNoChange = (name: string) =>
    /kpageflags bit 5$|(words|fields) (lengthened|shortened)$|shmem plus 1$/.test(name);

  it('is reported, whatever it is', () => {
    const transcript = predict(everything, x86!);
    expect(compare(everything, transcript, x86!).divergences).toEqual([]);
    const unnoticed: string[] = [];
    let tried = 0;
    for (const { name, transcript: changed } of mutations(transcript)) {
      if (isNoChange(name)) continue;
      tried++;
      const { divergences } = compare(everything, changed, x86!, undefined, { invariants: false });
      if (divergences.length === 0) unnoticed.push(name);
    }
    expect(unnoticed).toEqual([]);
    expect(tried).toBeGreaterThan(5000);
  }, 60_000);

  it('is reported with its place, both sides and the kernel function, and ends the comparison', () => {
    const transcript = predict(everything, x86!);
    const page = transcript.steps[4]!.regions[0]!.pages.at(1)!;
    // A write entry where a read entry must be.
    page.pagemap -= 1n;
    const { divergences, steps } = compare(everything, transcript, x86!);
    expect(steps).toBe(5);
    expect(divergences.filter(({ field }) => field !== 'invariant')).toEqual([
      {
        step: 4,
        process: 0,
        region: 0,
        page: 1,
        field: 'pagemap.kind',
        expected: 'device-read',
        seen: 'device-write (type 28)',
        rule: 'remove_migration_pte',
      },
    ]);
  });

  it('is reported for all fields of the step that differ', () => {
    const transcript = predict(everything, x86!);
    const step = transcript.steps[5]!;
    step.faults = 1;
    step.data![2]!.word = 7n;
    step.regions[1]!.pages.at(0)!.pagemap |= 1n << 61n;
    expect(compare(everything, transcript, x86!).divergences.map(({ field }) => field)).toEqual([
      'faults',
      'data',
      'pagemap.other-bits',
      // PAGEMAP_SCAN says otherwise, and an entry of a device never has this bit.
      'invariant',
      'invariant',
    ]);
  });
});

describe('pages', () => {
  const steps = program(`
    {mmap: a}
    {cpu-write: "a[0..1]"}
    {open: 0}
    {migrate-to-dev: "a[0..1]", device: 0}
    {cpu-read: "a[1]"}
    {migrate-to-dev: "a[1]", device: 0}`);
  const device = (number: bigint) => (1n << 62n) | (1n << 55n) | (number << 5n) | 28n;
  const withPage = (step: number, page: number, pagemap: bigint) => {
    const transcript = predict(steps, x86!);
    transcript.steps[step]!.regions[0]!.pages.at(page)!.pagemap = pagemap;
    return compare(steps, transcript, x86!).divergences.filter(({ field }) => field === 'pagemap.frame');
  };

  it('may be any that nothing else has, and are then bound to it', () => {
    const transcript = predict(steps, x86!);
    for (const { regions } of transcript.steps.slice(1, 3)) {
      regions[0]!.pages.at(0)!.pagemap ^= 0x4000n;
    }
    const { divergences, slack } = compare(steps, transcript, x86!);
    expect(divergences).toEqual([]);
    expect(slack.pfn).toBe(3);
    expect(slack['device-page']).toBe(2);
  });

  it('of a device are of a chunk of that device', () => {
    expect(withPage(3, 0, device(0xffe0005n))).toMatchObject([
      { expected: 'a page of device 0 ([0xfff0000 0x10000000))', seen: '0xffe0005 (device 1, page 5)' },
    ]);
  });

  it('of a device are the ones that were freed last', () => {
    expect(withPage(5, 1, device(0xfff0005n))).toMatchObject([
      { expected: 'page 65534 of device 0, which was freed last', rule: 'dmirror_devmem_alloc_page' },
    ]);
  });

  it('are not shared with others', () => {
    expect(withPage(3, 1, device(0xfffffffn))).toMatchObject([{ expected: 'a page that nothing else has' }]);
  });
});

describe('the end of a run', () => {
  const steps = program('{mmap: a}\n{cpu-read: a}');

  it('is a divergence when it crashed or hung', () => {
    const transcript = predict(steps, x86!);
    const endsSo = (end: ProgramEnd, observed: number) =>
      compare(steps, { ...transcript, steps: transcript.steps.slice(0, observed), end }, x86!).divergences;
    expect(endsSo({ kind: 'crashed', process: 0, signal: 'SIGKILL', step: 0 }, 0)).toMatchObject([
      { field: 'end', step: 0, seen: 'process 0 died of SIGKILL in step 0' },
    ]);
    expect(endsSo({ kind: 'hung', step: 1, stacks: ['dmirror_fops_release'] }, 1)).toMatchObject([
      { field: 'end', step: 1, seen: expect.stringContaining('dmirror_fops_release') },
    ]);
  });

  it('is a divergence when steps or events are missing', () => {
    const transcript = predict(steps, x86!);
    const short = { ...transcript, steps: transcript.steps.slice(0, 1) };
    expect(compare(steps, short, x86!).divergences).toMatchObject([{ field: 'steps', seen: '1 steps' }]);
    const lost = { ...transcript, lostEvents: 2 };
    expect(compare(steps, lost, x86!).divergences).toMatchObject([
      { field: 'trace.count', seen: '2 events lost' },
    ]);
  });

  it('is a divergence when a counter of /proc/vmstat went up by another number', () => {
    const transcript = predict(steps, x86!);
    const split = { ...transcript, vmEvents: { ...transcript.vmEvents, thp_split_pmd: 1 } };
    expect(compare(steps, split, x86!).divergences).toEqual([
      {
        step: steps.steps.length,
        field: 'vmstat.thp_split_pmd',
        expected: '0 more than before',
        seen: '1 more than before',
        rule: '__split_huge_pmd_locked',
      },
    ]);
  });

  it('is a divergence when a line of /proc/meminfo is not what it was, after a step or at the end', () => {
    const transcript = predict(steps, x86!);
    const gone = { ...transcript, meminfo: { ...transcript.meminfo, AnonHugePages: 2048 } };
    expect(compare(steps, gone, x86!).divergences).toEqual([
      {
        step: steps.steps.length,
        field: 'meminfo.AnonHugePages',
        expected: '0 KiB more than before',
        seen: '2048 KiB more than before',
        rule: '__folio_mod_stat (NR_ANON_THPS)',
      },
    ]);
    transcript.steps[1]!.meminfo!.HugePages_Free = -1;
    expect(compare(steps, transcript, x86!).divergences).toMatchObject([
      { step: 1, field: 'meminfo.HugePages_Free', seen: '-1 more than before' },
    ]);
  });

  it('does without lines of /proc/meminfo that a kernel lacks, and where they were not looked at', () => {
    const transcript = predict(steps, x86!);
    for (const step of transcript.steps) delete step.meminfo;
    transcript.meminfo = { Mlocked: 0 };
    const { divergences, fieldsCompared } = compare(steps, transcript, x86!);
    expect(divergences).toEqual([]);
    expect(fieldsCompared).toMatchObject({ 'meminfo.Mlocked': 1, 'meminfo.SwapFree': 0 });
  });

  it('takes what an earlier program may have left on a device as slack, within its bounds', () => {
    const program = parseProgram(
      'locked.yaml',
      'name: locked\nregions: {a: 1}\nsteps: [{mmap: a}, {open: 0}, {cpu-write: a}, {mlock: a}, {migrate-to-dev: a, device: 0}]\n',
    );
    const transcript = predict(program, x86!);
    const counted = compare(program, transcript, x86!);
    expect(counted).toMatchObject({ divergences: [], slackByField: { 'meminfo.Mlocked': 2 } });
    const last = transcript.steps.at(-1)!.meminfo!;
    last.Mlocked = 0;
    expect(compare(program, transcript, x86!).divergences).toEqual([]);
    last.Mlocked = 8;
    expect(compare(program, transcript, x86!).divergences).toMatchObject([
      { step: 4, field: 'meminfo.Mlocked', expected: '0 to 4 KiB more than before' },
    ]);
  });

  it('does without the lines of status that were not looked at', () => {
    const transcript = predict(steps, x86!);
    const [first, ...processes] = transcript.steps.flatMap((step) => step.processes);
    first!.rss = {};
    for (const process of processes) process.rss = { anon: process.rss.anon! };
    const { divergences, fieldsCompared } = compare(steps, transcript, x86!);
    expect(divergences).toEqual([]);
    expect(fieldsCompared).toMatchObject({
      'status.rss-anon': processes.length,
      'status.rss-file': 0,
      'status.swap': 0,
    });
    processes.at(-1)!.rss.anon! += 4;
    expect(compare(steps, transcript, x86!).divergences).toMatchObject([
      { field: 'status.rss-anon' },
      { field: 'invariant' },
    ]);
  });

  it('counts trace events of somebody else as slack', () => {
    const transcript = { ...predict(steps, x86!), strayEvents: 3 };
    expect(compare(steps, transcript, x86!)).toMatchObject({
      divergences: [],
      slack: { 'stray-trace-event': 3 },
    });
  });
});
