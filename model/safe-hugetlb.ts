/** Steps of programs with hugetlb that would do harm to the machine, or whose rules the model does not have. */
import { isPinned } from './folio.ts';
import { isHugeAligned, isHugetlb } from './hugetlb.ts';
import { hugeEntry } from './page-table.ts';
import { isHugeRegion, PMD_PAGES, type RegionId, type Step } from './program.ts';
import { processOf, type State } from './state.ts';

type Remap = Extract<Step, { op: 'mremap' }>;

/**
 * - `mremap` does not move hugetlb to regions of other memory, nor that to regions of hugetlb: the model does not know whether
 *   there is a table of PMDs.
 * - `mremap` does not move a part of a private mapping: copy_vma() shares what is reserved for the mapping with the new one,
 *   and clear_vma_resv_huge_pages() takes it from all of the old one, so that nobody gives back what is reserved for the
 *   rest, and the machine's pool stays that much smaller for good.
 * - `fork` of a pinned page in a mapping that is read-only is left out for 6.12, where the child could write to its copy
 *   (Profile.hugetlbCopyIsWritable).
 */
export function hugetlbHazard(state: State, step: Step): string | undefined {
  if (step.op === 'fork' && state.profile.hugetlbCopyIsWritable && hasPinnedReadOnly(state, step.by)) {
    return 'a child could write to a read-only mapping of hugetlb';
  }
  if (step.op !== 'mremap') return undefined;
  if (isHugetlbRegion(state, step.at.region) !== isHugetlbRegion(state, step.to.region)) {
    return 'page tables of other memory are not modelled, and would be made or not for hugetlb';
  }
  return movesPartOfPrivate(state, step) ? 'pages of hugetlb would stay reserved for good' : undefined;
}

/** Only hugetlb is ever mapped there, and nowhere else. */
export function isHugetlbRegion({ files }: State, region: RegionId): boolean {
  return files[region]?.kind === 'hugetlb';
}

/** Where folios of order 9 may be that are on LRU lists, and split. */
export function isAnonymousHuge({ files, regions }: State, region: RegionId): boolean {
  return !files[region] && isHugeRegion(regions[region]!);
}

function movesPartOfPrivate(state: State, { by, at, to, how, flaw }: Remap): boolean {
  if (how !== 'move' || flaw || !isHugeAligned(at.first) || !isHugeAligned(to.first)) return false;
  const end = at.first + Math.ceil(at.count / PMD_PAGES) * PMD_PAGES;
  return processOf(state, by).mm.vmas[at.region]!.some(
    (vma) =>
      isHugetlb(vma) &&
      !vma.shared &&
      vma.first < end &&
      at.first < vma.end &&
      (vma.first < at.first || end < vma.end),
  );
}

function hasPinnedReadOnly(state: State, process: number): boolean {
  const { mm } = processOf(state, process);
  return mm.vmas.flat().some((vma) => {
    if (!isHugetlb(vma) || vma.write) return false;
    for (let page = vma.first; page < vma.end; page += PMD_PAGES) {
      const pmd = hugeEntry(mm, vma.region, page);
      if (pmd && isPinned(pmd)) return true;
    }
    return false;
  });
}
