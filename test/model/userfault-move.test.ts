import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import { hazardOf } from '../../model/safe.ts';
import { devicePages, last, outcomes, pages, play, pte, STOCK } from './play.ts';

const READY = '{mmap: a}\n{mmap: b}\n{open: 0}\n{uffd-open: p0}\n{uffd-register: b, for: both}';
const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

describe('UFFDIO_MOVE', () => {
  it('takes a page to where there is none, writable and soft-dirty: move_present_ptes()', () => {
    const { state } = play(`${READY}\n{cpu-write: "a[0..1]"}\n{uffd-move: "a[0..1]", to: "b[2..3]"}`);
    expect(pages(state)).toBe('- - - -');
    expect(pages(state, 0, 1)).toBe('- - ram+ ram+');
    expect(pte(state, 0, 2, 1)).toMatchObject({ softDirty: true, dirty: true, uffdWp: false });
    expect(pte(state, 0, 2, 1)!.frame.anonVma).toBe(state.processes[0]!.mm.vmas[1]![0]!.anonVma);
  });

  it('takes zero pages, and passes over holes only if it is told to: move_zeropage_pte()', () => {
    const read = `${READY}\n{cpu-read: "a[0]"}`;
    expect(pages(play(`${read}\n{uffd-move: "a[0]", to: "b[3]"}`).state, 0, 1)).toBe('- - - zero');
    const part = play(`${read}\n{uffd-move: "a[0..1]", to: "b[2..3]"}`);
    expect(outcomes(part).at(-1)).toBe('EAGAIN');
    expect(pages(part.state, 0, 1)).toBe('- - zero -');
    const all = play(`${read}\n{uffd-move: "a[0..1]", to: "b[2..3]", holes: true}`);
    expect(outcomes(all).at(-1)).toBe('success');
  });

  it('leaves pages that others may have, or that are not in RAM', () => {
    const move = '{uffd-move: "a[0]", to: "b[0]"}';
    const end = (steps: string) => outcomes(play(`${READY}\n{cpu-write: "a[0]"}\n${steps}\n${move}`)).at(-1);
    expect(end('{fork: p1}')).toBe('EBUSY');
    expect(end('{pin: "a[0]"}')).toBe('EBUSY');
    expect(end('{migrate-to-dev: "a[0]", device: 0}')).toBe('EFAULT');
    expect(end('{exclusive: "a[0]", device: 0}')).toBe('EFAULT');
    expect(end('{uffd-zeropage: "b[0]"}')).toBe('EEXIST');
    expect(end('{madvise: "a[0]", advice: dontneed}')).toBe('ENOENT');
    expect(end('{open: 2}\n{migrate-to-dev: "a[0]", device: 2}')).toBe('success');
  });

  it('wants mappings of the same kind, the target registered: validate_move_areas()', () => {
    const end = (steps: string, from = 'a[0]', to = 'b[0]') =>
      outcomes(play(`${READY}\n{cpu-write: a}\n${steps}\n{uffd-move: "${from}", to: "${to}"}`)).at(-1);
    expect(end('{mlock: a}')).toBe('EINVAL');
    expect(end('{mprotect: "b[0]", protection: read}')).toBe('EINVAL');
    expect(end('{uffd-unregister: b}')).toBe('EINVAL');
    expect(end('{munmap: "a[1]"}', 'a[0..1]', 'b[0..1]')).toBe('EINVAL');
    expect(end('{munmap: "b[0]"}')).toBe('ENOENT');
  });

  it('notifies of all that is left in 7.3, and page by page in 6.12: move_pages_ptes(), move_pages_pte()', () => {
    const steps = `${READY}\n{cpu-write: "a[0..3]"}\n{read: a, device: 0}\n{fork: p1}\n{read: a, device: 0}
      {uffd-move: "a[0..3]", to: "b[0..3]"}`;
    for (const [profile, known] of [
      [STOCK, '----'],
      [old, '--rr'],
    ] as const) {
      const played = play(steps, profile);
      expect(last(played).outcome).toMatchObject({ errno: 'EBUSY' });
      expect(devicePages(played.state, 0, 0)).toBe(known);
    }
  });

  it('is not taken where the model has no rules for it', () => {
    const huge = play('{mmap: h}', STOCK, '{h: {pmds: 1}, a: 2}').state;
    const at = { region: 0, first: 0, count: 1 };
    const to = { region: 1, first: 0, count: 1 };
    expect(hazardOf(huge, { op: 'uffd-move', by: 0, at, to, holes: false })).toContain('huge regions');
    const swap = play('{swapon: p0}').state;
    expect(hazardOf(swap, { op: 'uffd-move', by: 0, at, to, holes: false })).toContain('swapped');
  });
});
