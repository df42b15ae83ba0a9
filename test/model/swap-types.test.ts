import { describe, expect, it } from 'vitest';
import { leafKinds, type SwapTypeTable, typeOf } from '../../model/swap-types.ts';

describe('swap types (include/linux/swap.h)', () => {
  // The numbers as real kernels and the posted series have them, not as the table is built.
  const numbers: [SwapTypeTable, Record<string, number>][] = [
    [
      '7.3 pfn',
      {
        marker: 31,
        'device-exclusive': 30,
        'device-read': 29,
        'device-write': 28,
        'migration-write': 27,
        'migration-read-exclusive': 26,
        'migration-read': 25,
        hwpoison: 24,
      },
    ],
    [
      '6.12 pfn',
      {
        marker: 31,
        'device-exclusive': 29,
        'device-read': 28,
        'device-write': 27,
        'migration-write': 26,
        'migration-read-exclusive': 25,
        'migration-read': 24,
        hwpoison: 23,
      },
    ],
    [
      '7.3 offset',
      {
        marker: 31,
        'device-migration-write': 30,
        'device-migration-read-exclusive': 29,
        'device-migration-read': 28,
        'device-exclusive': 27,
        'device-read': 26,
        'device-write': 25,
        'migration-write': 24,
        'migration-read-exclusive': 23,
        'migration-read': 22,
        hwpoison: 21,
      },
    ],
  ];

  it.each(numbers)('are those of the kernel in table %s', (table, expected) => {
    const kinds = leafKinds(table, true);
    const seen = Object.fromEntries(
      Object.keys(expected).map((kind) => [kind, typeOf(kinds, kind as 'swap')]),
    );
    expect(seen).toEqual(expected);
    expect(kinds.slice(0, expected.hwpoison)).toEqual(Array(expected.hwpoison).fill('swap'));
  });

  it('keep their numbers without CONFIG_MEMORY_FAILURE, but for HWPOISON', () => {
    const kinds = leafKinds('7.3 pfn', false);
    expect(kinds[24]).toBe('swap');
    expect(typeOf(kinds, 'migration-read')).toBe(25);
    expect(() => typeOf(kinds, 'hwpoison')).toThrow(RangeError);
  });
});
