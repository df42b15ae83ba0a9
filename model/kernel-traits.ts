/** What the versions of the kernel differ in, whatever their configuration and the machine. */
import type { DeviceOp } from './program.ts';

/** A kernel whose rules differ from the others'. */
export type KernelVersion = '7.3' | '6.12';

export interface KernelTraits {
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
  /**
   * wp_can_reuse_anon_folio(): 6.12 drains the CPU's batches for a page of three references, so that one that two processes
   * map, and that waits in lru_add, has other pages lose the references of the batches.
   */
  readonly sharedPagesDrain: boolean;
  /** free_pages_and_swap_cache(): 6.12 drains the CPU's batches before it frees what a TLB flush has gathered. */
  readonly freeingDrains: boolean;
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
   * do_swap_page(): 6.12 reads a slot that only one entry names past the swap cache, and else leaves pages there until they
   * are written to; 7.3 reads through the cache, and empties it as soon as it can.
   */
  readonly swapCacheIsSkipped: boolean;
  /** mm/swap_slots.c: 6.12 takes slots of the swap device for each CPU in advance, by 64, and gives them back so. */
  readonly swapSlotsAreCached: boolean;
  /**
   * __migrate_device_pages(): a page may leave the swap cache for a migration. 6.12 then migrates it as if it were still there:
   * folio_migrate_mapping() puts the device page into the swap cache, with a reference that nobody drops.
   */
  readonly uncachedPagesMigrate: boolean;
  /** anon_vma_clone(): 7.3 copies the chain of a vma in reverse order, 6.12 in order. */
  readonly chainCopiedReversed: boolean;
  /** mprotect() of a writable PMD takes it for clean: x86's pmd_modify() of 6.12 drops _PAGE_DIRTY; no other does. */
  readonly pmdModifyDropsDirty: boolean;
  /** hugetlb_install_folio(): the copy that a child has of a pinned page is writable, whatever the mapping; 6.12 only. */
  readonly hugetlbCopyIsWritable: boolean;
  /** UFFDIO_MOVE notifies of one page after the other (move_pages_pte); 7.3 of all that are left at once. */
  readonly movesPageByPage: boolean;
}

export const KERNEL_TRAITS: Readonly<Record<KernelVersion, KernelTraits>> = {
  '7.3': {
    migratePieces: 512,
    faultPieces: 32,
    deadMirrorFails: true,
    anonShowsKsm: false,
    sharedPagesDrain: false,
    freeingDrains: false,
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
    swapSlotsAreCached: false,
    uncachedPagesMigrate: true,
    chainCopiedReversed: true,
    hugetlbCopyIsWritable: false,
    movesPageByPage: false,
  },
  '6.12': {
    migratePieces: 64,
    faultPieces: 64,
    deadMirrorFails: false,
    anonShowsKsm: true,
    sharedPagesDrain: true,
    freeingDrains: true,
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
    swapSlotsAreCached: true,
    uncachedPagesMigrate: false,
    chainCopiedReversed: false,
    hugetlbCopyIsWritable: true,
    movesPageByPage: true,
  },
};
