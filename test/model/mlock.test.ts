import { describe, expect, it } from 'vitest';
import { apply } from '../../model/apply.ts';
import { drainLru } from '../../model/lru.ts';
import { pageFlags, STALE_SLACK } from '../../model/page-flags.ts';
import { makeProfile, type Profile } from '../../model/profile.ts';
import type { Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { outcomes, pages, play, pte, STOCK } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

const READY = `
  {mmap: a}
  {cpu-write: a}
  {open: 0}`;

/** One word per page of region a: how often it is mlocked on the unevictable list, or that it is not. */
function locks(steps: string, process = 0, profile = STOCK): string {
  const { state } = play(steps, profile);
  return state.processes[process]!.mm.ptes[0]!.map((entry) => {
    if (!entry) return '-';
    const { mlocked, unevictable, mlockCount } = entry.frame;
    return mlocked && unevictable ? String(mlockCount) : mlocked ? 'marked' : unevictable ? 'stranded' : 'no';
  }).join(' ');
}

describe('mlock', () => {
  it('writes to what may be written to, so that nothing is shared or missing: populate_vma_page_range()', () => {
    const steps = '{mmap: a}\n{cpu-write: "a[0..1]"}\n{cpu-read: "a[2]"}\n{fork: p1}\n{mlock: a}';
    expect(pages(play(steps).state)).toBe('ram+ ram+ ram+ ram+');
    expect(locks(steps)).toBe('1 1 1 1');
    expect(locks(steps, 1)).toBe('no no no -');
  });

  it('takes pages back from devices, and they may go there again: munlock_vma_folio()', () => {
    const steps = `${READY}\n{migrate-to-dev: "a[0]", device: 0}\n{mlock: a}`;
    expect(pages(play(steps).state)).toBe('ram+ ram+ ram+ ram+');
    // What comes back was off the LRU when it was mlocked: lru_add() begins to count at 0.
    expect(locks(steps)).toBe('0 1 1 1');
    const there = `${steps}\n{migrate-to-dev: "a[1]", device: 0}`;
    expect(pages(play(there).state)).toBe('ram+ dev0+ ram+ ram+');
    expect(locks(`${there}\n{migrate-to-sys: a, device: 0}\n{munlock: a}`)).toBe('no no no no');
  });

  it('counts the mappings of a page on the LRU, and only those: __mlock_folio(), __munlock_folio()', () => {
    const shared = `${READY}\n{mprotect: a, protection: read}\n{mlock: a}\n{fork: p1}\n{mlock: a, by: p1}`;
    expect(locks(shared)).toBe('2 2 2 2');
    expect(locks(`${shared}\n{munlock: "a[0]"}\n{munlock: "a[0..1]", by: p1}`)).toBe('no 1 2 2');
    const back = `${shared}\n{migrate-to-dev: "a[0]", device: 0}\n{migrate-to-sys: a, device: 0}`;
    expect(locks(back)).toBe('0 2 2 2');
    expect(locks(`${back}\n{munlock: a}`)).toBe('no 1 1 1');
  });

  it('leaves PG_unevictable on a device page, which has it in its next life: folio_migrate_flags()', () => {
    // The mapping of p1 goes when the page is isolated already.
    const there = `${READY}\n{mprotect: a, protection: read}\n{fork: p1}\n{mlock: a, by: p1}\n{migrate-to-dev: "a[0]", device: 0}`;
    const left = `${there}\n{munmap: a}\n{munmap: a, by: p1}`;
    const { state } = play(`${left}\n{mmap: a}\n{migrate-to-dev: "a[0..1]", device: 0}`);
    expect(pte(state, 0, 0)!.frame).toMatchObject({ kind: 'device', unevictable: true });
    // What other programs have left is not known; an LRU list is.
    const back = play('{mmap: a}\n{open: 0}\n{migrate-to-dev: "a[0]", device: 0}\n{cpu-read: "a[0]"}').state;
    const { frame } = pte(back, 0, 0)!;
    expect(pageFlags(frame, back)!.free).toContainEqual({ flag: 'UNEVICTABLE', slack: STALE_SLACK });
    drainLru(back);
    expect(frame.unevictable).toBe(false);
  });

  it('has a page that waits in lru_add lose PG_active, though its mapping goes at once: lru_add(), munlock_folio()', () => {
    const active = (steps: string) => play(steps).state.processes[1]!.mm.ptes[0]![0]!.frame.active;
    const shared =
      '{mmap: a}\n{open: 0}\n{exclusive: a, device: 0}\n{exclusive: a, device: 0}\n{fork: p1}\n{migrate-to-dev: a, device: 0}';
    expect(active(`${shared}\n{cpu-read: a}\n{cpu-read: a}`)).not.toBe(false);
    // The write of mlock copies what has come back, and is mlocked, a moment ago.
    expect(active(`${shared}\n{mlock: a}`)).toBe(false);
  });

  it('leaves nothing to MADV_FREE by somebody who has not mlocked it: folio_mark_lazyfree()', () => {
    const { state } = play('{mmap: a}\n{mlock: a}\n{fork: p1}\n{madvise: a, advice: free, by: p1}');
    const { swapBacked, referenced } = pte(state, 0, 0)!.frame;
    expect({ swapBacked, referenced }).toEqual({ swapBacked: true, referenced: true });
  });

  it('makes no page active that was unevictable before, as those of ramfs are: folio_mark_accessed()', () => {
    const { state } = play(
      '{mmap: a}\n{open: 0}\n{fork: p1}\n{exclusive: a, device: 0}\n{mlock: a, by: p1}',
      STOCK,
      '{a: {pages: 1, backing: shared-file}}',
    );
    const { active, referenced } = pte(state, 1, 0)!.frame;
    expect({ active, referenced }).toEqual({ active: false, referenced: true });
  });

  it('keeps a page unevictable until its batch is drained, after all of a munmap: __munlock_folio()', () => {
    const { state } = play(
      `{mmap: a}
      {open: 0}
      {mremap: "a[0]", to: "a[1]", keep: true}
      {read: "a[1]", device: 0}
      {mlock: "a[0]"}
      {munmap: a}`,
      STOCK,
      '{a: {pages: 2, backing: shared-shmem}}',
    );
    const { active, referenced, unevictable } = state.files[0]!.pages[0]!;
    expect({ active, referenced, unevictable }).toEqual({
      active: false,
      referenced: true,
      unevictable: false,
    });
  });

  it('lets a page go before the next vma of an exit is zapped where dirty pages of files are freed: free_pages_and_swap_cache() of 6.12', () => {
    const flags = (profile: Profile) => {
      const { state } = play(
        `{mmap: s}
        {open: 0}
        {mremap: "s[2]", to: "s[0..1]"}
        {fork: p1}
        {exclusive: "s[1]", device: 0}
        {cpu-read: "s[0]", by: p1}
        {mlock: "s[1]"}
        {exclusive: "s[3]", device: 0}
        {exit: p0}`,
        profile,
        '{s: {pages: 4, backing: shared-shmem}}',
      );
      const { active, referenced, unevictable } = state.files[0]!.pages[3]!;
      return { active, referenced, unevictable };
    };
    expect(flags(STOCK)).toEqual({ active: false, referenced: true, unevictable: false });
    // Evictable again, its second mapping counts as a second access.
    expect(flags(old)).toEqual({ active: true, referenced: false, unevictable: false });
  });

  it('frees pages of a coherent device in their order on 6.12, and those that the batch held last on 7.3', () => {
    const next = (profile: Profile) => {
      const { state } = play(
        `{mmap: a}
        {mlock: "a[0]"}
        {open: 2}
        {migrate-to-dev: a, device: 2}
        {munmap: a}
        {mmap: b}
        {migrate-to-dev: b, device: 2}`,
        profile,
        '{a: 2, b: 1}',
      );
      const { frame } = pte(state, 0, 0, 1)!;
      return frame.kind === 'coherent' && frame.position;
    };
    expect(next(STOCK)).toBe((next(old) as number) + 1);
  });

  it('leaves a page unevictable that was exclusive at munlock, and MADV_PAGEOUT puts it back: folio_putback_lru()', () => {
    const { state } = play(
      `{mmap: a}
      {open: 0}
      {mlock: a}
      {exclusive: a, device: 0}
      {munlock: a}
      {swapon: p0}
      {cpu-write: a}
      {madvise: a, advice: pageout}`,
      STOCK,
      '{a: 1}',
    );
    const { kind, frame } = pte(state, 0, 0)!;
    expect(kind).toBe('present');
    expect(frame).toMatchObject({ mlocked: true, unevictable: true, referenced: false });
  });

  it('has a page of the swap cache copied, since the batch has a reference: wp_can_reuse_anon_folio()', () => {
    const { state } = play(
      `{mmap: a}
      {swapon: p0}
      {cpu-write: a}
      {madvise: a, advice: pageout}
      {fork: p1}
      {cpu-write: a}
      {mlock: a, by: p1}`,
      STOCK,
      '{a: 1}',
    );
    // A page that leaves the swap cache is dirty, its copy is not.
    expect(pte(state, 1, 0)!.frame.dirty).toBe(false);
  });

  it('stops at a hole, and tells of PROT_NONE and of missing memory by other names', () => {
    const last = (steps: string) => outcomes(play(`${READY}\n${steps}`)).at(-1);
    expect(last('{munmap: "a[2]"}\n{mlock: a}')).toBe('ENOMEM');
    expect(last('{munmap: "a[2]"}\n{munlock: a}')).toBe('ENOMEM');
    expect(last('{mprotect: "a[2]", protection: none}\n{mlock: a}')).toBe('ENOMEM');
    const fails = '{migrate-to-dev: a, device: 0}\n{flags: fail-alloc, device: 0}';
    expect(last(`${fails}\n{mlock: a}`)).toBe('EAGAIN');
    expect(
      last(
        `{mlock: "a[0]"}\n{migrate-to-dev: "a[1..3]", device: 0}\n{flags: fail-alloc, device: 0}\n{mlock: a}`,
      ),
    ).toBe('success');
    expect(locks(`${READY}\n{munmap: "a[2]"}\n{mlock: a}`)).toBe('1 1 - no');
  });

  it('refuses reclaim, which gives up what comes before: madvise_dontneed_free_valid_vma()', () => {
    const played = play(`${READY}\n{mlock: "a[2]"}\n{madvise: a, advice: dontneed}`);
    expect(outcomes(played).at(-1)).toBe('EINVAL');
    expect(pages(played.state)).toBe('- - ram+ ram+');
  });

  it('is of the mapping when it becomes writable, moves or grows', () => {
    const copied = play(
      `${READY}\n{mprotect: a, protection: read}\n{mlock: a}\n{fork: p1}\n{mprotect: "a[0..1]", protection: read-write}`,
    );
    expect(pages(copied.state)).toBe('ram+ ram+ ram ram');
    expect(pte(copied.state, 0, 0)!.rule).toBe('wp_page_copy');
    const moved = play(`${READY}\n{mlock: a}\n{mremap: a, to: b, keep: true}\n{cpu-write: "a[0]"}`);
    expect(pte(moved.state, 0, 0)!.frame.mlocked).toBe(false);
    expect(pte(moved.state, 0, 0, 1)!.frame.mlocked).toBe(true);
    const grown = play(`${READY}\n{munmap: "a[2..3]"}\n{mlock: "a[0..1]"}\n{mremap: "a[0..1]", pages: 4}`);
    expect(pages(grown.state)).toBe('ram+ ram+ ram+ ram+');
  });

  it('is taken back in 6.12 from a page whose entry is made device-exclusive', () => {
    const steps = `${READY}\n{mlock: a}\n{exclusive: "a[0..1]", device: 0}\n{cpu-read: "a[1]"}`;
    expect(locks(steps)).toBe('1 1 1 1');
    expect(locks(steps, 0, old)).toBe('no 1 1 1');
  });

  it('has the batch hold a device page that was unmapped, so that it is free after others: munlock_folio()', () => {
    const order = (steps: string) => {
      const { state } = play(`${READY}\n${steps}\n{migrate-to-dev: a, device: 0}\n{munmap: a}`);
      return state.devices[0]!.free.map(({ position }) => position - 65532).join(' ');
    };
    expect(order('{cpu-read: a}')).toBe('3 2 1 0');
    expect(order('{mlock: "a[0..1]"}')).toBe('1 0 3 2');
  });
});

it('lets a mapping grow that cannot be written only where no zero page comes in: wouldTouchZeroPage()', () => {
  const grow: Step = {
    op: 'mremap',
    by: 0,
    at: { region: 0, first: 0, count: 1 },
    to: { region: 0, first: 0, count: 2 },
    how: 'resize',
  };
  const short = '{mmap: a, protection: read}\n{munmap: "a[1]"}\n{mlock: "a[0]"}';
  const file = play(short, STOCK, '{a: {pages: 2, backing: private-file}}');
  expect(hazardOf(file.state, grow)).toBeUndefined();
  apply(file.state, grow, 3);
  expect(pages(file.state)).toBe('ram ram');
  const anonymous = play(
    '{mmap: a}\n{cpu-write: "a[0]"}\n{mprotect: a, protection: read}\n{munmap: "a[1]"}\n{mlock: "a[0]"}',
    STOCK,
    '{a: 2}',
  );
  expect(hazardOf(anonymous.state, grow)).toContain('zero page');
});
