import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import { devicePages, last, outcomes, pages, play, pte, STOCK } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

const READY = `
  {mmap: a}
  {cpu-write: a}
  {open: 0}
  {migrate-to-dev: "a[0..1]", device: 0}`;

function vmas(played: ReturnType<typeof play>, region = 0): string {
  const list = played.state.processes[0]!.mm.vmas[region]!;
  return list.map(({ first, end }) => `${first}..${end}`).join(' ');
}

describe('mremap', () => {
  it('moves entries of all kinds, soft-dirty, and the device knows neither place: move_ptes()', () => {
    const played = play(`${READY}\n{clear-refs: p0}\n{mremap: a, to: b}`);
    expect(pages(played.state)).toBe('- - - -');
    expect(pages(played.state, 0, 1)).toBe('dev0+ dev0+ ram ram');
    expect([0, 2].map((page) => pte(played.state, 0, page, 1)!.softDirty)).toEqual([true, true]);
    expect(devicePages(played.state, 0, 0, 0)).toBe('----');
    expect(devicePages(played.state, 0, 0, 1)).toBe('----');
  });

  it('leaves pages their index, by which they are found in other processes: rmap_walk_anon()', () => {
    const played = play(`${READY}\n{fork: p1}\n{mremap: a, to: b}\n{cpu-read: "a[1]", by: p1}`);
    expect(pages(played.state, 0, 1)).toBe('dev0 ram ram ram');
    expect(pages(played.state, 1, 0)).toBe('dev0 ram ram ram');
    const events = last(played).events.filter(({ name }) => name === 'remove_migration_pte');
    expect(events.map(({ region, page }) => `${region} ${page}`)).toEqual(['0 1', '1 1']);
  });

  it('unmaps the target first, and merges what fits by address and index: vma_merge_new_range()', () => {
    const away = `${READY}\n{mremap: "a[1..2]", to: "b[0..1]"}`;
    expect(vmas(play(away))).toBe('0..1 3..4');
    expect(vmas(play(`${away}\n{mremap: "b[0..1]", to: "a[1..2]"}`))).toBe('0..4');
    expect(vmas(play(`${away}\n{mremap: "b[0]", to: "a[2]"}`))).toBe('0..1 2..3 3..4');
    expect(pages(play(`${away}\n{mremap: "b[0]", to: "a[3]"}`).state)).toBe('dev0+ - - dev0+');
  });

  it('gives what was never written the index of its new place: copy_vma()', () => {
    expect(vmas(play('{mmap: a}\n{munmap: "a[0..1]"}\n{mremap: "a[3]", to: "a[1]"}'))).toBe('1..3');
    expect(vmas(play('{mmap: a}\n{munmap: "a[0..1]"}\n{mremap: "a[2]", to: "a[1]"}'))).toBe('1..2 3..4');
  });

  it('with MREMAP_DONTUNMAP leaves an empty mapping, whose next pages may have the same index', () => {
    const part = play(
      `${READY}\n{mremap: "a[0..1]", to: "b[0..1]", keep: true}\n{cpu-write: "a[0]"}\n{close: 0}`,
    );
    expect(pages(part.state)).toBe('ram+ - ram+ ram+');
    expect(pages(part.state, 0, 1)).toBe('ram+ ram+ - -');
    const [own, moved] = [pte(part.state, 0, 0)!.frame, pte(part.state, 0, 0, 1)!.frame];
    expect(own.index).toBe(moved.index);
    expect(own.anonVma).toBe(moved.anonVma);
    // A whole mapping begins anew: dontunmap_complete().
    const whole = play(`${READY}\n{mremap: a, to: b, keep: true}\n{cpu-write: "a[0]"}`);
    expect(pte(whole.state, 0, 0)!.frame.anonVma).not.toBe(pte(whole.state, 0, 0, 1)!.frame.anonVma);
  });

  it('moves several mappings in 7.3; 6.12 has unmapped the target when it fails', () => {
    const steps = `${READY}
      {mmap: b}
      {cpu-write: b}
      {mprotect: "a[1]", protection: read}
      {mremap: "a[0..1]", to: "b[0..1]"}`;
    expect(outcomes(play(steps)).at(-1)).toBe('success');
    expect(pages(play(steps).state, 0, 1)).toBe('dev0+ dev0 ram+ ram+');
    expect(outcomes(play(steps, old)).at(-1)).toBe('EFAULT');
    expect(pages(play(steps, old).state, 0, 1)).toBe('- - ram+ ram+');
    expect(pages(play(steps, old).state)).toBe('dev0+ dev0 ram+ ram+');
  });

  it('shrinks, and grows into room that is there: expand_vma()', () => {
    const resize = (steps: string) => {
      const played = play(`{mmap: a}\n${steps}`);
      return `${outcomes(played).at(-1)} ${vmas(played)}`;
    };
    expect(resize('{mremap: "a[1..3]", pages: 1}')).toBe('success 0..2');
    expect(resize('{munmap: "a[2..3]"}\n{mremap: "a[0..1]", pages: 4}')).toBe('success 0..4');
    expect(resize('{munmap: "a[2]"}\n{mremap: "a[1]", pages: 2}')).toBe('success 0..4');
    expect(resize('{munmap: "a[1]"}\n{mremap: "a[0]", pages: 4}')).toBe('ENOMEM 0..1 2..4');
    expect(resize('{mremap: "a[0..1]", pages: 3}')).toBe('ENOMEM 0..4');
    expect(resize('{munmap: "a[3]"}\n{mremap: "a[2..3]", pages: 1}')).toBe('success 0..3');
    expect(resize('{munmap: "a[2..3]"}\n{mremap: "a[1..2]", pages: 3}')).toBe('EFAULT 0..2');
    expect(resize('{mremap: a, pages: 0}')).toBe('EINVAL 0..4');
  });

  it('refuses arguments before it looks for a mapping, but 6.12 not all of them', () => {
    const refused = (step: string) => [STOCK, old].map((profile) => outcomes(play(step, profile))[0]);
    expect(refused('{mremap: "a[0..1]", to: "a[1..2]"}')).toEqual(['EINVAL', 'EFAULT']);
    expect(refused('{mremap: a, to: b, flaw: beyond}')).toEqual(['EINVAL', 'EFAULT']);
    expect(refused('{mremap: a, to: b, flaw: misaligned}')).toEqual(['EINVAL', 'EINVAL']);
    expect(refused('{mremap: "a[0]", to: b, keep: true}')).toEqual(['EINVAL', 'EINVAL']);
    expect(refused('{mremap: a, to: b}')).toEqual(['EFAULT', 'EFAULT']);
  });
});

