/**
 * A profile: everything that makes one kernel under test behave unlike another, as data. The rules of the model ask
 * the profile and never the name of a kernel.
 */
import type { DeviceOp } from './program.ts';
import { type Arch, PTE_LAYOUTS, type PteLayout } from './pte-layout.ts';
import { type LeafKind, leafKinds, type SwapTypeTable } from './swap-types.ts';

export type { Arch } from './pte-layout.ts';

/** `pfn`: device-private pages sit in the physical address space. `offset`: in an address space of their own. */
export type Design = 'pfn' | 'offset';
/** A kernel whose rules differ from the others'. */
export type KernelVersion = '7.3' | '6.12';

/** What the kernel's configuration and the machine add to the choice of kernel, design and architecture. */
export interface ProfileOptions {
  kernel: KernelVersion;
  design: Design;
  arch: Arch;
  /** CONFIG_MEM_SOFT_DIRTY. @default true on x86_64; aarch64 has none */
  softDirty?: boolean;
  /** CONFIG_MEMORY_FAILURE. @default true */
  memoryFailure?: boolean;
  /** CONFIG_ARM64_HW_AFDBM, with a CPU that has FEAT_HAFDBS, as QEMU's `max` does. @default false */
  hardwareAccessFlag?: boolean;
  /**
   * SWP_PFN_BITS (include/linux/swapops.h): PFN bits of an entry's offset.
   * @default 36 on aarch64 (48-bit addresses), 34 on x86_64; 40 on x86_64 with five page-table levels
   */
  swapPfnBits?: number;
}

