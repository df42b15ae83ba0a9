import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import { devicePages, events, last, migrations, outcomes, pages, play, pte } from './play.ts';

describe('MIGRATE_TO_DEV (dmirror_migrate_to_device)', () => {
  it('moves pages and keeps their content and access', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {migrate-to-dev: "a[1..2]", device: 0}`);
    expect(pages(played.state)).toBe('ram+ dev0+ dev0+ ram+');
    expect(last(played)).toMatchObject({ cpages: 2, faults: 0, data: [0x200010002, 0x200010003] });
    expect(devicePages(played.state, 0, 0)).toBe('-ww-');
  });

  it('makes device pages of holes and of the zero page, without an event, read-only for the device', () => {
    const played = play(`
      {mmap: a}
      {open: 0}
      {cpu-read: "a[0]"}
      {migrate-to-dev: "a[0..1]", device: 0}`);
    expect(pages(played.state)).toBe('dev0+ dev0+ - -');
    expect(devicePages(played.state, 0, 0)).toBe('rr--');
    expect(migrations(last(played))).toEqual([]);
  });

  it('tags holes writable on 6.12', () => {
    const played = play(
      `
      {mmap: a}
      {open: 0}
      {migrate-to-dev: "a[0]", device: 0}`,
      makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' }),
    );
    expect(devicePages(played.state, 0, 0)).toBe('w---');
  });

  it('takes pages on the device as done, those of another device as missing', () => {
    const played = play(`
      {mmap: a}
      {open: 0}
      {open: 1}
      {migrate-to-dev: "a[0]", device: 0}
      {migrate-to-dev: "a[0..1]", device: 0}
      {migrate-to-dev: "a[0]", device: 1}`);
    expect(outcomes(played).slice(-2)).toEqual(['success', 'ENOENT']);
    expect(pages(played.state)).toBe('dev0+ dev0+ - -');
  });

  it('replaces further mappings one by one, in the order of the reverse mapping', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {fork: p1}
      {fork: p2}
      {open: 0, by: p1}
      {migrate-to-dev: "a[0]", device: 0, by: p1}`);
    expect(events(last(played))).toEqual([
      'set 0 migration read',
      'set 0 migration read',
      'remove 0 device read',
      'remove 0 device read',
      'remove 0 device read',
    ]);
    expect(migrations(last(played))[0]!.entry).toMatchObject({ young: true, dirty: true });
    for (const process of [0, 1, 2]) expect(pages(played.state, process)).toBe('dev0 - - -');
  });

  it('invalidates the other device for the whole range and one page more, and not itself', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {open: 1}
      {read: a, device: 0}
      {read: a, device: 1}
      {migrate-to-dev: "a[0..1]", device: 0}`);
    expect(devicePages(played.state, 0, 0)).toBe('wwww');
    expect(devicePages(played.state, 0, 1)).toBe('---w');
  });
});

describe('MIGRATE_TO_SYS (dmirror_migrate_to_system)', () => {
  it('counts the pages of this device that moved, and erases their entries only', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0..2]"}
      {open: 0}
      {open: 1}
      {migrate-to-dev: "a[0..1]", device: 0}
      {migrate-to-dev: "a[2]", device: 1}
      {read: "a[0..1]", device: 0}
      {migrate-to-sys: "a[1..3]", device: 0}`);
    expect(last(played)).toMatchObject({ cpages: 1, faults: 0 });
    expect(pages(played.state)).toBe('dev0+ ram+ dev1+ -');
    expect(devicePages(played.state, 0, 0)).toBe('w---');
  });

  it('brings a page back old, clean, and as dirty a folio as it was', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0]"}
      {open: 0}
      {migrate-to-dev: "a[0..1]", device: 0}
      {migrate-to-sys: a, device: 0}`);
    expect(migrations(last(played)).map(({ entry }) => [entry.young, entry.dirty, entry.softDirty])).toEqual([
      [false, false, true],
      [false, false, false],
    ]);
    expect(pte(played.state, 0, 0)!.frame.dirty).toBe(true);
    expect(pte(played.state, 0, 1)!.frame.dirty).toBe(false);
  });

  it('may show a dirty bit of an earlier life of the device page on 6.12', () => {
    const played = play(
      `
      {mmap: a}
      {open: 0}
      {migrate-to-dev: "a[0]", device: 0}
      {migrate-to-sys: a, device: 0}`,
      makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' }),
    );
    expect(pte(played.state, 0, 0)!.frame.dirty).toBeUndefined();
  });

  it.each(['migrate-to-dev', 'migrate-to-sys'])(
    'is EINVAL from the first address without a readable mapping on: %s',
    (op) => {
      const played = play(`
      {mmap: a}
      {mmap: b, protection: none}
      {cpu-write: a}
      {open: 0}
      {munmap: "a[2]"}
      {${op}: a, device: 0}
      {${op}: b, device: 0}`);
      expect(outcomes(played).slice(-2)).toEqual(['EINVAL', 'EINVAL']);
      if (op === 'migrate-to-dev') expect(pages(played.state)).toBe('dev0+ dev0+ - ram+');
    },
  );
});

describe('eviction (dmirror_device_evict_chunk)', () => {
  it('goes through the pages of the device from the lowest up, unmapping all before it restores any', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: "a[0..1]"}
      {open: 0}
      {migrate-to-dev: "a[0..1]", device: 0}
      {close: 0}`);
    // The allocator hands out pages from the highest down.
    expect(events(last(played))).toEqual([
      'set 1 migration write',
      'set 0 migration write',
      'remove 1 present write',
      'remove 0 present write',
    ]);
  });

  it('hands out the page that was freed last first', () => {
    const played = play(`
      {mmap: a}
      {cpu-write: a}
      {open: 0}
      {migrate-to-dev: a, device: 0}
      {munmap: "a[1]"}
      {munmap: "a[0]"}
      {migrate-to-dev: "a[2]", device: 0}
      {cpu-read: "a[2]"}
      {migrate-to-dev: "a[2]", device: 0}`);
    expect(pte(played.state, 0, 2)!.frame.position).toBe(65533);
    expect(played.state.devices[0]!.free.map(({ position }) => position)).toEqual([65534, 65535]);
  });
});