describe('mremap of huge pages', () => {
  const huge = '{h: {pmds: 2}, k: {pmds: 2}}';
  const pmds = (played: ReturnType<typeof play>, region: number) =>
    played.state.processes[0]!.mm.pmds[region]!.map((pmd) =>
      pmd === null || pmd === 'table' ? pmd : pmd.frame.kind,
    );
  const HUGE = '{mmap: h}\n{madvise: h, advice: hugepage}\n{cpu-write: "h[0]"}\n{open: 0}';

  it('moves a PMD as a whole; one of a device does not become soft-dirty: move_soft_dirty_pmd()', () => {
    const device = play(
      `${HUGE}\n{migrate-to-dev: "h[0..511]", device: 0}\n{mremap: "h[0..511]", to: "k[512..1023]"}`,
      STOCK,
      huge,
    );
    expect(pmds(device, 0)).toEqual([null, null]);
    expect(pmds(device, 1)).toEqual([null, 'device']);
    expect(device.state.processes[0]!.mm.pmds[1]![1]).toMatchObject({ rule: 'move_huge_pmd' });
  });

  it('splits a PMD for another place within one, and the folio lies across two tables', () => {
    const played = play(`${HUGE}\n{mremap: "h[0..511]", to: "k[9..520]"}`, STOCK, huge);
    expect(pmds(played, 1)).toEqual(['table', 'table']);
    const { frame } = pte(played.state, 0, 520, 1)!;
    expect([frame.offset, frame.head.pages?.length]).toEqual([511, 512]);
    const split = play(
      `${HUGE}\n{mremap: "h[0..511]", to: "k[9..520]"}\n{migrate-to-dev: "k[520]", device: 0}`,
      STOCK,
      huge,
    );
    expect(pte(split.state, 0, 9, 1)!.frame.head.pages).toBeNull();
    expect(pte(split.state, 0, 520, 1)!.kind).toBe('device');
  });

  it('moves a table as a whole, with bits as they are, where both sides agree: try_realign_addr()', () => {
    const steps = `{mmap: h}\n{munmap: "h[0..99]"}\n{open: 0}\n{migrate-to-dev: "h[100]", device: 0}`;
    const softDirty = (to: string) =>
      play(
        `${steps}\n{mremap: "h[100..1023]", to: "${to}"}`,
        STOCK,
        huge,
      ).state.processes[0]!.mm.ptes[1]!.find((pte) => pte !== null)!.softDirty;
    expect(softDirty('k[100..1023]')).toBe(false);
    expect(softDirty('k[99..1022]')).toBe(true);
  });
});
