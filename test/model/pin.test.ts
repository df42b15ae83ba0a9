import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import { devicePages, outcomes, pages, play, pte, STOCK } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

const READY = `
  {mmap: a}
  {cpu-write: a}
  {open: 0}
  {pin: "a[1]"}`;

describe('a pinned page', () => {
  it('stays when others migrate, with its entry as it was: folio_try_share_anon_rmap_pte()', () => {
    const played = play(`${READY}
      {migrate-to-dev: a, device: 0}`);
    expect(outcomes(played).at(-1)).toBe('ENOENT');
    expect(pages(played.state)).toBe('dev0+ ram+ dev0+ dev0+');
    expect(devicePages(played.state, 0, 0)).toBe('w-ww');
  });

  it('is copied for a child at once: copy_present_page()', () => {
    const { state } = play(`${READY}
      {fork: p1}`);
    expect(pages(state)).toBe('ram ram+ ram ram');
    expect(pages(state, 1)).toBe('ram ram+ ram ram');
    expect(pte(state, 1, 1)!.frame).not.toBe(pte(state, 0, 1)!.frame);
    expect(pte(state, 1, 1)!.frame).toMatchObject({
      exclusive: true,
      pinned: false,
      word: pte(state, 0, 1)!.frame.word,
    });
  });

  it('is not marked accessed, nor made active by reclaim, nor write-protected by clear_refs', () => {
    const { state } = play(`${READY}
      {madvise: a, advice: pageout}
      {clear-refs: p0}`);
    expect(pte(state, 0, 1)).toMatchObject({
      write: true,
      softDirty: true,
      frame: { active: false, referenced: false },
    });
    expect(pte(state, 0, 2)).toMatchObject({ write: false, softDirty: false, frame: { active: true } });
  });

  it('that was freed lazily stays so when it is not reclaimed, but in 6.12: try_to_unmap_one()', () => {
    const steps = `${READY}
      {madvise: "a[1]", advice: free}
      {madvise: "a[1]", advice: pageout}`;
    expect(pte(play(steps).state, 0, 1)!.frame).toMatchObject({ swapBacked: false, active: true });
    expect(pte(play(steps, old).state, 0, 1)!.frame.swapBacked).toBe(true);
  });

  it('is an ordinary one when its process has unpinned it, or has ended', () => {
    expect(pages(play(`${READY}\n{unpin: p0}\n{migrate-to-dev: a, device: 0}`).state)).toBe(
      'dev0+ dev0+ dev0+ dev0+',
    );
    const { state } = play(`${READY}\n{fork: p1}\n{exit: p0}`);
    expect(pte(state, 1, 1)!.frame.pinned).toBe(false);
  });
});

it('is only one range for a file of gup_test in 7.3, and only one for all in 6.12', () => {
  const steps = `${READY}
    {fork: p1}
    {pin: "a[2]", by: p1}
    {pin: "a[0]", by: p0}
    {unpin: p1}
    {pin: "a[0]", by: p0}`;
  expect(outcomes(play(steps)).slice(-4)).toEqual(['success', 'EINVAL', 'success', 'EINVAL']);
  expect(outcomes(play(steps, old)).slice(-4)).toEqual(['EINVAL', 'EINVAL', 'success', 'success']);
});

describe('a folio of which one page is pinned', () => {
  const huge = '{h: {pmds: 1}}';
  const READY = `
    {mmap: h}
    {madvise: h, advice: hugepage}
    {cpu-write: "h[0]"}
    {open: 0}
    {pin: "h[7]"}`;

  it('is not split for a migration of a part of it: folio_expected_ref_count()', () => {
    const played = play(`${READY}\n{migrate-to-dev: "h[0..1]", device: 0}`, STOCK, huge);
    expect(outcomes(played).at(-1)).toBe('ENOENT');
    expect(played.state.processes[0]!.mm.pmds[0]![0]).toMatchObject({ kind: 'present', write: true });
  });

  it('has each of its pages copied by fork: copy_huge_pmd(), copy_present_page()', () => {
    const { state } = play(`${READY}\n{fork: p1}`, STOCK, huge);
    expect(state.processes.map((process) => process!.mm.pmds[0]![0])).toEqual(['table', 'table']);
    expect(pte(state, 0, 3)).toMatchObject({ write: true, frame: { exclusive: true } });
    expect(pte(state, 1, 3)).toMatchObject({ write: true, rule: 'copy_present_page' });
  });

  it('gives a page up when it is written to after it was shared: __wp_can_reuse_large_anon_folio()', () => {
    const shared = `
      {mmap: h}
      {madvise: h, advice: hugepage}
      {cpu-write: "h[0]"}
      {mprotect: "h[9]", protection: read}
      {fork: p1}
      {exit: p1}
      {cpu-write: "h[3]"}`;
    const rules = (steps: string, profile = STOCK) => {
      const { state } = play(`${shared}\n${steps}`, profile, huge);
      return [pte(state, 0, 3)!.rule, pte(state, 0, 4)!.rule];
    };
    expect(rules('{cpu-write: "h[4]"}')).toEqual(['wp_page_reuse', 'wp_page_reuse']);
    expect(rules('{pin: "h[3]"}\n{cpu-write: "h[4]"}')).toEqual(['wp_page_reuse', 'wp_page_copy']);
    expect(rules('{cpu-write: "h[4]"}', old)).toEqual(['wp_page_copy', 'wp_page_copy']);
  });
});
