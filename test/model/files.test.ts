import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import { fileWord } from '../../model/program.ts';
import { expectSmaps } from '../../model/smaps.ts';
import { expectRss } from '../../model/status.ts';
import { tokenNumber } from '../../model/token.ts';
import { last, migrations, outcomes, type Played, pages, play, pte, STOCK } from './play.ts';

const OLD = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
const FILES =
  '{p: {pages: 4, backing: private-file}, f: {pages: 4, backing: shared-file}, s: {pages: 4, backing: shared-shmem}, a: 8}';
const [PRIVATE, SHARED, SHMEM, ANONYMOUS] = [0, 1, 2, 3];

const playFiles = (steps: string, profile = STOCK) => play(steps, profile, FILES);

/** One word per page of a region: `-`, `file` for a page of the page cache, or as pages() has it. */
function entries({ state }: Played, region: number, process = 0): string {
  const words = pages(state, process, region).split(' ');
  return state.processes[process]!.mm.ptes[region]!.map((entry, page) =>
    entry?.frame.file ? `file${entry.write ? '+' : ''}` : words[page],
  ).join(' ');
}

describe('faults of mappings of files', () => {
  it('map what the page cache has around, within 16 pages: do_fault_around(), filemap_map_pages()', () => {
    const long = '{p: {pages: 40, backing: private-file}}';
    const mapped = (steps: string) => {
      const { state } = play(steps, STOCK, long);
      return state.processes[0]!.mm.ptes[0]!.flatMap((entry, page) => (entry ? [page] : []));
    };
    const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);
    expect(mapped('{mmap: p}\n{cpu-read: "p[20]"}')).toEqual(range(16, 32));
    expect(mapped('{mmap: p}\n{cpu-read: "p[39]"}')).toEqual(range(32, 40));
    // A window begins with the mapping, and is no shorter for it.
    expect(mapped('{mmap: p}\n{munmap: "p[0..19]"}\n{cpu-read: "p[21]"}')).toEqual(range(20, 36));
    expect(mapped('{mmap: p}\n{cpu-write: "p[20]"}')).toEqual([20]);
  });

  it('find what was written in the page cache, and nothing but holes in that of shmem: shmem_fault()', () => {
    const { steps } = playFiles('{mmap: p}\n{mmap: s}\n{cpu-read: p}\n{cpu-read: s}');
    expect(steps[2]!.data).toEqual([0, 1, 2, 3].map((page) => Number(fileWord(PRIVATE, page))));
    expect(steps[3]!.data).toEqual([0, 0, 0, 0]);
  });

  it('copy pages of private mappings, and write to those of shared ones: do_cow_fault(), do_shared_fault()', () => {
    const played = playFiles('{mmap: p}\n{mmap: f}\n{cpu-write: "p[0]"}\n{cpu-read: p}\n{cpu-write: "f[0]"}');
    expect(entries(played, PRIVATE)).toBe('ram+ file file file');
    expect(entries(played, SHARED)).toBe('file+ - - -');
  });

  it('make entries of shared shmem writable at once, unless somebody must be told: vma_wants_writenotify()', () => {
    const steps = '{mmap: f}\n{mmap: s}\n{cpu-read: f}\n{cpu-read: s}';
    expect(entries(playFiles(steps), SHARED)).toBe('file file file file');
    expect(entries(playFiles(steps), SHMEM)).toBe('file+ file+ file+ file+');
    const cleared = playFiles('{mmap: s}\n{clear-refs: p0}\n{cpu-read: s}');
    expect(entries(cleared, SHMEM)).toBe('file file file file');
  });

  it('end behind the end of the file, for a CPU and for a device: VM_FAULT_SIGBUS', () => {
    const longer = '{mmap: f}\n{mremap: f, to: "a[0..3]"}\n{mremap: "a[0..3]", pages: 6}\n{open: 0}';
    const outcome = (step: string) => outcomes(playFiles(`${longer}\n${step}`)).at(-1);
    expect(outcome('{cpu-read: "a[3..4]"}')).toBe('SIGBUS at page 4');
    expect(outcome('{cpu-write: "a[5]"}')).toBe('SIGBUS at page 5');
    expect(outcome('{read: "a[4]", device: 0}')).toBe('EFAULT');
    // What is around is mapped before that is found out.
    expect(entries(playFiles(`${longer}\n{cpu-read: "a[4]"}`), ANONYMOUS)).toBe(
      'file file file file - - - -',
    );
  });
});