export interface Profile {
  readonly kernel: KernelVersion;
  readonly design: Design;
  readonly arch: Arch;
  readonly softDirty: boolean;
  readonly pte: PteLayout;
  /** The kind of each swap type number. */
  readonly leafKinds: readonly LeafKind[];
  readonly swapPfnBits: number;
  /** exceptions:page_fault_user is there: on x86 alone, of the two. */
  readonly tracesFaults: boolean;
  /**
   * kpage_read(): /proc/kpageflags and kpagecount end with the last page below max_pfn, which memremap_pages() raises for
   * coherent memory on arm64 (arch_add_memory), and not on x86 (add_pages).
   */
  readonly showsCoherentPages: boolean;
  /** stable_page_flags(): 6.12 says NOPAGE of a page that is not online, 7.3 nothing (kpage_read). */
  readonly offlineIsNoPage: boolean;
  /** Pages of one migrate_vma() call of test_hmm: 7.3 takes PTRS_PER_PTE, 6.12 an array of 64. */
  readonly migratePieces: number;
  /** Pages of one hmm_range_fault() of test_hmm (dmirror_fault, pfns[]): 32 in 7.3, 64 in 6.12. */
  readonly faultPieces: number;
  /**
   * dmirror_fault() on the mm of a process that is gone: 7.3 fails, 6.12 claims success without having entered a page,
   * so that dmirror_read() and dmirror_write() try again for ever.
   */
  readonly deadMirrorFails: boolean;
  /** dmirror_migrate_alloc_and_copy(): 6.12 tags a hole's device entry writable in a VM_WRITE vma, 7.3 does not. */
  readonly holeGetsWriteTag: boolean;
  /**
   * zone_device_page_init(): 7.3 clears the low flags of a device page that is handed out again, 6.12 does not, so
   * that PG_dirty of an earlier life may come back to RAM with it.
   */
  readonly devicePageFlagsCleared: boolean;
  /**
   * stable_page_flags(): 6.12 tests `mapping & PAGE_MAPPING_KSM`, which shares a bit with PAGE_MAPPING_ANON, so that
   * every anonymous page shows KSM.
   */
  readonly anonShowsKsm: boolean;
  /** Commands of test_hmm that are not there yet: FLAGS and READ_UNLOCKED came after 6.12. */
  readonly unknownCommands: readonly (DeviceOp | 'flags')[];
  /**
   * make_device_exclusive(): 7.3 takes one page, and has one type of such entries; 6.12 takes all pages of a range
   * at once, keeps in the entry whether it was writable, and makes every error EBUSY.
   */
  readonly exclusiveInGroups: boolean;
  /**
   * pagemap_page_category(): 6.12 calls every page written that is not write-protected by userfaultfd, and every empty
   * entry of a page table; 7.3 only within mappings that are registered for write protection.
   */
  readonly scanWrittenEverywhere: boolean;
  /** mm/gup_test.c: what is pinned belongs to the open file in 7.3, and to the whole machine in 6.12. */
  readonly pinsAreGlobal: boolean;
  /**
   * try_to_unmap_one(): a lazily freed page that cannot be discarded, though clean, stays so in 7.3; 6.12 makes it an
   * ordinary one, as it does one that was written to.
   */
  readonly lazyFreeLasts: boolean;
  /**
   * mm/mremap.c: 7.3 checks all arguments before anything else, and moves several vmas in one call; 6.12 does not, and
   * leaves the indices of a mapping as they were whose pages have all gone elsewhere.
   */
  readonly remapsManyVmas: boolean;
  /** copy_vma(): in 7.3, what MREMAP_DONTUNMAP leaves behind is never merged with what it makes. */
  readonly keptSourceStaysApart: boolean;
  /** VM_STICKY_FLAGS: in 7.3, a vma that is merged stays soft-dirty as a whole if a part of it was. */
  readonly softDirtySticks: boolean;
  /** is_mergeable_anon_vma(): 6.12 never merges a vma that has an anon_vma into one that has none. */
  readonly mergesIntoUnfaulted: boolean;
  /**
   * Folios of order 9 go to a device and stay there as they are (MIGRATE_VMA_SELECT_COMPOUND); 6.12 splits them before
   * anything is migrated, and leaves those alone that PTEs map.
   */
  readonly deviceFolios: boolean;
  /** MADV_DONTNEED gives page tables back that it has emptied (CONFIG_PT_RECLAIM). */
  readonly freesEmptyTables: boolean;
  /**
   * pagemap_pmd_range(): 7.3 asks of the first page how often it is mapped, 6.12 of each, and calls the huge zero page
   * FILE.
   */
  readonly pagemapAsksEachPage: boolean;
  /**
   * ptep_set_access_flags(), pmdp_set_access_flags(): a read fault makes an entry young; on x86, whose MMU does that by
   * itself, only a write fault does, whoever the fault is for.
   */
  readonly readFaultMakesYoung: boolean;
  /** mprotect() of a writable PMD takes it for clean: x86's pmd_modify() of 6.12 drops _PAGE_DIRTY. */
  readonly pmdModifyDropsDirty: boolean;
  /** A write to the huge zero page gets a folio of order 9 (do_huge_zero_wp_pmd); 6.12 splits the PMD. */
  readonly hugeZeroIsReplaced: boolean;
  /**
   * A page of a large folio that is this mm's alone is written to in place (__wp_can_reuse_large_anon_folio); 6.12 copies
   * it.
   */
  readonly largeFolioIsReused: boolean;
  /** userfaultfd_register() refuses (EBUSY) what would not be write-protected any more; 6.12 lets its entries be so. */
  readonly registrationsKeepWp: boolean;
  /** A read fault of a writable page that is dirty makes the entry dirty (set_pte_range): 7.3 only. */
  readonly readFaultMarksDirty: boolean;
  /** Pages that are mapped around the one that was wanted are not young (arch_wants_old_prefaulted_pte). */
  readonly prefaultsOld: boolean;
  /** Anonymous pages of private mappings have their place in the file as index: 7.3 has vma_start_anon_pgoff(). */
  readonly anonIndexIsOfFile: boolean;
  /**
   * MADV_COLLAPSE of 6.12 (mm/khugepaged.c): it wants an entry that is writable among those that are present
   * (SCAN_PAGE_RO), ends at a PMD that is none (SCAN_PMD_NONE), and calls a range invalid that reaches to no border of a PMD.
   */
  readonly collapseIsStrict: boolean;
  /** A ksm_rmap_item has its checksum still when its page was merged; in 7.3 the index of the page lies over it. */
  readonly ksmKeepsChecksum: boolean;
  /**
   * Pages of KSM are not collected for a migration to a device: our series refuses them (mm/migrate_device.c), others let
   * ksmd oops, and so no program asks for it.
   */
  readonly ksmPagesStay: boolean;
  /**
   * do_swap_page(): 6.12 reads a slot that only one entry names past the swap cache, and else leaves pages there until they
   * are written to; 7.3 reads through the cache, and empties it as soon as it can.
   */
  readonly swapCacheIsSkipped: boolean;
  /**
   * __migrate_device_pages(): a page may leave the swap cache for a migration. 6.12 then migrates it as if it were still there:
   * folio_migrate_mapping() puts the device page into the swap cache, with a reference that nobody drops.
   */
  readonly uncachedPagesMigrate: boolean;
  /** anon_vma_clone(): 7.3 copies the chain of a vma in reverse order, 6.12 in order. */
  readonly chainCopiedReversed: boolean;
}

