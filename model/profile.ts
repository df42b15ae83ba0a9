/**
 * A profile: everything that makes one kernel under test behave unlike another, as data. The rules of the model ask
 * the profile and never the name of a kernel.
 */
import { KERNEL_TRAITS, type KernelTraits, type KernelVersion } from './kernel-traits.ts';
import { type Arch, PTE_LAYOUTS, type PteLayout } from './pte-layout.ts';
import { type LeafKind, leafKinds, type SwapTypeTable } from './swap-types.ts';

export type { KernelVersion } from './kernel-traits.ts';
export type { Arch } from './pte-layout.ts';

/** `pfn`: device-private pages sit in the physical address space. `offset`: in an address space of their own. */
export type Design = 'pfn' | 'offset';

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

export interface Profile extends KernelTraits {
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
  /**
   * ptep_set_access_flags(), pmdp_set_access_flags(): a read fault makes an entry young; on x86, whose MMU does that by
   * itself, only a write fault does, whoever the fault is for.
   */
  readonly readFaultMakesYoung: boolean;
  /** Pages that are mapped around the one that was wanted are not young (arch_wants_old_prefaulted_pte). */
  readonly prefaultsOld: boolean;
  /** Sixteen aligned entries of a folio that are set at once are one with PTE_CONT (CONFIG_ARM64_CONTPTE). */
  readonly foldsPtes: boolean;
  /**
   * Pages of KSM are not collected for a migration to a device: our series refuses them (mm/migrate_device.c), others let
   * ksmd oops, and so no program asks for it.
   */
  readonly ksmPagesStay: boolean;
}

/** By kernel and design, which of the tables of swap types it has. */
const SWAP_TYPE_TABLES: Readonly<Record<KernelVersion, Partial<Record<Design, SwapTypeTable>>>> = {
  '7.3': { pfn: '7.3 pfn', offset: '7.3 offset' },
  '6.12': { pfn: '6.12 pfn' },
};

const DEFAULT_SWAP_PFN_BITS: Readonly<Record<Arch, number>> = { x86_64: 34, aarch64: 36 };

/** @throws RangeError for a design that the kernel does not have. */
export function makeProfile(options: ProfileOptions): Profile {
  const { kernel, design, arch } = options;
  const traits = KERNEL_TRAITS[kernel];
  const table = SWAP_TYPE_TABLES[kernel][design];
  if (table === undefined) throw new RangeError(`kernel ${kernel} has no design ${design}`);
  return {
    ...traits,
    kernel,
    design,
    arch,
    softDirty: arch === 'x86_64' && (options.softDirty ?? true),
    pte: PTE_LAYOUTS[arch],
    leafKinds: leafKinds(table, options.memoryFailure ?? true),
    swapPfnBits: options.swapPfnBits ?? DEFAULT_SWAP_PFN_BITS[arch],
    tracesFaults: arch === 'x86_64',
    showsCoherentPages: arch === 'aarch64',
    readFaultMakesYoung: arch !== 'x86_64',
    pmdModifyDropsDirty: arch === 'x86_64' && traits.pmdModifyDropsDirty,
    foldsPtes: arch === 'aarch64',
    prefaultsOld: arch === 'aarch64' && (options.hardwareAccessFlag ?? false),
    ksmPagesStay: design === 'offset',
  };
}
