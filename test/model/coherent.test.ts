import { expect, it } from 'vitest';
import { findHazard } from '../../harness/programs/hazards.ts';
import { parseProgram } from '../../harness/programs/load.ts';
import { observe } from '../../model/observe.ts';
import { makeProfile } from '../../model/profile.ts';
import { hazardOf } from '../../model/safe.ts';
import { devicePages, events, last, outcomes, pages, play, pte, STOCK } from './play.ts';

const arm = makeProfile({ kernel: '7.3', design: 'offset', arch: 'aarch64' });
const oldArm = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'aarch64' });

const MIGRATED = `
  {mmap: a}
  {cpu-write: "a[0..1]"}
  {open: 2}
  {migrate-to-dev: a, device: 2}`;

it('has present entries for coherent pages, those of holes as do_anonymous_page() makes them', () => {
  const { state } = play(MIGRATED);
  expect(pages(state)).toBe('coherent+ coherent+ coherent+ coherent+');
  // migrate_vma_insert_page(): pte_mkdirty(), which is soft-dirty as well.
  expect(pte(state, 0, 2)).toMatchObject({ kind: 'present', dirty: true, softDirty: true, young: true });
  expect(devicePages(state, 0, 2)).toBe('wwrr');
});

it('does not fault on a coherent page', () => {
  const { state, steps } = play(`${MIGRATED}
    {cpu-write: a}
    {cpu-read: a}`);
  expect(steps.slice(-2).flatMap(({ events }) => events)).toEqual([]);
  expect(pages(state)).toBe('coherent+ coherent+ coherent+ coherent+');
});

it('gives kpageflags and kpagecount of no page that is not online, as far as they reach', () => {
  const page = (profile: typeof STOCK) => observe(play(MIGRATED, profile).state)[0]!.pages[0]!;
  expect(page(STOCK)).toMatchObject({ flags: undefined, count: undefined, exclusive: true });
  expect(page(arm)).toMatchObject({ flags: { set: [], free: [] }, count: 0, exclusive: true });
  expect(page(oldArm)).toMatchObject({ flags: { set: ['NOPAGE'] }, count: 0 });
});

it('says in SNAPSHOT whose a coherent page is', () => {
  const played = play(`${MIGRATED}
    {open: 3}
    {open: 0}
    {snapshot: a, device: 2}
    {snapshot: a, device: 3}
    {snapshot: a, device: 0}`);
  const bytes = played.steps.slice(-3).map((step) => step.bytes?.[0]);
  expect(bytes).toEqual([0x42, 0x52, 0x52]);
});

it('selects a coherent page for nobody but its own device: migrate_vma_collect_pmd()', () => {
  const played = play(`${MIGRATED}
    {open: 3}
    {open: 0}
    {migrate-to-dev: a, device: 3}
    {migrate-to-dev: a, device: 0}
    {migrate-to-sys: a, device: 3}
    {migrate-to-sys: a, device: 0}
    {migrate-to-sys: "a[0]", device: 2}`);
  expect(outcomes(played).slice(-5)).toEqual(['ENOENT', 'ENOENT', 'success', 'success', 'success']);
  expect(played.steps.slice(-3).map(({ cpages }) => cpages)).toEqual([0, 0, 1]);
  expect(pages(played.state)).toBe('ram+ coherent+ coherent+ coherent+');
});

it('copies a shared coherent page to RAM, and reuses one that nobody else has', () => {
  const { state } = play(`${MIGRATED}
    {fork: p1}
    {cpu-write: "a[0]", by: p1}
    {cpu-write: "a[0]"}`);
  expect(pages(state, 1)).toBe('ram+ coherent coherent coherent');
  expect(pages(state)).toBe('coherent+ coherent coherent coherent');
});

it('makes a coherent page writable again with mprotect: can_change_private_pte_writable()', () => {
  const { state } = play(`${MIGRATED}
    {mprotect: a, protection: read}
    {mprotect: a}`);
  expect(pages(state)).toBe('coherent+ coherent+ coherent+ coherent+');
});

it('has a pin for long take coherent pages to RAM: migrate_longterm_unpinnable_folios()', () => {
  const played = play(`${MIGRATED}
    {pin: "a[1..2]"}`);
  expect(pages(played.state)).toBe('coherent+ ram+ ram+ coherent+');
  expect(events(last(played))).toEqual([
    'set 1 migration write',
    'remove 1 present write',
    'set 2 migration write',
    'remove 2 present write',
  ]);
  expect(pte(played.state, 0, 1)!.frame.pinned).toBe(true);
});

it('passes coherent pages over where ZONE_DEVICE is: madvise_free_pte_range(), madvise_cold_or_pageout_pte_range()', () => {
  const { state } = play(`${MIGRATED}
    {madvise: a, advice: free}
    {madvise: a, advice: cold}
    {madvise: a, advice: pageout}`);
  const { frame, dirty } = pte(state, 0, 0)!;
  expect([frame.kind, frame.swapBacked, dirty]).toEqual(['coherent', true, true]);
});

