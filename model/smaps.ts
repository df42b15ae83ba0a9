/** /proc/PID/smaps (fs/proc/task_mmu.c): what it says of the mappings of regions. */

import { mapcountOf } from './folio.ts';
import { isHugetlb } from './hugetlb.ts';
import type { SmapsField } from './observation.ts';
import { hugeEntry } from './page-table.ts';
import type { Profile } from './profile.ts';
import { isHugeRegion, PAGE_SIZE, PMD_PAGES, type RegionId } from './program.ts';
import type { Frame, Process, Pte, State, Vma } from './state.ts';
import { isInSwap } from './swap-shmem.ts';

/** KiB. The two differ where a page flag is one that a kernel may show either way (Frame.dirty, Frame.referenced). */
export interface Bounds {
  least: number;
  most: number;
}

export interface ExpectedMapping {
  region: RegionId;
  /** Pages of the region. */
  first: number;
  end: number;
  /** The line VmFlags. */
  vmFlags: string;
  /** Fields that are not named are 0. THPeligible of a huge region depends on sysfs, and is not expected at all. */
  fields: Partial<Record<SmapsField, Bounds>>;
}

const PAGE_KIB = PAGE_SIZE / 1024;
/** Pss is summed up in units of 2^-12 bytes. */
const PSS_SHIFT = 12;
const PAGE_PSS = PAGE_SIZE * 2 ** PSS_SHIFT;

/** One per mapping of a region, in ascending order. */
export function expectSmaps(state: State, { mm }: Process): ExpectedMapping[] {
  return mm.vmas.flat().map((vma) => ({
    region: vma.region,
    first: vma.first,
    end: vma.end,
    vmFlags: vmFlags(vma),
    fields: expectFields(state, vma),
  }));
}

/** show_smap_vma_flags(), by bit. */
function vmFlags(vma: Vma): string {
  const { read, write, shared, file, locked, account, softDirty, thp, uffdMissing, uffdWp, mergeable } = vma;
  const names = {
    rd: read,
    wr: write,
    sh: shared,
    mr: true,
    mw: true,
    me: true,
    ms: shared,
    um: uffdMissing,
    uw: uffdWp,
    lo: locked,
    de: isHugetlb({ file }),
    ac: account,
    ht: isHugetlb({ file }),
    sd: softDirty,
    hg: thp === 'hugepage',
    nh: thp === 'nohugepage',
    mg: mergeable,
  };
  return Object.entries(names)
    .filter(([, set]) => set)
    .map(([name]) => name)
    .join(' ');
}

/** What smaps_page_accumulate() adds up, in pages and in units of Pss; `free` is what may be dirty or not. */
class Sums {
  resident = 0;
  anonymous = 0;
  /** Pages that PMD entries map. */
  hugePages = 0;
  pss = 0;
  swapped = 0;
  swapPss = 0;
  readonly referenced = { least: 0, most: 0 };
  readonly dirty = { private: { least: 0, most: 0 }, shared: { least: 0, most: 0 } };
  readonly pages = { private: 0, shared: 0 };
  readonly pssDirty = { least: 0, most: 0 };
  readonly lazyFree = { least: 0, most: 0 };
  ksm = 0;

  /** smaps_account(): entries of devices count as present, exclusive ones as shared nobody knows how often. */
  add(pte: Pte, frame: Frame): void {
    const mapcount = mapcountOf(frame);
    const present = pte.kind !== 'exclusive';
    const owner = present && mapcount < 2 ? 'private' : 'shared';
    this.#account(pte, frame.head, owner, present ? Math.floor(PAGE_PSS / mapcount) : PAGE_PSS);
  }

  /** smaps_pte_entry(): a slot is shared by as many entries as name it (swp_swapcount). */
  addSwap({ mapcount }: Frame): void {
    this.swapped++;
    this.swapPss += Math.floor(PAGE_PSS / mapcount);
  }

  /**
   * smaps_pmd_entry(): 512 pages. Of a device they are not taken as present, so they count as shared, and the bits of
   * the entry are looked at as if it were: a bit of its offset, stored inverted, is x86's saved dirty bit, and a bit of
   * its type is aarch64's access flag.
   */
  addHuge(pmd: Pte, { arch }: Profile): void {
    this.hugePages += PMD_PAGES;
    const entry =
      pmd.kind === 'present'
        ? pmd
        : { kind: 'present' as const, dirty: arch === 'x86_64', young: arch === 'aarch64' };
    for (const frame of pmd.frame.pages!) {
      const mapcount = mapcountOf(frame);
      const owner = pmd.kind === 'present' && mapcount < 2 ? 'private' : 'shared';
      const pss = pmd.kind === 'present' ? Math.floor(PAGE_PSS / mapcount) : PAGE_PSS;
      this.#account(entry, pmd.frame, owner, pss);
    }
  }

