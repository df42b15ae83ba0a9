import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePagemap, decodePte, encodePagemap, encodePte } from '../../model/pagemap.ts';
import { makeProfile } from '../../model/profile.ts';

const x86 = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
const arm = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'aarch64' });
const offset = makeProfile({ kernel: '7.3', design: 'offset', arch: 'x86_64' });

describe('pagemap entries', () => {
  it('of a device page name its kind by the swap type of the design', () => {
    const raw = (type: bigint, frame: bigint) => (1n << 62n) | (frame << 5n) | type;
    expect(decodePagemap(x86, raw(28n, 0xfcfffffn))).toMatchObject({
      kind: 'device-write',
      frame: 0xfcfffffn,
    });
    expect(decodePagemap(x86, raw(29n, 0xfcfffffn))).toMatchObject({ kind: 'device-read', type: 29 });
    expect(decodePagemap(offset, raw(25n, 0xffffn))).toMatchObject({ kind: 'device-write', frame: 0xffffn });
    expect(decodePagemap(offset, raw(28n, 0xffffn)).kind).toBe('device-migration-read');
  });

  it('have their flags at the bits of fs/proc/task_mmu.c', () => {
    const flags = { softDirty: 55n, exclusive: 56n, uffd: 57n, guard: 58n, file: 61n } as const;
    for (const [flag, bit] of Object.entries(flags)) {
      const entry = decodePagemap(x86, (1n << 63n) | (1n << bit));
      expect(Object.keys(flags).filter((name) => entry[name as keyof typeof flags])).toEqual([flag]);
      expect(entry.invalid).toBe(false);
    }
  });

  it('that no kernel shows are invalid', () => {
    for (const raw of [1n << 59n, 1n << 60n, 3n << 62n]) expect(decodePagemap(x86, raw).invalid).toBe(true);
  });

  it('decode to what they were encoded from', () => {
    const flags = {
      softDirty: fc.boolean(),
      exclusive: fc.boolean(),
      uffd: fc.boolean(),
      guard: fc.boolean(),
      file: fc.boolean(),
    };
    const entry = fc.record({
      kind: fc.constantFrom('present', 'device-read', 'device-write', 'migration-write' as const),
      frame: fc.bigInt({ min: 0n, max: (1n << 50n) - 1n }),
      ...flags,
    });
    fc.assert(
      fc.property(entry, fc.constantFrom(x86, arm, offset), (entry, profile) => {
        expect(decodePagemap(profile, encodePagemap(profile, entry))).toMatchObject({
          ...entry,
          invalid: false,
        });
      }),
    );
  });
});

describe('raw page-table entries', () => {
  // From trace events of real 7.3 guests (x86_64 microvm -cpu max, aarch64 virt).
  it.each([
    [x86, 0xcfffe7fff800e800n, { kind: 'migration-read', frame: 0x3ff8bn, young: true, dirty: true }],
    [x86, 0xcfffffe000004000n, { kind: 'migration-read', frame: 0xfffffdfn, young: false, dirty: false }],
    [x86, 0xe7ffffe000000800n, { kind: 'device-write', frame: 0xffffffbn }],
    [x86, 0xefffffe000004200n, { kind: 'device-read', frame: 0xfffffden }],
    [x86, 0x800000003ff86007n, { kind: 'present', frame: 0x3ff86n, write: true, young: false, dirty: false }],
    [x86, 0x800000003ff8a005n, { kind: 'present', frame: 0x3ff8an, write: false }],
    [arm, 0x300004087e640n, { kind: 'migration-read', frame: 0x4087en, young: true, dirty: true }],
    [arm, 0x80003fffe6c0n, { kind: 'migration-write', frame: 0x80003fffen, young: false, dirty: false }],
    [arm, 0x80003ffde700n, { kind: 'device-write', frame: 0x80003ffden }],
    [arm, 0x80003ffdf740n, { kind: 'device-read', frame: 0x80003ffdfn }],
    [arm, 0x60000040895bc3n, { kind: 'present', frame: 0x40895n, write: false, young: false, dirty: false }],
    [arm, 0x6800004087abc3n, { kind: 'present', frame: 0x4087an, write: true, young: false, dirty: false }],
  ])('of real kernels decode without a bit left over: %#', (profile, raw, expected) => {
    expect(decodePte(profile, raw)).toMatchObject({ ...expected, otherBits: 0n });
  });

  it('keep the bits that they should not have', () => {
    expect(decodePte(x86, 0x3ff86007n).otherBits).toBe(1n << 63n);
    expect(decodePte(x86, 0xe7ffffe000000800n | (1n << 4n)).otherBits).toBe(1n << 4n);
    expect(decodePte(arm, 0x80003ffde700n | (1n << 63n)).otherBits).toBe(1n << 63n);
  });

  it('decode to what they were encoded from', () => {
    const bits = { young: fc.boolean(), dirty: fc.boolean(), uffd: fc.boolean() };
    const present = fc.record({
      kind: fc.constant('present' as const),
      frame: fc.bigInt({ min: 0n, max: (1n << 34n) - 1n }),
      write: fc.boolean(),
      accessible: fc.boolean(),
      ...bits,
    });
    const migration = fc.record({
      kind: fc.constantFrom('migration-read', 'migration-read-exclusive', 'migration-write' as const),
      frame: fc.bigInt({ min: 0n, max: (1n << 34n) - 1n }),
      write: fc.constant(false),
      accessible: fc.constant(true),
      ...bits,
    });
    fc.assert(
      fc.property(
        fc.oneof(present, migration),
        fc.constantFrom(x86, arm, offset),
        fc.boolean(),
        (entry, profile, soft) => {
          const softDirty = soft && profile.arch === 'x86_64';
          const whole = { ...entry, softDirty };
          expect(decodePte(profile, encodePte(profile, whole))).toEqual({ ...whole, otherBits: 0n });
        },
      ),
    );
  });
});
