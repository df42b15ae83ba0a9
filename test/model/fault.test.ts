import { describe, expect, it } from 'vitest';
import { observationFaults } from '../../model/observe.ts';
import { makeProfile } from '../../model/profile.ts';
import { events, faults, last, outcomes, pages, play, pte } from './play.ts';

describe('CPU faults (mm/memory.c)', () => {
  it('map the zero page for a read, a page of its own for a write', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-read: "a[0]"}
      {cpu-write: "a[1]"}`);
    expect(pages(state)).toBe('zero ram+ - -');
  });

  it('bring exactly one page back from the device, writable as it was', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {migrate-to-dev: a, device: 0}
      {cpu-read: "a[2]"}`);
    expect(pages(played.state)).toBe('dev0+ dev0+ ram+ dev0+');
    expect(last(played).data).toEqual([0x200010003]);
  });

  it('bring a shared page back for all who map it, and copy it for who writes', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {open: 0}
      {migrate-to-dev: "a[0]", device: 0}
      {fork: p1}
      {cpu-write: "a[0]", by: p1}`);
    expect(events(last(played))).toEqual([
      'set 0 migration read',
      'remove 0 present read',
      'remove 0 present read',
    ]);
    expect(pages(played.state, 0)).toBe('ram - - -');
    expect(pages(played.state, 1)).toBe('ram+ - - -');
    expect(pte(played.state, 0, 0)!.frame.word).toBe(0x200010001);
    expect(pte(played.state, 1, 0)!.frame.word).toBe(0x600010001);
  });

  it('reuse a page that nobody shares any more', () => {
    const before = `
      {mmap: a}
      {cpu-write: "a[0]"}
      {fork: p1}
      {exit: p1}`;
    const shared = pte(play(before).state, 0, 0)!;
    expect(shared).toMatchObject({ write: false, frame: { exclusive: false, mapcount: 1 } });
    const { state } = play(`${before}\n{cpu-write: "a[0]"}`);
    expect(pte(state, 0, 0)).toMatchObject({
      write: true,
      rule: 'wp_page_reuse',
      frame: { id: shared.frame.id, exclusive: true },
    });
  });

  it('drain the batches of 6.12 for a page of two processes, so that the next is reused: wp_can_reuse_anon_folio()', () => {
    const steps = `
      {mmap: a}
      {open: 0}
      {cpu-write: "a[1]"}
      {madvise: "a[1]", advice: cold}
      {exclusive: "a[1]", device: 0}
      {exclusive: "a[1]", device: 0}
      {cpu-write: "a[0..1]"}
      {fork: p1}
      {cpu-write: "a[1]", by: p1}`;
    const isReused = (kernel: '7.3' | '6.12') => {
      const profile = makeProfile({ kernel, design: 'pfn', arch: 'x86_64' });
      const frame = (text: string) => pte(play(text, profile).state, 0, 1)!.frame.id;
      return frame(steps) === frame(`${steps}\n{cpu-write: "a[0..1]"}`);
    };
    expect(isReused('6.12')).toBe(true);
    expect(isReused('7.3')).toBe(false);
  });

  it('are SIGSEGV at the first page that does not allow the access, after those before it', () => {
    const played = play(`
      {mmap: a}
      {mmap: b, protection: read}
      {munmap: "a[2]"}
      {cpu-write: a}
      {cpu-read: b}
      {cpu-write: b}`);
    expect(outcomes(played).slice(-3)).toEqual(['SIGSEGV at page 2', 'success', 'SIGSEGV at page 0']);
    expect(pages(played.state)).toBe('ram+ ram+ - -');
    expect(played.steps[3]!.data).toBeUndefined();
  });
});

describe('mmap and munmap', () => {
  it('refuse to map over what is mapped, and unmap what is not', () => {
    const played = play(`
      {mmap: a}
      {munmap: "a[1..3]"}
      {mmap: a}
      {munmap: "a[1..3]"}
      {munmap: a}
      {mmap: a}`);
    expect(outcomes(played)).toEqual(['success', 'success', 'EEXIST', 'success', 'success', 'success']);
  });
});

describe('fork (copy_page_range)', () => {
  it('write-protects both sides and leaves neither exclusive', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {open: 0}
      {cpu-write: "a[1]"}
      {migrate-to-dev: "a[1]", device: 0}
      {fork: p1}`);
    for (const process of [0, 1]) {
      expect(pages(state, process)).toBe('ram dev0 - -');
      for (const page of [0, 1])
        expect(pte(state, process, page)!.frame).toMatchObject({ exclusive: false, mapcount: 2 });
    }
  });

  it('takes the soft-dirty bit of a device page that was writable, and of no page in RAM', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-write: "a[0..1]"}
      {open: 0}
      {migrate-to-dev: "a[1]", device: 0}
      {fork: p1}`);
    expect([0, 1].map((page) => pte(state, 0, page)!.softDirty)).toEqual([true, false]);
    expect([0, 1].map((page) => pte(state, 1, page)!.softDirty)).toEqual([true, false]);
  });
});

describe('page_fault_user (exc_page_fault)', () => {
  it('fires for each time that an access is tried, before the migrations that it causes', () => {
    const shared = `
      {mmap: a}
      {cpu-write: "a[0]"}
      {open: 0}
      {migrate-to-dev: "a[0]", device: 0}
      {fork: p1}
      {cpu-write: "a[0]"}`;
    // The page comes back read-only, and is then copied.
    expect(faults(last(play(shared)))).toEqual([
      '0 write',
      'set 0',
      'remove 0',
      'remove 0',
      '0 write present',
    ]);
  });

  it('fires for accesses that are refused, and not for others', () => {
    expect(faults(last(play('{cpu-read: "a[1]"}')))).toEqual(['1 read']);
    const readOnly = '{mmap: a, protection: read}\n{cpu-read: "a[0]"}';
    expect(faults(last(play(`${readOnly}\n{cpu-write: "a[0]"}`)))).toEqual(['0 write present']);
    expect(faults(last(play(`${readOnly}\n{cpu-read: "a[0]"}`)))).toEqual([]);
  });

  it('is not there on aarch64', () => {
    const aarch64 = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'aarch64' });
    expect(faults(last(play('{mmap: a}\n{cpu-write: a}', aarch64)))).toEqual([]);
  });

  it('fires when a process looks at its pages and may not', () => {
    const { state } = play('{mmap: a}\n{cpu-write: "a[1]"}');
    expect(observationFaults(state, [state.processes[0]!])).toEqual([]);
    const [vma] = state.processes[0]!.mm.vmas[0]!;
    Object.assign(vma!, { read: false, write: false });
    expect(observationFaults(state, [state.processes[0]!])).toMatchObject([
      { page: 1, present: false, write: false },
    ]);
  });

  it('fires for each page of a PMD that a process may not read', () => {
    const steps =
      '{mmap: a}\n{madvise: a, advice: hugepage}\n{cpu-write: "a[1]"}\n{mprotect: a, protection: none}';
    const { state } = play(steps, undefined, '{a: {pmds: 1}}');
    expect(observationFaults(state, [state.processes[0]!]).map(({ page }) => page)).toEqual(
      Array.from({ length: 512 }, (_, i) => i),
    );
  });
});
