import { describe, expect, it } from 'vitest';
import { CHUNK_PAGES } from '../../model/device-allocator.ts';
import { devicePages, events, last, outcomes, pages, play, pte } from './play.ts';

const READY = `
  {mmap: a}
  {cpu-write: "a[0..1]"}
  {open: 0}`;

describe('FAIL_ALLOC', () => {
  it('leaves the first page of a range where it is, and puts its entry back: dmirror_migrate_alloc_and_copy()', () => {
    const played = play(`${READY}
      {flags: fail-alloc, device: 0}
      {migrate-to-dev: "a[0..2]", device: 0}`);
    expect(outcomes(played).at(-1)).toBe('ENOENT');
    expect(pages(played.state)).toBe('ram+ dev0+ dev0+ -');
    expect(devicePages(played.state, 0, 0)).toBe('-wr-');
    expect(events(last(played)).slice(0, 2)).toEqual(['remove 0 present write', 'remove 1 device write']);
    // It was taken off the LRU and waits for it again.
    expect(played.state.batched.has(pte(played.state, 0, 0)!.frame)).toBe(true);
  });

  it('makes MIGRATE_TO_SYS fail as a whole, without touching the entries of the device', () => {
    const played = play(`${READY}
      {migrate-to-dev: "a[0..1]", device: 0}
      {flags: fail-alloc, device: 0}
      {migrate-to-sys: a, device: 0}`);
    expect(outcomes(played).at(-1)).toBe('ENOMEM');
    expect(pages(played.state)).toBe('dev0+ dev0+ - -');
    expect(devicePages(played.state, 0, 0)).toBe('ww--');
    expect(events(last(played))).toEqual(['remove 0 device write', 'remove 1 device write']);
  });

  it('is of the file that migrated the page, and a CPU tries again: pagefault_out_of_memory()', () => {
    const played = play(`${READY}
      {migrate-to-dev: "a[0]", device: 0}
      {flags: fail-alloc, device: 0}
      {cpu-read: "a[0]"}`);
    expect(outcomes(played).at(-1)).toBe('success');
    expect(played.state.processes[0]!.devices[0]!.file.failAlloc).toBe(false);
    // Put back on the device once, then moved.
    expect(events(last(played)).filter((event) => event.startsWith('remove'))).toEqual([
      'remove 0 device write',
      'remove 0 present write',
    ]);
  });

  it.each(['read', 'write', 'read-unlocked', 'exclusive'])(
    'makes %s of another device ENOMEM, once',
    (op) => {
      const played = play(`${READY}
      {open: 1}
      {migrate-to-dev: "a[0]", device: 0}
      {flags: fail-alloc, device: 0}
      {${op}: "a[0]", device: 1}
      {${op}: "a[0]", device: 1}`);
      expect(outcomes(played).slice(-2)).toEqual(['ENOMEM', 'success']);
    },
  );

  it('is cleared by any other flags, which may not be none', () => {
    const played = play(`${READY}
      {flags: fail-alloc, device: 0}
      {flags: none, device: 0}
      {flags: other, device: 0}
      {migrate-to-dev: "a[0]", device: 0}`);
    expect(outcomes(played).slice(-3)).toEqual(['EINVAL', 'success', 'success']);
  });
});

describe('RELEASE', () => {
  it('brings all pages of its device to RAM, and the next chunk gives its last page first', () => {
    const { state } = play(`${READY}
      {open: 1}
      {migrate-to-dev: "a[0]", device: 0}
      {migrate-to-dev: "a[1]", device: 1}
      {release: a, device: 0}
      {migrate-to-dev: "a[2..3]", device: 0}`);
    expect(pages(state)).toBe('ram+ dev1+ dev0+ dev0+');
    const positions = [2, 3].map((page) => pte(state, 0, page)!.frame);
    expect(positions.map(({ position }) => position)).toEqual([CHUNK_PAGES - 1, CHUNK_PAGES - 2]);
    expect(positions.every(({ positionKnown, generation }) => positionKnown && generation === 1)).toBe(true);
  });

  it('leaves a device without a chunk, whose eviction does nothing at all: dmirror_device_remove_chunks()', () => {
    const { state } = play(`${READY}
      {release: a, device: 0}
      {cpu-write: "a[2]"}
      {release: a, device: 0}`);
    expect(state.devices[0]!.chunks).toBe(0);
    // No lru_add_drain() either.
    expect(state.batched.has(pte(state, 0, 2)!.frame)).toBe(true);
  });
});
