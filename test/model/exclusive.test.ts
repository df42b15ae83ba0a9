import { describe, expect, it } from 'vitest';
import { settleActive } from '../../model/lru.ts';
import { makeProfile } from '../../model/profile.ts';
import { devicePages, outcomes, pages, play, pte } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

const READY = `
  {mmap: a}
  {cpu-write: a}
  {open: 0}`;

describe('device-exclusive entries', () => {
  it('are made page by page, each invalidating its page and the next: make_device_exclusive()', () => {
    const { state } = play(`${READY}
      {read: a, device: 0}
      {exclusive: "a[0..1]", device: 0}`);
    expect(pte(state, 0, 1)).toMatchObject({ kind: 'exclusive', write: false });
    expect(state.processes[0]!.devices[0]!.file.pt[0]!.map((entry) => entry?.atomic)).toEqual([
      true,
      true,
      undefined,
      false,
    ]);
  });

  it('make the page dirty, and are dirty and soft-dirty when they are restored: restore_exclusive_pte()', () => {
    const steps = `${READY}
      {exclusive: "a[0]", device: 0}`;
    expect(pte(play(steps).state, 0, 0)!.frame.dirty).toBe(true);
    const restored = pte(play(`${steps}\n{cpu-read: "a[0]"}`).state, 0, 0);
    expect(restored).toMatchObject({ kind: 'present', write: true, dirty: true, softDirty: true });
  });

  it('stay read-only after clear_refs until a write is noticed: can_change_pte_writable()', () => {
    const { state } = play(`${READY}
      {exclusive: "a[0]", device: 0}
      {clear-refs: p0}
      {cpu-read: "a[0]"}`);
    expect(pte(state, 0, 0)).toMatchObject({ kind: 'present', write: false, softDirty: false });
  });

  it('stay with the pages before the one that fails, in 7.3 with entries of the device: dmirror_exclusive()', () => {
    const steps = `${READY}
      {munmap: "a[2]"}
      {exclusive: a, device: 0}
      {check-exclusive: "a[0..1]", device: 0}`;
    expect(outcomes(play(steps)).slice(-2)).toEqual(['EFAULT', 'EPERM']);
    // 6.12 makes the entries exclusive as well, but tells the device nothing of them.
    expect(outcomes(play(steps, old)).slice(-2)).toEqual(['EBUSY', 'success']);
    expect(pte(play(steps, old).state, 0, 1)).toMatchObject({ kind: 'exclusive', write: true });
  });

  it('are restored by fork without a notification of their own, and shared then: copy_nonpresent_pte()', () => {
    const { state } = play(`${READY}
      {exclusive: a, device: 0}
      {fork: p1}`);
    expect(pages(state)).toBe('ram ram ram ram');
    expect(pages(state, 1)).toBe('ram ram ram ram');
    expect(devicePages(state, 0, 0)).toBe('----');
    expect(pte(state, 1, 0)!.frame.exclusive).toBe(false);
  });

  it('are referenced after the first touch, and wait to be active after the second: folio_mark_accessed()', () => {
    const once = play(`${READY}
      {exclusive: "a[0]", device: 0}`);
    expect(pte(once.state, 0, 0)!.frame).toMatchObject({ referenced: true, active: false });
    const twice = play(`${READY}
      {exclusive: "a[0]", device: 0}
      {exclusive: "a[0]", device: 0}`);
    const { frame } = pte(twice.state, 0, 0)!;
    expect(frame).toMatchObject({ referenced: false, active: undefined });
    expect(twice.state.activating.get(frame)).toBe('waits');
    const drained = play(`${READY}
      {exclusive: "a[0]", device: 0}
      {exclusive: "a[0]", device: 0}
      {migrate-to-dev: "a[1]", device: 0}`);
    expect(pte(drained.state, 0, 0)!.frame.active).toBe(true);
  });

  it('of two shared pages: the write to the second may find it on the LRU, and drain nothing (wp_can_reuse_anon_folio)', () => {
    const { state } = play(`${READY}
      {exclusive: "a[0..1]", device: 0}
      {fork: p1}
      {cpu-write: "a[0..1]", by: p1}
      {exclusive: "a[0..1]", device: 0}`);
    const { frame } = pte(state, 0, 0)!;
    expect(frame).toMatchObject({ referenced: false, active: undefined });
    expect(state.activating.get(frame)).toBe('active-or-waits');
    settleActive(state, frame, false);
    expect(state.activating.get(frame)).toBe('waits');
    settleActive(state, frame, true);
    expect(frame.active).toBe(true);
  });
});

describe('bad arguments', () => {
  it.each(['misaligned', 'no-pages', 'wraps', 'unknown'])('%s is EINVAL, and changes nothing', (flaw) => {
    const { state } = play(`${READY}
      {migrate-to-dev: a, device: 0, flaw: ${flaw}}`);
    expect(pages(state)).toBe('ram+ ram+ ram+ ram+');
  });

  it('bad-buffer fails after the work is done, but before a write: dmirror_write() copies in first', () => {
    const played = play(`${READY}
      {migrate-to-dev: "a[0]", device: 0, flaw: bad-buffer}
      {write: "a[1]", device: 0, flaw: bad-buffer}
      {migrate-to-sys: a, device: 0, flaw: bad-buffer}`);
    expect(outcomes(played).slice(-3)).toEqual(['EFAULT', 'EFAULT', 'success']);
    expect(devicePages(played.state, 0, 0)).toBe('----');
  });

  it('READ_UNLOCKED and FLAGS are unknown to 6.12', () => {
    const steps = `${READY}
      {read-unlocked: a, device: 0}
      {flags: fail-alloc, device: 0}`;
    expect(outcomes(play(steps, old)).slice(-2)).toEqual(['EINVAL', 'EINVAL']);
    expect(outcomes(play(steps)).slice(-2)).toEqual(['success', 'success']);
  });
});