interface KernelTraits {
  tables: Partial<Record<Design, SwapTypeTable>>;
  migratePieces: number;
  faultPieces: number;
  deadMirrorFails: boolean;
  anonShowsKsm: boolean;
  holeGetsWriteTag: boolean;
  devicePageFlagsCleared: boolean;
  unknownCommands: readonly (DeviceOp | 'flags')[];
  exclusiveInGroups: boolean;
  pinsAreGlobal: boolean;
  lazyFreeLasts: boolean;
  remapsManyVmas: boolean;
  keptSourceStaysApart: boolean;
  softDirtySticks: boolean;
  mergesIntoUnfaulted: boolean;
  scanWrittenEverywhere: boolean;
  deviceFolios: boolean;
  freesEmptyTables: boolean;
  pagemapAsksEachPage: boolean;
  pmdModifyDropsDirty: boolean;
  hugeZeroIsReplaced: boolean;
  largeFolioIsReused: boolean;
  registrationsKeepWp: boolean;
  readFaultMarksDirty: boolean;
  anonIndexIsOfFile: boolean;
  offlineIsNoPage: boolean;
  collapseIsStrict: boolean;
  ksmKeepsChecksum: boolean;
  swapCacheIsSkipped: boolean;
  uncachedPagesMigrate: boolean;
  chainCopiedReversed: boolean;
}

const KERNELS: Readonly<Record<KernelVersion, KernelTraits>> = {
  '7.3': {
    tables: { pfn: '7.3 pfn', offset: '7.3 offset' },
    migratePieces: 512,
    faultPieces: 32,
    deadMirrorFails: true,
    anonShowsKsm: false,
    holeGetsWriteTag: false,
    devicePageFlagsCleared: true,
    unknownCommands: [],
    exclusiveInGroups: false,
    pinsAreGlobal: false,
    lazyFreeLasts: true,
    remapsManyVmas: true,
    keptSourceStaysApart: true,
    softDirtySticks: true,
    mergesIntoUnfaulted: true,
    scanWrittenEverywhere: false,
    deviceFolios: true,
    freesEmptyTables: true,
    pagemapAsksEachPage: false,
    pmdModifyDropsDirty: false,
    hugeZeroIsReplaced: true,
    largeFolioIsReused: true,
    registrationsKeepWp: true,
    readFaultMarksDirty: true,
    anonIndexIsOfFile: false,
    offlineIsNoPage: false,
    collapseIsStrict: false,
    ksmKeepsChecksum: false,
    swapCacheIsSkipped: false,
    uncachedPagesMigrate: true,
    chainCopiedReversed: true,
  },
  '6.12': {
    tables: { pfn: '6.12 pfn' },
    migratePieces: 64,
    faultPieces: 64,
    deadMirrorFails: false,
    anonShowsKsm: true,
    holeGetsWriteTag: true,
    devicePageFlagsCleared: false,
    unknownCommands: ['read-unlocked', 'flags'],
    exclusiveInGroups: true,
    pinsAreGlobal: true,
    lazyFreeLasts: false,
    remapsManyVmas: false,
    keptSourceStaysApart: false,
    softDirtySticks: false,
    mergesIntoUnfaulted: false,
    scanWrittenEverywhere: true,
    deviceFolios: false,
    freesEmptyTables: false,
    pagemapAsksEachPage: true,
    pmdModifyDropsDirty: true,
    hugeZeroIsReplaced: false,
    largeFolioIsReused: false,
    registrationsKeepWp: false,
    readFaultMarksDirty: false,
    anonIndexIsOfFile: true,
    offlineIsNoPage: true,
    collapseIsStrict: true,
    ksmKeepsChecksum: true,
    swapCacheIsSkipped: true,
    uncachedPagesMigrate: false,
    chainCopiedReversed: false,
  },
};