it('clears PG_referenced of a page that is on no LRU list the second time: folio_mark_accessed()', () => {
  const referenced = (times: number) => {
    const again = Array.from({ length: times }, () => '{exclusive: "a[0]", device: 2}').join('\n');
    // A new chunk, of whose pages no flag is left from earlier.
    const renewed = `{mmap: a}\n{open: 2}\n{release: a, device: 2}\n{migrate-to-dev: a, device: 2}`;
    return pte(play(`${renewed}\n${again}`).state, 0, 0)!.frame.referenced;
  };
  expect([0, 1, 2, 3].map(referenced)).toEqual([false, true, false, true]);
});

it('evicts a coherent page that is exclusive, to a read entry: try_to_migrate_one()', () => {
  const { state } = play(`${MIGRATED}
    {exclusive: "a[0]", device: 2}
    {close: 2}`);
  expect(pages(state)).toBe('ram ram+ ram+ ram+');
  expect(pte(state, 0, 0)).toMatchObject({ young: true, dirty: false });
  expect(pte(state, 0, 0)!.frame.exclusive).toBe(true);
});

it('takes the one chunk of a coherent device away with RELEASE, and makes it anew', () => {
  const { state } = play(`${MIGRATED}
    {release: a, device: 2}
    {migrate-to-dev: "a[0]", device: 2}`);
  expect(pages(state)).toBe('coherent+ ram+ ram+ ram+');
  expect(pte(state, 0, 0)!.frame).toMatchObject({ position: 65535, positionKnown: true, generation: 1 });
});

it.each([
  [
    '7.3',
    '{mmap: a}\n  - {open: 2}\n  - {migrate-to-dev: a, device: 2}',
    '{pmds: 1}',
    /has no memory for folios/,
  ],
  [
    '6.12',
    '{mmap: a}\n  - {open: 2}\n  - {migrate-to-dev: a, device: 2}\n  - {exclusive: a, device: 2}',
    '2',
    /could not be evicted/,
  ],
  [
    '7.3',
    '{mmap: a}\n  - {open: 2}\n  - together: [[{migrate-to-dev: a, device: 2}]]',
    '2',
    /races on pages of coherent devices/,
  ],
] as const)('does not go where %s cannot: %s', (kernel, steps, size, reason) => {
  const program = parseProgram('test', `name: test\nregions: {a: ${size}}\nsteps:\n  - ${steps}\n`);
  expect(findHazard(program, makeProfile({ kernel, design: 'pfn', arch: 'x86_64' }))?.reason).toMatch(reason);
});

it('does not collapse what it has a page of, until that is back: collapse_scan_pmd(), SCAN_PAGE_NULL', () => {
  const played = play(
    `{mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: "h[0]"}
    {open: 2}
    {migrate-to-dev: "h[3..4]", device: 2}
    {madvise: h, advice: collapse}
    {migrate-to-sys: h, device: 2}
    {madvise: h, advice: collapse}`,
    STOCK,
    '{h: {pmds: 1}}',
  );
  expect(outcomes(played).slice(4)).toEqual(['success', 'EINVAL', 'success', 'success']);
});

it.each([
  ['a folio', '{cpu-write: "h[0]"}', true],
  ['a hole of its size', '{cpu-write: "h[600]"}', true],
  ['what a page table maps', '{cpu-write: "h[0]"}\n{munmap: "h[511]"}\n{munmap: "h[1023]"}', false],
  ['what another device has', '{open: 0}\n{migrate-to-dev: h, device: 0}', false],
])('is not asked for %s: dmirror_allocate_chunk()', (_what, steps, hazardous) => {
  const { state } = play(
    `{mmap: h}\n{madvise: h, advice: hugepage}\n{open: 2}\n${steps}`,
    STOCK,
    '{h: {pmds: 2}}',
  );
  const migrate = (first: number, count: number, device = 2) =>
    hazardOf(state, { op: 'migrate-to-dev', by: 0, device, at: { region: 0, first, count } });
  expect(migrate(0, 512) !== undefined).toBe(hazardous);
  expect(migrate(0, 511)).toBeUndefined();
  // Pieces of 512 pages, none of which is one PMD.
  expect(migrate(1, 1023)).toBeUndefined();
});

it.each([
  ['DONTNEED', '{madvise: a, advice: dontneed}'],
  ['DONTNEED of two mappings', '{mprotect: "a[1]", protection: none}\n{madvise: a, advice: dontneed}'],
  ['munmap', '{munmap: a}'],
  ['exit', '{exit: p0}'],
])('frees what is present after what is exclusive: %s, tlb_batch_pages_flush()', (_, zap) => {
  const { state } = play(`
    {mmap: a}
    {open: 2}
    {fork: p1}
    {migrate-to-dev: "a[1]", device: 2}
    {exclusive: "a[1]", device: 2}
    {migrate-to-dev: "a[0]", device: 2}
    ${zap}`);
  // They are handed out from the end of the chunk: a[0] has the second.
  expect(state.devices[2]!.free.map(({ position }) => position)).toEqual([65535, 65534]);
});