describe('migration of files', () => {
  const refused = '{mmap: p}\n{cpu-read: p}\n{cpu-write: "p[1]"}\n{open: 0}\n{migrate-to-dev: p, device: 0}';

  it('unmaps pages of the page cache and puts them back: __migrate_device_pages(), folio_mapping', () => {
    const played = playFiles(refused);
    expect(outcomes(played).at(-1)).toBe('ENOENT');
    expect(entries(played, PRIVATE)).toBe('file dev0+ file file');
    expect(migrations(last(played)).map(({ name, page }) => `${name} ${page}`)).toEqual([
      'remove_migration_pte 0',
      'remove_migration_pte 1',
      'remove_migration_pte 2',
      'remove_migration_pte 3',
    ]);
    // There was a place for each on the device.
    expect(played.state.devices[0]!.free).toHaveLength(3);
    expect(played.state.devices[0]!.live.size).toBe(1);
  });

  it('makes no page in a hole: migrate_vma_collect_hole(), migrate_vma_collect_pmd()', () => {
    const steps = '{mmap: p}\n{open: 0}\n{migrate-to-dev: "p[0]", device: 0}';
    expect(entries(playFiles(steps), PRIVATE)).toBe('- - - -');
    const table = '{mmap: p}\n{open: 0}\n{cpu-write: "p[1]"}\n{migrate-to-dev: p, device: 0}';
    expect(entries(playFiles(table), PRIVATE)).toBe('- dev0+ - -');
  });

  it('passes over pinned pages of shmem, after it has unmapped them: migrate_vma_check_page()', () => {
    const steps = '{mmap: s}\n{cpu-write: s}\n{pin: "s[0]"}\n{open: 0}\n{migrate-to-dev: s, device: 0}';
    const played = playFiles(steps);
    expect(entries(played, SHMEM)).toBe('file+ file+ file+ file+');
    expect(played.state.devices[0]!.free).toHaveLength(3);
    expect(migrations(last(played))[0]).toMatchObject({ name: 'remove_migration_pte', page: 0 });
  });

  it('keeps the copies that it has taken until they are zapped, in RAM and on the device', () => {
    const played = playFiles(`${refused}\n{madvise: p, advice: dontneed}\n{cpu-read: p}`);
    expect(last(played).data![1]).toBe(Number(fileWord(PRIVATE, 1)));
    expect(played.state.devices[0]!.live.size).toBe(0);
  });
});