const DEFAULT_SWAP_PFN_BITS: Readonly<Record<Arch, number>> = { x86_64: 34, aarch64: 36 };

/** @throws RangeError for a design that the kernel does not have. */
export function makeProfile(options: ProfileOptions): Profile {
  const { kernel, design, arch } = options;
  const traits = KERNELS[kernel];
  const table = traits.tables[design];
  if (table === undefined) throw new RangeError(`kernel ${kernel} has no design ${design}`);
  return {
    kernel,
    design,
    arch,
    softDirty: arch === 'x86_64' && (options.softDirty ?? true),
    pte: PTE_LAYOUTS[arch],
    leafKinds: leafKinds(table, options.memoryFailure ?? true),
    swapPfnBits: options.swapPfnBits ?? DEFAULT_SWAP_PFN_BITS[arch],
    tracesFaults: arch === 'x86_64',
    showsCoherentPages: arch === 'aarch64',
    migratePieces: traits.migratePieces,
    faultPieces: traits.faultPieces,
    deadMirrorFails: traits.deadMirrorFails,
    anonShowsKsm: traits.anonShowsKsm,
    holeGetsWriteTag: traits.holeGetsWriteTag,
    devicePageFlagsCleared: traits.devicePageFlagsCleared,
    unknownCommands: traits.unknownCommands,
    exclusiveInGroups: traits.exclusiveInGroups,
    pinsAreGlobal: traits.pinsAreGlobal,
    lazyFreeLasts: traits.lazyFreeLasts,
    remapsManyVmas: traits.remapsManyVmas,
    keptSourceStaysApart: traits.keptSourceStaysApart,
    softDirtySticks: traits.softDirtySticks,
    mergesIntoUnfaulted: traits.mergesIntoUnfaulted,
    scanWrittenEverywhere: traits.scanWrittenEverywhere,
    deviceFolios: traits.deviceFolios,
    freesEmptyTables: traits.freesEmptyTables,
    pagemapAsksEachPage: traits.pagemapAsksEachPage,
    readFaultMakesYoung: arch !== 'x86_64',
    pmdModifyDropsDirty: arch === 'x86_64' && traits.pmdModifyDropsDirty,
    hugeZeroIsReplaced: traits.hugeZeroIsReplaced,
    largeFolioIsReused: traits.largeFolioIsReused,
    registrationsKeepWp: traits.registrationsKeepWp,
    readFaultMarksDirty: traits.readFaultMarksDirty,
    prefaultsOld: arch === 'aarch64' && (options.hardwareAccessFlag ?? false),
    anonIndexIsOfFile: traits.anonIndexIsOfFile,
    offlineIsNoPage: traits.offlineIsNoPage,
    collapseIsStrict: traits.collapseIsStrict,
    ksmKeepsChecksum: traits.ksmKeepsChecksum,
    ksmPagesStay: design === 'offset',
    swapCacheIsSkipped: traits.swapCacheIsSkipped,
    uncachedPagesMigrate: traits.uncachedPagesMigrate,
    chainCopiedReversed: traits.chainCopiedReversed,
  };
}
