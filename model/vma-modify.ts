/**
 * vma_modify_flags() (mm/vma.c): a part of a vma gets other flags, by merging it with its neighbours where they agree,
 * else by splitting. Which vmas there are shows: one migrate_vma() or hmm_range_fault() goes as far as one vma, fork
 * notifies vma by vma, and the order of a reverse-mapping walk depends on it.
 */
import { isHugetlb } from './hugetlb.ts';
import { moveStart } from './page-index.ts';
import { adjoin, anonVmaMove, dupAnonVma, unlinkVma } from './rmap.ts';
import { splitPmdAt } from './split.ts';
import type { State, Vma } from './state.ts';
import { splitVma } from './vma.ts';

/** What two vmas must agree on to be merged: the file that they map, and flags; VM_SOFTDIRTY is not one (VM_IGNORE_MERGE). */
export type VmaFlags = Pick<
  Vma,
  'read' | 'write' | 'account' | 'locked' | 'thp' | 'file' | 'shared' | 'uffdMissing' | 'uffdWp' | 'mergeable'
>;

export function flagsOf(vma: VmaFlags): VmaFlags {
  const { read, write, account, locked, thp, file, shared, uffdMissing, uffdWp, mergeable } = vma;
  return { read, write, account, locked, thp, file, shared, uffdMissing, uffdWp, mergeable };
}

export function sameFlags(a: VmaFlags, b: VmaFlags): boolean {
  return (
    a.read === b.read &&
    a.write === b.write &&
    a.account === b.account &&
    a.locked === b.locked &&
    a.thp === b.thp &&
    a.file === b.file &&
    a.shared === b.shared &&
    a.uffdMissing === b.uffdMissing &&
    a.uffdWp === b.uffdWp &&
    a.mergeable === b.mergeable
  );
}

/**
 * @returns the vma that pages `first` to `end` (exclusive) of `vma` are in now, with the new flags; null for EINVAL, where a
 * page of hugetlb would have to be cut
 */
export function modifyVma(state: State, vma: Vma, first: number, end: number, flags: VmaFlags): Vma | null {
  const { softDirty } = vma;
  let target = mergeExisting(state, vma, first, end, flags);
  if (target) {
    // VM_STICKY_FLAGS: what was soft-dirty in a part is so in the whole; before, what was changed decided for the whole.
    target.softDirty = state.profile.softDirtySticks ? target.softDirty || softDirty : softDirty;
  } else {
    if (vma.first < first && !splitVma(state, vma, first, true)) return null;
    if (vma.end > end && !splitVma(state, vma, end, false)) return null;
    target = vma;
  }
  return Object.assign(target, flags);
}

/** vma_merge_existing_range() and commit_merge(); null when there is nothing to merge with, or it is hugetlb (VM_SPECIAL). */
function mergeExisting(state: State, middle: Vma, first: number, end: number, flags: VmaFlags): Vma | null {
  if (isHugetlb(middle)) return null;
  const list = middle.mm.vmas[middle.region]!;
  const index = list.indexOf(middle);
  const leftSide = first === middle.first;
  const rightSide = end === middle.end;
  const mergeable = (other: Vma | undefined): other is Vma =>
    other !== undefined && sameFlags(other, flags) && anonVmasMergeable(state, other, middle);

  const before = list[index - 1];
  const after = list[index + 1];
  const prev = leftSide && before && adjoin(before, middle) && mergeable(before) ? before : null;
  const fits = !prev?.anonVma || !after?.anonVma || prev.anonVma === after.anonVma;
  const next = rightSide && after && adjoin(middle, after) && mergeable(after) && fits ? after : null;

  if (prev && next) {
    dupAnonVma(state, prev, next.anonVma ? next : middle);
    prev.softDirty ||= state.profile.softDirtySticks && next.softDirty;
    anonVmaMove([prev], () => {
      prev.end = next.end;
    });
    list.splice(index, 2);
    unlinkVma(middle);
    unlinkVma(next);
    return prev;
  }
  if (prev) {
    dupAnonVma(state, prev, middle);
    // vma_adjust_trans_huge()
    if (!rightSide) splitPmdAt(state, middle, end);
    anonVmaMove(rightSide ? [prev] : [prev, middle], () => {
      prev.end = end;
      if (!rightSide) moveStart(middle, end);
    });
    if (rightSide) remove(list, middle);
    return prev;
  }
  if (next) {
    dupAnonVma(state, next, middle);
    if (!leftSide) splitPmdAt(state, middle, first);
    anonVmaMove(leftSide ? [next] : [middle, next], () => {
      moveStart(next, first);
      if (!leftSide) middle.end = first;
    });
    if (leftSide) remove(list, middle);
    return next;
  }
  return null;
}

function remove(list: Vma[], vma: Vma): void {
  list.splice(list.indexOf(vma), 1);
  unlinkVma(vma);
}

/** is_mergeable_anon_vma(): not with one that was cloned from a parent's, unless they share it. */
export function anonVmasMergeable({ profile }: State, target: Vma, source: Vma): boolean {
  if (!target.anonVma && source.anonVma) return profile.mergesIntoUnfaulted && source.chain.length === 1;
  if (target.anonVma && !source.anonVma) return target.chain.length === 1;
  return target.anonVma === source.anonVma;
}
