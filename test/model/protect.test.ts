import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import type { State } from '../../model/state.ts';
import { devicePages, outcomes, pages, play, pte } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

/** Each vma of region a as `first-end` and its protection. */
function vmas(state: State, process = 0): string {
  return state.processes[process]!.mm.vmas[0]!.map(
    ({ first, end, read, write }) => `${first}-${end}${write ? 'rw' : read ? 'r' : ''}`,
  ).join(' ');
}

describe('mprotect()', () => {
  it('splits a vma, and merges it again where the protections agree: vma_modify_flags()', () => {
    const split = '{mmap: a}\n{cpu-write: "a[0]"}\n{mprotect: "a[1..2]", protection: read}';
    expect(vmas(play(split).state)).toBe('0-1rw 1-3r 3-4rw');
    expect(vmas(play(`${split}\n{mprotect: "a[1]"}`).state)).toBe('0-2rw 2-3r 3-4rw');
    expect(vmas(play(`${split}\n{mprotect: "a[2]"}`).state)).toBe('0-1rw 1-2r 2-4rw');
    expect(vmas(play(`${split}\n{mprotect: "a[1..2]"}`).state)).toBe('0-4rw');
    expect(vmas(play(`${split}\n{mprotect: a}`).state)).toBe('0-4rw');
  });

  it('does not merge vmas that were never written to with those that were: VM_ACCOUNT', () => {
    const { state } = play(`
      {mmap: a, protection: read}
      {mprotect: "a[0]"}
      {cpu-write: "a[0]"}
      {mprotect: "a[0]", protection: read}`);
    expect(vmas(state)).toBe('0-1r 1-4r');
  });

  it('gives up VM_ACCOUNT where no page was ever in the vma, so that it merges', () => {
    const { state } = play(`
      {mmap: a, protection: read}
      {mprotect: "a[0]"}
      {mprotect: "a[0]", protection: read}`);
    expect(vmas(state)).toBe('0-4r');
  });

  it('merges a vma with pages into one that nothing was in yet, but not in 6.12: is_mergeable_anon_vma()', () => {
    const steps = `
      {mmap: a}
      {mprotect: "a[0..1]", protection: read}
      {cpu-write: "a[2]"}
      {mprotect: "a[2..3]", protection: none}
      {mprotect: "a[0..1]"}
      {mprotect: "a[2..3]"}`;
    expect(vmas(play(steps).state)).toBe('0-4rw');
    expect(vmas(play(steps, old).state)).toBe('0-2rw 2-4rw');
  });

  it('lets a part without an anon_vma take that of its neighbour: find_mergeable_anon_vma()', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {mprotect: "a[0]", protection: read}
      {cpu-write: "a[1]"}`);
    const [first, second] = state.processes[0]!.mm.vmas[0]!;
    expect(second!.anonVma).toBe(first!.anonVma);
  });

  it('never gives a device page its write entry back, nor its soft-dirty bit: change_softleaf_pte()', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {migrate-to-dev: "a[0]", device: 0}
      {mprotect: a, protection: read}
      {mprotect: a}`);
    expect(pages(state)).toBe('dev0 ram+ ram+ ram+');
    expect(pte(state, 0, 0)!.softDirty).toBe(false);
    expect(devicePages(state, 0, 0)).toBe('----');
  });

  it('notifies nobody where the protection stays: mprotect_fixup()', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {read: a, device: 0}
      {mprotect: a}`);
    expect(devicePages(state, 0, 0)).toBe('wwww');
  });

  it('does what comes before a hole: do_mprotect_pkey()', () => {
    const played = play(`
      {mmap: a}
      {munmap: "a[2]"}
      {mprotect: a, protection: none}`);
    expect(outcomes(played).at(-1)).toBe('ENOMEM');
    expect(vmas(played.state)).toBe('0-2 3-4rw');
  });
});