  /** smaps_page_accumulate() of one page; flags are those of the folio. */
  #account(
    entry: Pick<Pte, 'kind' | 'dirty' | 'young'>,
    head: Frame,
    owner: 'private' | 'shared',
    pss: number,
  ): void {
    const dirty = (entry.kind === 'present' && entry.dirty) || head.dirty;
    const referenced = (entry.kind === 'present' && entry.young) || head.referenced;
    this.resident++;
    if (!head.file) this.anonymous++;
    if (head.ksm) this.ksm++;
    this.pss += pss;
    this.pages[owner]++;
    addTo(this.dirty[owner], dirty, 1);
    addTo(this.pssDirty, dirty, pss);
    addTo(this.referenced, referenced, 1);
    if (!head.file) addTo(this.lazyFree, isLazyFree(head.swapBacked, dirty), 1);
  }
}

/** MADV_FREE has taken the page and nobody has written to it since; undefined where that is not known. */
function isLazyFree(swapBacked: boolean | undefined, dirty: boolean | undefined): boolean | undefined {
  if (swapBacked === true || dirty === true) return false;
  return swapBacked === false && dirty === false ? true : undefined;
}

function addTo(bounds: Bounds, flag: boolean | undefined, amount: number): void {
  if (flag === true) bounds.least += amount;
  if (flag !== false) bounds.most += amount;
}

/** smaps_hugetlb_range(): pages of hugetlb are not resident ones. */
function hugetlbFields({ mm, region, first, end }: Vma): ExpectedMapping['fields'] {
  const pages = { private: 0, shared: 0 };
  for (let page = first; page < end; page += PMD_PAGES) {
    const pmd = hugeEntry(mm, region, page);
    if (pmd) pages[mapcountOf(pmd.frame) > 1 ? 'shared' : 'private'] += PMD_PAGES;
  }
  return {
    Size: inKib(exactly(end - first)),
    Shared_Hugetlb: inKib(exactly(pages.shared)),
    Private_Hugetlb: inKib(exactly(pages.private)),
  };
}

/**
 * smap_gather_stats(): pages of shmem in swap, of a private writable mapping those that it has no entry of (smaps_pte_hole).
 * They have no part in SwapPss.
 */
function swappedOfFile(vma: Vma): number {
  if (vma.file?.kind !== 'shmem') return 0;
  const ptes = vma.mm.ptes[vma.region]!;
  const all = vma.shared || !vma.write;
  let swapped = 0;
  for (let page = vma.first; page < vma.end; page++) {
    if (isInSwap(vma, page) && (all || ptes[page] === null)) swapped++;
  }
  return swapped;
}

/** smaps_pte_entry(): vm_normal_page() finds none behind the zero page. */
function expectFields(state: State, vma: Vma): ExpectedMapping['fields'] {
  if (isHugetlb(vma)) return hugetlbFields(vma);
  const { mm, region, first, end, locked } = vma;
  const sums = new Sums();
  for (let page = first; page < end; page++) {
    const pmd = hugeEntry(mm, region, page);
    const pte = mm.ptes[region]![page]!;
    if (pmd) {
      if (pmd.frame.kind !== 'zero') sums.addHuge(pmd, state.profile);
      page += PMD_PAGES - 1;
    } else if (pte?.kind === 'swap') {
      sums.addSwap(pte.frame);
    } else if (pte !== null && pte.frame.kind !== 'zero' && pte.kind !== 'marker') {
      sums.add(pte, pte.frame);
    }
  }
  const { resident, pss, pages, dirty, pssDirty, referenced, lazyFree } = sums;
  const rest = (count: number, { least, most }: Bounds): Bounds => ({
    least: count - most,
    most: count - least,
  });
  return {
    Size: inKib(exactly(end - first)),
    Rss: inKib(exactly(resident)),
    Pss: pssInKib(exactly(pss)),
    Pss_Dirty: pssInKib(pssDirty),
    Shared_Clean: inKib(rest(pages.shared, dirty.shared)),
    Shared_Dirty: inKib(dirty.shared),
    Private_Clean: inKib(rest(pages.private, dirty.private)),
    Private_Dirty: inKib(dirty.private),
    Referenced: inKib(referenced),
    Anonymous: inKib(exactly(sums.anonymous)),
    KSM: inKib(exactly(sums.ksm)),
    LazyFree: inKib(lazyFree),
    Swap: inKib(exactly(sums.swapped + swappedOfFile(vma))),
    SwapPss: pssInKib(exactly(sums.swapPss)),
    AnonHugePages: inKib(exactly(sums.hugePages)),
    Locked: pssInKib(exactly(locked ? pss : 0)),
    ...(isHugeRegion(state.regions[region]!) ? {} : { THPeligible: exactly(0) }),
  };
}

function exactly(value: number): Bounds {
  return { least: value, most: value };
}

function inKib({ least, most }: Bounds): Bounds {
  return { least: least * PAGE_KIB, most: most * PAGE_KIB };
}

function pssInKib({ least, most }: Bounds): Bounds {
  const kib = (pss: number) => Math.floor(pss / 2 ** PSS_SHIFT / 1024);
  return { least: kib(least), most: kib(most) };
}
