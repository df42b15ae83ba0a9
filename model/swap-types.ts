/**
 * Swap types: the numbers that non-present page-table entries carry (include/linux/swap.h). They are counted down
 * from the top of a 5-bit field, so each kernel that adds a type moves the ones below it.
 */

/** What a non-present entry is, whatever number a kernel gives it. */
export type LeafKind =
  | 'swap'
  | 'hwpoison'
  | 'migration-read'
  | 'migration-read-exclusive'
  | 'migration-write'
  | 'device-migration-read'
  | 'device-migration-read-exclusive'
  | 'device-migration-write'
  | 'device-read'
  | 'device-write'
  | 'device-exclusive'
  | 'marker';

/** MAX_SWAPFILES_SHIFT: bits of the type field. */
export const SWAP_TYPE_BITS = 5;

/**
 * Special types from the top (31) down to MAX_SWAPFILES, for CONFIG_MIGRATION and CONFIG_DEVICE_PRIVATE set.
 * The last one, HWPOISON, exists with CONFIG_MEMORY_FAILURE only.
 */
const FROM_THE_TOP = {
  /** 7.3: leafops.h replaced the two device-exclusive types by one. */
  '7.3 pfn': [
    'marker',
    'device-exclusive',
    'device-read',
    'device-write',
    'migration-write',
    'migration-read-exclusive',
    'migration-read',
  ],
  /** 6.12: device-exclusive has a write and a read type. */
  '6.12 pfn': [
    'marker',
    'device-exclusive',
    'device-exclusive',
    'device-read',
    'device-write',
    'migration-write',
    'migration-read-exclusive',
    'migration-read',
  ],
  /** The series v6: migration entries of device-private pages have types of their own. */
  '7.3 offset': [
    'marker',
    'device-migration-write',
    'device-migration-read-exclusive',
    'device-migration-read',
    'device-exclusive',
    'device-read',
    'device-write',
    'migration-write',
    'migration-read-exclusive',
    'migration-read',
  ],
} as const satisfies Record<string, readonly LeafKind[]>;

export type SwapTypeTable = keyof typeof FROM_THE_TOP;

/** The kind of each type number, 0..31. Numbers below MAX_SWAPFILES are 'swap'. */
export function leafKinds(table: SwapTypeTable, memoryFailure: boolean): readonly LeafKind[] {
  const kinds: LeafKind[] = Array.from({ length: 1 << SWAP_TYPE_BITS }, () => 'swap');
  const special: LeafKind[] = [...FROM_THE_TOP[table]];
  if (memoryFailure) special.push('hwpoison');
  special.forEach((kind, fromTop) => {
    kinds[kinds.length - 1 - fromTop] = kind;
  });
  return kinds;
}

/** The lowest number of `kind`. @throws RangeError when the table lacks it. */
export function typeOf(kinds: readonly LeafKind[], kind: LeafKind): number {
  const type = kinds.indexOf(kind);
  if (type < 0) throw new RangeError(`this kernel has no swap type ${kind}`);
  return type;
}
