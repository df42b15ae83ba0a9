import { describe, expect, it } from 'vitest';
import { entryAt, frameAt } from '../../model/page-table.ts';
import { makeProfile } from '../../model/profile.ts';
import { type Played, play, STOCK } from './play.ts';

const older = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

function playHuge(steps: string, profile = STOCK): Played {
  return play(steps, profile, '{h: {pmds: 2}}');
}

/** What maps a page, such as `pmd ram+` or `pte dev0`: `+` when writable, the order of the folio behind it. */
function mapping({ state }: Played, page: number, process = 0): string {
  const entry = entryAt(state.processes[process]!.mm, 0, page);
  if (!entry) return '-';
  const { kind, minor, head } = frameAt(entry, page);
  const name = kind === 'device' ? `dev${minor}` : kind;
  return `${entry.huge ? 'pmd' : 'pte'} ${name}${entry.write ? '+' : ''} order ${head.pages ? 9 : 0}`;
}

function names(played: Played, step: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name } of played.steps[step]!.events) {
    if (name !== 'page_fault_user') counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function devicePages({ state }: Played, pages: number[]): string {
  const table = state.processes[0]!.devices[0]!.file.pt[0]!;
  return pages.map((page) => (table[page] ? (table[page].write ? 'w' : 'r') : '-')).join('');
}

describe('faults (do_huge_pmd_anonymous_page)', () => {
  it('map a folio of order 9 for a write, and the huge zero page for a read, where the vma was advised', () => {
    const played = playHuge(`
      {mmap: h}
      {madvise: h, advice: hugepage}
      {cpu-write: "h[700]"}
      {cpu-read: "h[3]"}`);
    expect(mapping(played, 1023)).toBe('pmd ram+ order 9');
    expect(mapping(played, 0)).toBe('pmd zero order 9');
  });

  it('map one page elsewhere, and where a table is already', () => {
    const played = playHuge(`
      {mmap: h}
      {cpu-write: "h[0]"}
      {madvise: h, advice: hugepage}
      {cpu-write: "h[1]"}
      {madvise: h, advice: nohugepage}
      {cpu-write: "h[512]"}`);
    expect(mapping(played, 1)).toBe('pte ram+ order 0');
    expect(mapping(played, 512)).toBe('pte ram+ order 0');
    expect(mapping(played, 513)).toBe('-');
  });

  it('replace the huge zero page by a folio, and split its PMD on 6.12 (do_huge_zero_wp_pmd)', () => {
    const steps = `
      {mmap: h}
      {madvise: h, advice: hugepage}
      {cpu-read: "h[3]"}
      {cpu-write: "h[4]"}`;
    expect(mapping(playHuge(steps), 3)).toBe('pmd ram+ order 9');
    expect([3, 4].map((page) => mapping(playHuge(steps, older), page))).toEqual([
      'pte zero order 0',
      'pte ram+ order 0',
    ]);
  });
});

describe('copy on write (do_huge_pmd_wp_page)', () => {
  it('splits a shared PMD and copies one page; what is left is written to in place by the last process', () => {
    const played = playHuge(`
      {mmap: h}
      {madvise: h, advice: hugepage}
      {cpu-write: "h[1]"}
      {fork: p1}
      {cpu-write: "h[2]"}`);
    expect(mapping(played, 2)).toBe('pte ram+ order 0');
    expect(mapping(played, 3)).toBe('pte ram order 9');
    expect(mapping(played, 2, 1)).toBe('pmd ram order 9');
    const alone = playHuge(`
      {mmap: h}
      {madvise: h, advice: hugepage}
      {cpu-write: "h[1]"}
      {fork: p1}
      {cpu-write: "h[2]"}
      {exit: p1}
      {cpu-write: "h[3]"}`);
    expect(mapping(alone, 3)).toBe('pte ram+ order 9');
  });
});

describe('MIGRATE_TO_DEV', () => {
  const advised = `
    {mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: "h[0..1]"}
    {open: 0}`;

  it('moves a folio whole (set_pmd_migration_entry, remove_migration_pmd)', () => {
    const played = playHuge(`${advised}\n{migrate-to-dev: "h[0..511]", device: 0}`);
    expect(mapping(played, 511)).toBe('pmd dev0+ order 9');
    expect(names(played, 4)).toEqual({ set_migration_pmd: 1, remove_migration_pmd: 1 });
    expect(devicePages(played, [0, 511, 512])).toBe('ww-');
  });

  it('splits it for a part, with zeroes to the zero page (split_folio, try_to_map_unused_to_zeropage)', () => {
    const played = playHuge(`${advised}\n{migrate-to-dev: "h[1..2]", device: 0}`);
    expect([0, 1, 2, 3].map((page) => mapping(played, page))).toEqual([
      'pte ram+ order 0',
      'pte dev0+ order 0',
      'pte dev0+ order 0',
      'pte zero order 0',
    ]);
    // Two pages come back from the split, one of them goes on to the device.
    expect(names(played, 4)).toEqual({ remove_migration_pte: 3 });
  });

  it('splits everything on 6.12', () => {
    const played = playHuge(`${advised}\n{migrate-to-dev: "h[0..511]", device: 0}`, older);
    expect(mapping(played, 511)).toBe('pte dev0+ order 0');
  });

  it('makes a folio of an aligned hole without any advice (migrate_vma_insert_huge_pmd_page)', () => {
    const played = playHuge(`
      {mmap: h}
      {open: 0}
      {migrate-to-dev: "h[0..511]", device: 0}
      {migrate-to-dev: "h[600..1023]", device: 0}`);
    expect(mapping(played, 0)).toBe('pmd dev0+ order 9');
    expect(mapping(played, 600)).toBe('pte dev0+ order 0');
    expect(devicePages(played, [0, 600])).toBe('rr');
    expect(names(played, 2)).toEqual({});
  });

  it('goes in pages when there is no memory for a folio (migrate_vma_split_unmapped_folio)', () => {
    const played = playHuge(`
      ${advised}
      {flags: fail-alloc, device: 0}
      {migrate-to-dev: "h[0..511]", device: 0}
      {flags: fail-alloc, device: 0}
      {migrate-to-dev: "h[512..1023]", device: 0}`);
    expect(mapping(played, 0)).toBe('pte dev0+ order 0');
    expect(mapping(played, 1023)).toBe('pte dev0+ order 0');
    expect(names(played, 5)).toEqual({ set_migration_pmd: 1, remove_migration_pte: 512 });
  });
});

describe('the way back', () => {
  const onDevice = `
    {mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: "h[0..1]"}
    {open: 0}
    {migrate-to-dev: "h[0..511]", device: 0}`;

  it('counts a folio once, and 512 times in pages (dmirror_successful_migrated_pages)', () => {
    const whole = playHuge(`${onDevice}\n{migrate-to-sys: h, device: 0}`);
    expect(whole.steps.at(-1)).toMatchObject({ cpages: 1 });
    expect(mapping(whole, 5)).toBe('pmd ram+ order 9');
    const pieces = playHuge(`
      ${onDevice}
      {flags: fail-alloc, device: 0}
      {migrate-to-sys: h, device: 0}`);
    expect(pieces.steps.at(-1)).toMatchObject({ cpages: 512 });
    expect(mapping(pieces, 5)).toBe('pte ram+ order 0');
  });

  it('brings all 512 pages by a fault (do_huge_pmd_device_private)', () => {
    const played = playHuge(`${onDevice}\n{cpu-read: "h[9]"}`);
    expect(mapping(played, 500)).toBe('pmd ram+ order 9');
  });

  it('splits a folio that PTEs map and brings one page; what nothing maps is free then', () => {
    const played = playHuge(`
      ${onDevice}
      {munmap: "h[4..6]"}
      {cpu-read: "h[9]"}`);
    expect([3, 4, 9, 10].map((page) => mapping(played, page))).toEqual([
      'pte dev0+ order 0',
      '-',
      'pte ram+ order 0',
      'pte dev0+ order 0',
    ]);
    // The page that moved, and three that were unmapped.
    expect(played.state.devices[0]!.free).toHaveLength(4);
    expect(played.state.devices[0]!.freeHuge).toHaveLength(0);
  });

  it('splits the PMD, but not the folio, in a fault without memory: it has a further reference', () => {
    const played = playHuge(`
      ${onDevice}
      {flags: fail-alloc, device: 0}
      {cpu-read: "h[9]"}`);
    // The first try made 512 PTEs, the second split the folio and brought a page.
    expect(mapping(played, 9)).toBe('pte ram+ order 0');
    expect(mapping(played, 8)).toBe('pte dev0+ order 0');
    expect(names(played, 6)).toMatchObject({ set_migration_pmd: 1, set_migration_pte: 512 });
  });

  it('leaves a folio whole at close, however it is mapped (dmirror_device_evict_chunk)', () => {
    const played = playHuge(`
      ${onDevice}
      {munmap: "h[4..6]"}
      {close: 0}`);
    expect(mapping(played, 3)).toBe('pte ram+ order 9');
    expect(names(played, 6)).toEqual({ set_migration_pte: 509, remove_migration_pte: 509 });
  });
});

describe('SNAPSHOT', () => {
  it('has the PMD bit, and calls a folio of another device an error (hmm_vma_handle_absent_pmd)', () => {
    const played = playHuge(`
      {mmap: h}
      {madvise: h, advice: hugepage}
      {open: 0}
      {open: 1}
      {migrate-to-dev: "h[0..511]", device: 0}
      {cpu-read: "h[600]"}
      {snapshot: "h[511..512]", device: 0}
      {snapshot: "h[511..512]", device: 1}`);
    expect([...played.steps[6]!.bytes!]).toEqual([0x26, 0x05]);
    expect([...played.steps[7]!.bytes!]).toEqual([0xff, 0x05]);
  });
});
