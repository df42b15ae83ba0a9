/**
 * Entries of a folio of order 9 that arm64 folds to groups of sixteen with PTE_CONT (arch/arm64/mm/contpte.c): all of them
 * when a PMD is split (contpte_set_ptes); a group is unfolded when one of its entries is set by itself.
 */
import type { Pte, Vma } from './state.ts';

/** CONT_PTES for pages of 4 KiB. */
const GROUP = 16;

/**
 * contpte_try_unfold(), and contpte_try_fold(): the last entry of a group folds it again if all of them are alike, young or
 * not and dirty or not.
 */
export function setAlone({ mm, region }: Vma, pte: Pte): void {
  const ptes = mm.ptes[region]!;
  const page = ptes.indexOf(pte);
  pte.alone = true;
  if (page % GROUP !== GROUP - 1) return;
  const group = groupOf(ptes, page);
  const { head, offset } = pte.frame;
  const isAlike = (other: Pte | null | undefined, index: number) =>
    other?.kind === 'present' &&
    other.frame === head.pages?.[offset - GROUP + 1 + index] &&
    other.write === pte.write &&
    other.softDirty === pte.softDirty &&
    other.uffdWp === pte.uffdWp;
  if (group.every(isAlike)) for (const other of group) delete other!.alone;
}

/** Whether the entry of a page is in a group with PTE_CONT; without those, that of every page is (Profile.foldsPtes). */
export function isFolded(ptes: readonly (Pte | null | undefined)[], page: number): boolean {
  return groupOf(ptes, page).every((pte) => !pte?.alone);
}

function groupOf<T>(ptes: readonly T[], page: number): T[] {
  const first = page - (page % GROUP);
  return ptes.slice(first, first + GROUP);
}