describe('other operations on files', () => {
  it('fork copies entries only where there are anonymous pages: vma_needs_copy()', () => {
    const played = playFiles('{mmap: p}\n{mmap: f}\n{cpu-read: p}\n{cpu-write: f}\n{fork: p1}');
    expect(entries(played, PRIVATE, 1)).toBe('- - - -');
    expect(entries(played, SHARED, 1)).toBe('- - - -');
    const copied = playFiles('{mmap: p}\n{cpu-read: p}\n{cpu-write: "p[2]"}\n{fork: p1}');
    expect(entries(copied, PRIVATE, 1)).toBe('file file ram file');
  });

  it('device-exclusive entries are of anonymous pages: make_device_exclusive()', () => {
    const steps =
      '{mmap: p}\n{mmap: s}\n{open: 0}\n{exclusive: s, device: 0}\n{exclusive: "p[0]", device: 0}';
    expect(outcomes(playFiles(steps)).slice(3)).toEqual(['EOPNOTSUPP', 'success']);
    // The first was faulted in for a write.
    expect(entries(playFiles(steps), SHMEM)).toBe('file+ - - -');
    expect(outcomes(playFiles(steps, OLD)).slice(3)).toEqual(['EBUSY', 'success']);
    expect(entries(playFiles(steps, OLD), SHMEM)).toBe('file+ file+ file+ file+');
  });

  it('long-term pins are not for a file that is told of writes: writable_file_mapping_allowed()', () => {
    expect(outcomes(playFiles('{mmap: f}\n{pin: f}\n{mmap: s}\n{pin: s}'))).toEqual([
      'success',
      'EFAULT',
      'success',
      'success',
    ]);
  });

  it('mprotect leaves dirty entries of a shared file writable: can_change_shared_pte_writable()', () => {
    const steps =
      '{mmap: f}\n{cpu-read: "f[0]"}\n{cpu-write: "f[1]"}\n{mprotect: f, protection: read}\n{mprotect: f}';
    expect(entries(playFiles(steps), SHARED)).toBe('file file+ file file');
  });

  it('reclaim unmaps pages of shmem, and drops those that nothing was written to: shrink_folio_list()', () => {
    const { state } = playFiles(
      '{mmap: s}\n{cpu-read: "s[0]"}\n{cpu-write: "s[1]"}\n{madvise: s, advice: pageout}',
    );
    expect(state.files[SHMEM]!.pages.map((page) => page?.active ?? null)).toEqual([null, true, null, null]);
    expect(pte(state, 0, 1, SHMEM)).toBeNull();
  });

  it('are resident by their kind, as far as a process maps them: mm_counter_file()', () => {
    const { state } = playFiles(
      '{mmap: s}\n{cpu-write: "s[0..1]"}\n{munmap: "s[0]"}\n{mmap: f}\n{cpu-read: "f[0]"}\n{fork: p1}',
    );
    expect(expectRss(state.processes[0]!)).toEqual({ anon: 0, file: 16, shmem: 4, swap: 0 });
    expect(expectRss(state.processes[1]!)).toEqual({ anon: 0, file: 0, shmem: 0, swap: 0 });
  });

  it('reclaim drops what a device wrote where nothing had to be faulted in: dmirror_do_write(), hmm_vma_handle_pte()', () => {
    const wordOf = (steps: string) =>
      last(playFiles(`{mmap: s}\n{open: 0}\n${steps}\n{madvise: s, advice: pageout}\n{cpu-read: "s[0]"}`))
        .data;
    const write = '{write: "s[0]", device: 0}';
    expect(wordOf(`{cpu-read: "s[0]"}\n${write}`)).toEqual([0]);
    expect(wordOf(write)).toEqual([tokenNumber(2, SHMEM, 0)]);
    expect(wordOf(`{cpu-write: "s[0]"}\n${write}`)).toEqual([tokenNumber(3, SHMEM, 0)]);
  });

  it('a page of shmem gets to know of accesses when its entry goes: zap_present_folio_ptes()', () => {
    const flags = (steps: string) => {
      const { referenced, active } = playFiles(steps).state.files[SHMEM]!.pages[0]!;
      return [referenced, active];
    };
    const once = '{mmap: s}\n{cpu-write: s}\n{madvise: s, advice: dontneed}';
    expect(flags(once)).toEqual([true, false]);
    expect(flags(`${once}\n{cpu-read: s}\n{munmap: s}`)).toEqual([false, true]);
  });

  it('moved pages keep their place in the file; anonymous ones in it have an index of their own in 7.3', () => {
    const steps = '{mmap: p}\n{cpu-write: "p[3]"}\n{mremap: "p[2..3]", to: "a[0..1]"}\n{cpu-read: "a[0]"}';
    const { state, steps: played } = playFiles(steps);
    expect(played.at(-1)!.data).toEqual([Number(fileWord(PRIVATE, 2))]);
    expect(pte(state, 0, 1, ANONYMOUS)!.frame.index).toBeGreaterThan(2 ** 30);
    expect(pte(playFiles(steps, OLD).state, 0, 1, ANONYMOUS)!.frame.index).toBe(3);
  });

  it('smaps has pages of files apart from anonymous ones: smaps_account()', () => {
    const { state } = playFiles(
      '{mmap: p}\n{mmap: s}\n{cpu-read: p}\n{cpu-write: "p[0]"}\n{cpu-write: "s[0]"}',
    );
    const [first, second] = expectSmaps(state, state.processes[0]!);
    expect(first!.fields.Anonymous).toEqual({ least: 4, most: 4 });
    expect(first!.fields.Rss).toEqual({ least: 16, most: 16 });
    expect(second!.vmFlags).toBe('rd wr sh mr mw me ms sd');
    expect(second!.fields.Anonymous).toEqual({ least: 0, most: 0 });
  });
});
