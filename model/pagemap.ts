/** Decoding of /proc/PID/pagemap (fs/proc/task_mmu.c) and of raw page-table entries as trace events carry them. */
import type { Profile } from './profile.ts';
import { type LeafKind, SWAP_TYPE_BITS, typeOf } from './swap-types.ts';

/** Bits of a pagemap entry. */
const PM_SOFT_DIRTY = 55n;
const PM_MMAP_EXCLUSIVE = 56n;
const PM_UFFD_WP = 57n;
const PM_GUARD_REGION = 58n;
const PM_FILE = 61n;
const PM_SWAP = 62n;
const PM_PRESENT = 63n;
const PM_FRAME_MASK = (1n << 55n) - 1n;
/** Bits 59 and 60 have no meaning. */
const PM_UNUSED_MASK = 3n << 59n;

export interface PagemapEntry {
  /** What the entry is; 'none' has neither bit 62 nor 63. */
  kind: 'none' | 'present' | LeafKind;
  /** Of 'present': the PFN. Of others: the offset, which is a PFN or a device page number by kind and design. */
  frame: bigint;
  /** The number of the swap type; undefined for 'none' and 'present'. */
  type: number | undefined;
  softDirty: boolean;
  exclusive: boolean;
  uffd: boolean;
  guard: boolean;
  file: boolean;
  /** Bits 59 and 60, and both of 62 and 63: nothing a kernel should show. */
  invalid: boolean;
}

const has = (raw: bigint, bit: bigint): boolean => ((raw >> bit) & 1n) === 1n;

export function decodePagemap(profile: Profile, raw: bigint): PagemapEntry {
  const present = has(raw, PM_PRESENT);
  const swap = has(raw, PM_SWAP);
  const bits = raw & PM_FRAME_MASK;
  const type = !present && swap ? Number(bits & ((1n << BigInt(SWAP_TYPE_BITS)) - 1n)) : undefined;
  return {
    kind: present ? 'present' : type === undefined ? 'none' : profile.leafKinds[type]!,
    frame: type === undefined ? bits : bits >> BigInt(SWAP_TYPE_BITS),
    type,
    softDirty: has(raw, PM_SOFT_DIRTY),
    exclusive: has(raw, PM_MMAP_EXCLUSIVE),
    uffd: has(raw, PM_UFFD_WP),
    guard: has(raw, PM_GUARD_REGION),
    file: has(raw, PM_FILE),
    invalid: (raw & PM_UNUSED_MASK) !== 0n || (present && swap),
  };
}

/** The reverse of {@link decodePagemap}, for what the model predicts: `type` follows from the kind. */
export function encodePagemap(profile: Profile, entry: Omit<PagemapEntry, 'type' | 'invalid'>): bigint {
  const flag = (set: boolean, bit: bigint) => (set ? 1n << bit : 0n);
  const flags =
    flag(entry.softDirty, PM_SOFT_DIRTY) |
    flag(entry.exclusive, PM_MMAP_EXCLUSIVE) |
    flag(entry.uffd, PM_UFFD_WP) |
    flag(entry.guard, PM_GUARD_REGION) |
    flag(entry.file, PM_FILE);
  if (entry.kind === 'none') return flags | entry.frame;
  if (entry.kind === 'present') return flags | (1n << PM_PRESENT) | entry.frame;
  const type = BigInt(typeOf(profile.leafKinds, entry.kind));
  return flags | (1n << PM_SWAP) | type | (entry.frame << BigInt(SWAP_TYPE_BITS));
}

/** A raw page-table entry, decoded by architecture, kernel and design. */
export interface TraceEntry {
  kind: 'none' | 'present' | LeafKind;
  /** PFN, or device page number. */
  frame: bigint;
  /** Of 'present'. */
  write: boolean;
  accessible: boolean;
  /** Of 'present' and of migration entries. */
  young: boolean;
  dirty: boolean;
  softDirty: boolean;
  uffd: boolean;
  /**
   * Bits by which the raw entry differs from {@link encodePte} of all the above: attributes of an anonymous user
   * mapping (user, not executable, cacheable) that are not as they should be, or bits that must be clear.
   */
  otherBits: bigint;
}

/** Whether the offset of an entry of this kind has the A and D bits above the PFN (SWP_MIG_YOUNG, SWP_MIG_DIRTY). */
export function isMigration(kind: PagemapEntry['kind']): boolean {
  return kind.startsWith('migration') || kind.startsWith('device-migration');
}

/** @param huge of a PMD that maps memory itself. @default false */
export function decodePte(profile: Profile, raw: bigint, huge = false): TraceEntry {
  const entry = decodeKnownBits(profile, raw);
  return { ...entry, otherBits: raw ^ encodePte(profile, entry, huge) };
}

type KnownBits = Omit<TraceEntry, 'otherBits'>;

function decodeKnownBits(profile: Profile, raw: bigint): KnownBits {
  if (raw === 0n) {
    return {
      kind: 'none',
      frame: 0n,
      write: false,
      accessible: true,
      young: false,
      dirty: false,
      softDirty: false,
      uffd: false,
    };
  }
  if (profile.pte.isPresent(raw)) {
    const { pfn, ...bits } = profile.pte.present(raw);
    return { kind: 'present', frame: pfn, ...bits };
  }
  const swap = profile.pte.swap(raw);
  const kind = profile.leafKinds[swap.type]!;
  const young = BigInt(profile.swapPfnBits);
  const migration = isMigration(kind);
  return {
    kind,
    frame: migration ? swap.offset & ((1n << young) - 1n) : swap.offset,
    write: false,
    accessible: true,
    young: migration && has(swap.offset, young),
    dirty: migration && has(swap.offset, young + 1n),
    softDirty: swap.softDirty,
    uffd: swap.uffd,
  };
}

/** The reverse of {@link decodePte}. */
export function encodePte(profile: Profile, entry: KnownBits, huge = false): bigint {
  if (entry.kind === 'none') return 0n;
  if (entry.kind === 'present') return profile.pte.encodePresent({ ...entry, pfn: entry.frame }, huge);
  const bits = BigInt(profile.swapPfnBits);
  const ad = isMigration(entry.kind)
    ? (entry.young ? 1n << bits : 0n) | (entry.dirty ? 1n << (bits + 1n) : 0n)
    : 0n;
  return profile.pte.encodeSwap({
    type: typeOf(profile.leafKinds, entry.kind),
    offset: entry.frame | ad,
    softDirty: entry.softDirty,
    uffd: entry.uffd,
    exclusive: false,
  });
}
