import { describe, expect, it } from 'vitest';
import { compare } from '../../../harness/compare/compare.ts';
import { checkInvariants } from '../../../harness/compare/invariants.ts';
import { INVARIANTS } from '../../../harness/compare/tally.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import type { PageObservation, ProgramTranscript } from '../../../model/observation.ts';
import { SCAN_CATEGORIES } from '../../../model/page-scan.ts';
import { decodePagemap, encodePagemap } from '../../../model/pagemap.ts';
import { SnapshotBits } from '../../../model/snapshot.ts';
import { environmentOf, predict } from './predict.ts';

const environment = environmentOf({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
const program = parseProgram(
  'test',
  `name: test
regions: {a: 3}
steps:
  - {mmap: a}
  - {cpu-write: "a[0..1]"}
  - {open: 0}
  - {migrate-to-dev: "a[0]", device: 0}
  - {fork: p1}
  - {cpu-read: "a[0]", by: p1}
  - {migrate-to-dev: "a[1]", device: 0}
  - {migrate-to-sys: a, device: 0}
`,
);

/** The names of the invariants that do not hold of a transcript in which something was changed. */
function broken(change: (transcript: ProgramTranscript) => void): string[] {
  const transcript = predict(program, environment);
  change(transcript);
  return checkInvariants(program, transcript, environment).divergences.map(({ rule }) => rule);
}

const page = ({ steps }: ProgramTranscript, step: number, index: number, region = 0): PageObservation =>
  steps[step]!.regions[region]!.pages.at(index)!;

describe('invariants of what a kernel shows', () => {
  it('hold of what the model predicts, and are all counted', () => {
    const { invariants, divergences } = compare(program, predict(program, environment), environment);
    expect(divergences).toEqual([]);
    // smaps_rollup and swap entries are of real guests.
    const unchecked = INVARIANTS.filter((name) => invariants[name] === 0);
    expect(unchecked).toEqual(['rollup-is-sum']);
  });

  it('hold of a device whose new chunk is where that of another was before RELEASE', () => {
    const released = parseProgram(
      'released',
      `name: released
regions: {a: 1}
steps:
  - {mmap: a}
  - {open: 0}
  - {open: 1}
  - {cpu-write: a}
  - {release: a, device: 1}
  - {release: a, device: 0}
  - {migrate-to-dev: a, device: 1}
`,
    );
    const transcript = predict(released, environment);
    const { profile, chunks } = environment;
    const entry = decodePagemap(profile, page(transcript, 6, 0).pagemap);
    const there = encodePagemap(profile, { ...entry, frame: chunks[0]!.first });
    const region = transcript.steps[6]!.regions[0]!;
    region.pages.at(0)!.pagemap = there;
    expect(checkInvariants(released, transcript, environment).divergences).toEqual([]);
    region.snapshots[1]!.bytes![0] = SnapshotBits.read;
    expect(checkInvariants(released, transcript, environment).divergences).toMatchObject([
      { rule: 'snapshot-is-pagemap' },
    ]);
  });

  it('let pagemap of 7.3 ask the head of a folio alone whether it is mapped once', () => {
    const huge = parseProgram(
      'huge',
      `name: huge
regions: {h: {pmds: 1}}
steps:
  - {mmap: h}
  - {madvise: h, advice: hugepage}
  - {cpu-write: "h[0]"}
  - {fork: p1}
  - {munmap: "h[0]", by: p1}
`,
    );
    const transcript = predict(huge, environment);
    // Process 1 maps the pages, too.
    expect(page(transcript, 4, 9).pagemap & (1n << 56n)).toBe(1n << 56n);
    expect(checkInvariants(huge, transcript, environment).divergences).toEqual([]);
    const byPte = transcript.steps[4]!.regions[1]!.pages.at(9)!;
    expect(byPte.pagemap & (1n << 56n)).toBe(0n);
    Object.assign(byPte, { pagemap: byPte.pagemap | (1n << 56n) });
    const [broken] = checkInvariants(huge, transcript, environment).divergences;
    expect(broken).toMatchObject({ rule: 'one-writer' });
  });

  it.each<[string, (transcript: ProgramTranscript) => void]>([
    ['content-is-kept', (t) => Object.assign(page(t, 2, 1), { words: [7n, 7n] })],
    // Both processes have a write entry of one device page.
    ['one-writer', (t) => Object.assign(page(t, 4, 0), { pagemap: page(t, 3, 0).pagemap })],
    ['no-migration-entry', (t) => Object.assign(page(t, 3, 0), { pagemap: (1n << 62n) | 26n })],
    [
      'device-entry-bits',
      (t) => Object.assign(page(t, 3, 0), { pagemap: page(t, 3, 0).pagemap | (1n << 61n) }),
    ],
    [
      'device-page-in-chunk',
      (t) => Object.assign(page(t, 3, 0), { pagemap: (1n << 62n) | (5n << 5n) | 28n }),
    ],
    ['mincore-is-pagemap', (t) => t.steps[3]!.regions[0]!.mincore!.fill(0)],
    ['scan-is-pagemap', (t) => Object.assign(t.steps[1]!.regions[0]!.scan![0]!, { categories: 0 })],
    ['rss-is-pagemap', (t) => Object.assign(t.steps[4]!.processes[1]!.rss, { anon: 0 })],
    ['swap-is-pagemap', (t) => Object.assign(t.steps[4]!.processes[1]!.rss, { swap: 64 })],
    ['snapshot-is-pagemap', (t) => t.steps[3]!.regions[0]!.snapshots[0]!.bytes.fill(0x02)],
    ['cpages-is-npages', (t) => Object.assign(t.steps[3]!, { cpages: 0 })],
    ['cpages-is-moved-pages', (t) => Object.assign(t.steps[7]!, { cpages: 3 })],
    ['kpagecount-is-pagemap', (t) => Object.assign(page(t, 5, 0), { kpagecount: 1n })],
    [
      'no-migrate-pages',
      (t) => t.steps[1]!.events.push({ name: 'mm_migrate_pages', addr: 0n, entry: 0n, order: 0 }),
    ],
    [
      'migration-entries-settle',
      (t) => t.steps[1]!.events.push({ name: 'set_migration_pte', addr: 1n, entry: 0n, order: 0 }),
    ],
  ])('%s does not hold when it is broken', (name, change) => {
    expect(broken(change)).toContain(name);
  });

  it('hold where pagemap of 6.12 has the huge zero page for a file, and PAGEMAP_SCAN has not', () => {
    const old = environmentOf({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
    const huge = parseProgram(
      'test',
      'name: test\nregions: {h: {pmds: 1}}\nsteps:\n  - {mmap: h}\n  - {madvise: h, advice: hugepage}\n  - {cpu-read: "h[0]"}\n',
    );
    const transcript = predict(huge, old);
    const zero = page(transcript, 2, 7);
    expect(zero.pagemap & (1n << 61n)).not.toBe(0n);
    expect(checkInvariants(huge, transcript, old).divergences).toEqual([]);
    transcript.steps[2]!.regions[0]!.scan![0]!.categories |= SCAN_CATEGORIES.FILE;
    const [first] = checkInvariants(huge, transcript, old).divergences;
    expect(first?.rule).toBe('scan-is-pagemap');
  });

  it('hold where PAGEMAP_SCAN has the soft-dirty bit of an entry of hugetlb, and pagemap has not', () => {
    const hugetlb = parseProgram(
      'test',
      'name: test\nregions: {h: {pmds: 1, backing: private-hugetlb}}\nsteps:\n  - {mmap: h}\n  - {cpu-write: "h[0]"}\n  - {clear-refs: p0}\n',
    );
    const transcript = predict(hugetlb, environment);
    expect(page(transcript, 2, 7).pagemap & (1n << 55n)).toBe(0n);
    expect(transcript.steps[2]!.regions[0]!.scan![0]!.categories & SCAN_CATEGORIES.SOFT_DIRTY).not.toBe(0);
    expect(checkInvariants(hugetlb, transcript, environment).divergences).toEqual([]);
    transcript.steps[2]!.regions[0]!.scan![0]!.categories ^= SCAN_CATEGORIES.FILE;
    const [first] = checkInvariants(hugetlb, transcript, environment).divergences;
    expect(first?.rule).toBe('scan-is-pagemap');
  });

  it('hold of a rollup that is the sum of all mappings, and of no other', () => {
    const rollup = (more: number) =>
      broken(({ steps }) => {
        const [first] = steps.at(-1)!.processes;
        const own = first!.smaps![0]!.fields;
        const others = own.map(() => 8);
        first!.rollup = { others, fields: own.map((kib) => kib + 8 + more) };
      });
    expect(rollup(0)).toEqual([]);
    expect(rollup(4)).toEqual(['rollup-is-sum']);
  });
});
