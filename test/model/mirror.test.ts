import { describe, expect, it } from 'vitest';
import { apply } from '../../model/apply.ts';
import { HazardError } from '../../model/mirror.ts';
import type { Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { devicePages, last, outcomes, pages, play, STOCK } from './play.ts';

describe("the device's own page table", () => {
  it('gets what the CPU may do: writable pages writable, also from a READ', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {open: 0}
      {read: "a[0..1]", device: 0}
      {write: "a[0]", device: 0}`);
    expect(devicePages(played.state, 0, 0)).toBe('wr--');
    expect(played.steps.slice(3).map(({ faults }) => faults)).toEqual([1, 0]);
  });

  it('loses one page too many to munmap, and to the copy of a written page', () => {
    const unmapped = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {read: a, device: 0}
      {munmap: "a[0]"}`);
    expect(devicePages(unmapped.state, 0, 0)).toBe('--ww');

    const copied = play(`
      {mmap: a}
      {open: 0}
      {read: a, device: 0}
      {cpu-write: "a[1]"}`);
    expect(devicePages(copied.state, 0, 0)).toBe('r--r');
  });

  it('survives a write that needs no copy', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {read: a, device: 0}
      {cpu-write: a}`);
    expect(devicePages(played.state, 0, 0)).toBe('wwww');
  });

  it('goes whole with a fork, but stays for a vma that fork does not copy', () => {
    const { state } = play(`
      {mmap: a}
      {mmap: b}
      {cpu-write: "a[0]"}
      {open: 0}
      {read: a, device: 0}
      {read: b, device: 0}
      {fork: p1}`);
    expect(devicePages(state, 0, 0, 0)).toBe('----');
    expect(devicePages(state, 0, 0, 1)).toBe('rrrr');
  });

  it('loses the entry at the address at which a child faults', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {fork: p1}
      {migrate-to-dev: a, device: 0}
      {cpu-read: "a[1]", by: p1}`);
    // try_to_migrate_one() visits the parent, and clears one page too many there.
    expect(devicePages(state, 0, 0)).toBe('r--r');
  });
});

describe('READ and WRITE', () => {
  it('fail as hmm_range_fault() does, and keep what they did before', () => {
    const played = play(`
      {mmap: a}
      {mmap: b, protection: read}
      {open: 0}
      {write: "a[0..2]", device: 0}
      {munmap: "a[3]"}
      {write: a, device: 0}
      {read: a, device: 0}
      {write: b, device: 0}
      {read: b, device: 0}`);
    expect(outcomes(played).slice(-4)).toEqual(['EFAULT', 'EFAULT', 'EPERM', 'success']);
    const words = played.state.processes[0]!.mm.ptes[0]!.map((entry) => entry?.frame.word);
    // The UNMAP of page 3 took nothing else; step 5 wrote pages 0 to 2 before it failed.
    expect(words).toEqual([0x600010001, 0x600010002, 0x600010003, undefined]);
  });

  it('take pages of the other device back to RAM', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {open: 0}
      {open: 1}
      {migrate-to-dev: "a[0]", device: 0}
      {write: "a[0]", device: 1}`);
    expect(last(played)).toMatchObject({ cpages: 1, faults: 1 });
    expect(pages(played.state)).toBe('ram+ - - -');
  });

  it('count one fault for a range of several pieces', () => {
    const played = play(
      `
      {mmap: a}
      {open: 0}
      {read: a, device: 0}`,
      undefined,
      '{a: 40}',
    );
    expect(last(played)).toMatchObject({ cpages: 40, faults: 1 });
  });
});

describe('hazards', () => {
  const at = (first: number, count: number) => ({ region: 0, first, count });
  const onDevice = `
    {mmap: a}
    {cpu-write: a}
    {open: 0}
    {migrate-to-dev: "a[1..2]", device: 0}`;
  const hole = `
    {mmap: a}
    {open: 0}
    {migrate-to-dev: "a[0]", device: 0}`;
  const lost = `${onDevice}
    {munmap: "a[0]"}`;
  const read = (first: number, count: number): Step => ({
    op: 'read',
    by: 0,
    device: 0,
    at: at(first, count),
  });
  const write = (first: number, count: number): Step => ({
    op: 'write',
    by: 0,
    device: 0,
    at: at(first, count),
  });

  it.each<[string, string, Step]>([
    ['a READ whose first page lacks an entry, with a page of the device behind it', onDevice, read(0, 2)],
    ['a READ of a page of the device whose entry was invalidated', lost, read(1, 1)],
    ['a WRITE to a hole that went to the device', hole, write(0, 1)],
  ])('are seen before they are done: %s', (_, steps, step) => {
    const { state } = play(steps);
    expect(hazardOf(state, step)).toMatch(/untranslated/);
    expect(() => apply(state, step, 9)).toThrow(HazardError);
  });

  it.each<[string, string, Step]>([
    ['a READ of pages that the device has', onDevice, read(1, 2)],
    [
      'a READ that faults in a hole first brings the page behind it back',
      `${hole}\n{migrate-to-dev: "a[2]", device: 0}`,
      read(1, 2),
    ],
    ['a READ that fails before it enters anything', `${onDevice}\n{munmap: "a[3]"}`, read(0, 4)],
    ['a WRITE to pages that went to the device writable', onDevice, write(1, 2)],
  ])('are not seen where there are none: %s', (_, steps, step) => {
    const { state } = play(steps);
    expect(hazardOf(state, step)).toBeUndefined();
    expect(() => apply(state, step, 9)).not.toThrow();
  });

  it('are a READ from a hole on, whose fault at a page of a device folio splits the folio and leaves the page', () => {
    const { state } = play(
      `{mmap: h}
       {open: 0}
       {migrate-to-dev: h, device: 0}
       {madvise: "h[9]", advice: dontneed}`,
      STOCK,
      '{h: {pmds: 1}}',
    );
    expect(hazardOf(state, read(9, 2))).toMatch(/untranslated/);
    expect(hazardOf(state, read(9, 1))).toBeUndefined();
    expect(() => apply(state, read(9, 2), 9)).toThrow(HazardError);
  });

  it('are a second file of one device on one process', () => {
    const { state } = play(`
      {open: 0}
      {fork: p1}
      {close: 0}`);
    expect(hazardOf(state, { op: 'open', by: 0, device: 0 })).toMatch(/already mirrors/);
    expect(hazardOf(state, { op: 'open', by: 0, device: 1 })).toBeUndefined();
  });
});
