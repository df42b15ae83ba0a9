/** Page-table entries of 4 KiB pages, and of PMDs that map 2 MiB, as the architectures lay them out: what a raw entry in a trace event says. */

export type Arch = 'x86_64' | 'aarch64';

/** Fields of a present entry; all its other bits are the same for every private anonymous mapping. */
export interface PresentBits {
  pfn: bigint;
  /** False for PROT_NONE: the entry has a page, and the CPU takes it for none. */
  accessible: boolean;
  write: boolean;
  young: boolean;
  dirty: boolean;
  softDirty: boolean;
  uffd: boolean;
}

/** Fields of a non-present entry. */
export interface SwapBits {
  type: number;
  offset: bigint;
  softDirty: boolean;
  uffd: boolean;
  /** The "exclusive" bit of genuine swap entries. */
  exclusive: boolean;
}

export interface PteLayout {
  isPresent(entry: bigint): boolean;
  present(entry: bigint): PresentBits;
  swap(entry: bigint): SwapBits;
  /** `huge`: a PMD. Non-present entries have one form. */
  encodePresent(bits: PresentBits, huge: boolean): bigint;
  encodeSwap(bits: SwapBits): bigint;
}

const bit = (n: number): bigint => 1n << BigInt(n);
const has = (entry: bigint, n: number): boolean => ((entry >> BigInt(n)) & 1n) === 1n;
const field = (entry: bigint, low: number, width: number): bigint =>
  (entry >> BigInt(low)) & (bit(width) - 1n);
const put = (set: boolean, n: number): bigint => (set ? bit(n) : 0n);

/** arch/x86/include/asm/pgtable_types.h and pgtable_64.h. */
const X86 = {
  present: 0,
  write: 1,
  user: 2,
  accessed: 5,
  dirty: 6,
  /** _PAGE_PSE */
  pageSize: 7,
  global: 8,
  special: 9,
  uffd: 10,
  softDirty: 11,
  pfn: 12,
  pfnWidth: 40,
  savedDirty: 58,
  noExecute: 63,
  swapSoftDirty: 1,
  swapUffd: 2,
  swapExclusive: 3,
  swapOffset: 9,
  swapOffsetWidth: 50,
  swapType: 59,
} as const;

const x86: PteLayout = {
  /** pte_present(): _PAGE_PRESENT or _PAGE_PROTNONE (the bit of _PAGE_GLOBAL). */
  isPresent: (entry) => has(entry, X86.present) || has(entry, X86.global),
  present: (entry) => ({
    // protnone_mask(): the PFN of an entry without _PAGE_PRESENT is stored inverted (L1TF).
    pfn: field(has(entry, X86.present) ? entry : ~entry, X86.pfn, X86.pfnWidth),
    accessible: has(entry, X86.present),
    write: has(entry, X86.write),
    young: has(entry, X86.accessed),
    // pte_wrprotect() moves the dirty bit of a read-only entry to _PAGE_SAVED_DIRTY.
    dirty: has(entry, X86.dirty) || has(entry, X86.savedDirty),
    softDirty: has(entry, X86.softDirty),
    uffd: has(entry, X86.uffd),
  }),
  swap: (entry) => ({
    type: Number(field(entry, X86.swapType, 5)),
    // __swp_offset(): stored inverted, so that the physical address bits are set (L1TF).
    offset: field(~entry, X86.swapOffset, X86.swapOffsetWidth),
    softDirty: has(entry, X86.swapSoftDirty),
    uffd: has(entry, X86.swapUffd),
    exclusive: has(entry, X86.swapExclusive),
  }),
  encodePresent: (bits, huge) =>
    (bits.accessible ? bit(X86.present) | bit(X86.user) | bit(X86.noExecute) : bit(X86.global)) |
    put(huge, X86.pageSize) |
    (field(bits.accessible ? bits.pfn : ~bits.pfn, 0, X86.pfnWidth) << BigInt(X86.pfn)) |
    put(bits.write, X86.write) |
    put(bits.young, X86.accessed) |
    put(bits.dirty, bits.write ? X86.dirty : X86.savedDirty) |
    put(bits.softDirty, X86.softDirty) |
    put(bits.uffd, X86.uffd),
  encodeSwap: (bits) =>
    (BigInt(bits.type) << BigInt(X86.swapType)) |
    (field(~bits.offset, 0, X86.swapOffsetWidth) << BigInt(X86.swapOffset)) |
    put(bits.softDirty, X86.swapSoftDirty) |
    put(bits.uffd, X86.swapUffd) |
    put(bits.exclusive, X86.swapExclusive),
};

/** arch/arm64/include/asm/pgtable-hwdef.h, pgtable-prot.h and pgtable.h. */
const ARM64 = {
  valid: 0,
  type: 1,
  user: 6,
  readOnly: 7,
  /** Two bits: inner shareable. */
  shareable: 8,
  accessFlag: 10,
  notGlobal: 11,
  pfn: 12,
  pfnWidth: 36,
  writable: 51,
  privilegedNoExecute: 53,
  userNoExecute: 54,
  dirty: 55,
  uffd: 58,
  swapExclusive: 2,
  swapUffd: 3,
  swapType: 6,
  swapOffset: 12,
  swapOffsetWidth: 50,
} as const;

const arm64: PteLayout = {
  /** pte_present(): valid, or PTE_PRESENT_INVALID (the bit of PTE_NG). */
  isPresent: (entry) => has(entry, ARM64.valid) || has(entry, ARM64.notGlobal),
  present: (entry) => ({
    pfn: field(entry, ARM64.pfn, ARM64.pfnWidth),
    accessible: has(entry, ARM64.valid),
    write: has(entry, ARM64.writable),
    young: has(entry, ARM64.accessFlag),
    // pte_dirty(): the software bit, or a writable entry that the CPU made not read-only.
    dirty: has(entry, ARM64.dirty) || (has(entry, ARM64.writable) && !has(entry, ARM64.readOnly)),
    softDirty: false,
    uffd: has(entry, ARM64.uffd),
  }),
  swap: (entry) => ({
    type: Number(field(entry, ARM64.swapType, 5)),
    offset: field(entry, ARM64.swapOffset, ARM64.swapOffsetWidth),
    softDirty: false,
    uffd: has(entry, ARM64.swapUffd),
    exclusive: has(entry, ARM64.swapExclusive),
  }),
  encodePresent: (bits, huge) =>
    (bits.accessible ? bit(ARM64.valid) | bit(ARM64.user) : 0n) |
    // PMD_TYPE_SECT
    put(!huge, ARM64.type) |
    bit(ARM64.notGlobal) |
    (bits.pfn << BigInt(ARM64.pfn)) |
    bit(ARM64.privilegedNoExecute) |
    bit(ARM64.userNoExecute) |
    (3n << BigInt(ARM64.shareable)) |
    put(bits.write, ARM64.writable) |
    put(!(bits.write && bits.dirty), ARM64.readOnly) |
    put(bits.young, ARM64.accessFlag) |
    put(bits.dirty, ARM64.dirty) |
    put(bits.uffd, ARM64.uffd),
  encodeSwap: (bits) =>
    (BigInt(bits.type) << BigInt(ARM64.swapType)) |
    (bits.offset << BigInt(ARM64.swapOffset)) |
    put(bits.uffd, ARM64.swapUffd) |
    put(bits.exclusive, ARM64.swapExclusive),
};

export const PTE_LAYOUTS: Readonly<Record<Arch, PteLayout>> = { x86_64: x86, aarch64: arm64 };
