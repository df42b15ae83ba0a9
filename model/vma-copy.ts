/**
 * New ranges of an mm that are merged with their neighbours where they can be (mm/vma.c, vma_merge_new_range): those
 * that mremap() moves pages to, and that it lets a vma grow by.
 */
import { isHugetlb } from './hugetlb.ts';
import { linkFile } from './page-cache.ts';
import { endIndex, fileIndex, indexAt, linearIndex, moveStart } from './page-index.ts';
import type { PageRange, RegionId } from './program.ts';
import { anonVmaMove, anonVmaRemap, continues, dupAnonVma, unlinkVma } from './rmap.ts';
import type { Mm, State, Vma } from './state.ts';
import { isRegistered } from './userfault.ts';
import { anonVmasMergeable, sameFlags } from './vma-modify.ts';

/** Pages `first` to `end` (exclusive) of a region, where nothing is mapped, and which shall be like `like`. */
interface NewRange {
  region: RegionId;
  first: number;
  end: number;
  /** Of the first page, as Vma has them. */
  pgoff: number;
  filePgoff: number;
  like: Vma;
  /** `like` is copied (copy_vma), and does not grow (vma_merge_extend). */
  copied: boolean;
}

/** The neighbours of a range that is free. */
function neighbours(mm: Mm, { region, first, end }: NewRange): { prev: Vma | null; next: Vma | null } {
  const list = mm.vmas[region]!;
  return {
    prev: list.findLast((vma) => vma.end <= first) ?? null,
    next: list.find((vma) => vma.first >= end) ?? null,
  };
}

/**
 * vma_merge_new_range() and vma_expand(): the lower neighbour grows, and swallows the upper one; or the upper one grows.
 *
 * @returns the vma that the range is in now; null when it cannot be merged with any
 */
function mergeNewRange(state: State, range: NewRange, prev: Vma | null, next: Vma | null): Vma | null {
  const { first, end, pgoff, filePgoff, like, copied } = range;
  // VM_SPECIAL
  if (isHugetlb(like)) return null;
  const { file, shared } = like;
  const left =
    prev &&
    prev.end === first &&
    fits(state, prev, like, true) &&
    continues(prev, { pgoff, filePgoff, file, shared });
  const right =
    next &&
    next.first === end &&
    continues({ ...like, first, end, pgoff, filePgoff }, next) &&
    fits(state, next, like, copied) &&
    !(left && prev.anonVma && next.anonVma && prev.anonVma !== next.anonVma);
  const target = left ? prev : right ? next : null;
  if (!target) return null;

  const swallows = left && right;
  if (swallows) dupAnonVma(state, target, next);
  if (copied) dupAnonVma(state, target, like);
  if (state.profile.softDirtySticks) {
    target.softDirty ||= like.softDirty || (swallows === true && next.softDirty);
  }
  anonVmaMove([target], () => {
    if (left) target.end = swallows ? next.end : end;
    else moveStart(target, first);
  });
  if (swallows) {
    const list = target.mm.vmas[target.region]!;
    list.splice(list.indexOf(next), 1);
    unlinkVma(next);
  }
  return target;
}

/**
 * is_mergeable_vma() and is_mergeable_anon_vma(). What a vma grows by has no source whose chain could be too long
 * (vma_is_fork_child of vmg->copied_from and vmg->middle, which are null).
 */
function fits(state: State, target: Vma, like: Vma, chainMatters: boolean): boolean {
  if (!sameFlags(target, like)) return false;
  if (!chainMatters && !target.anonVma && like.anonVma) return state.profile.mergesIntoUnfaulted;
  return anonVmasMergeable(state, target, like);
}

/**
 * copy_vma(): a place for pages of `vma` from `page` on. One that has no anon_vma takes the indices of the new place.
 *
 * @param keep MREMAP_DONTUNMAP: in 7.3, the copy must not become a part of the source then
 */
export function copyVma(state: State, vma: Vma, page: number, to: PageRange, keep: boolean): Vma {
  const keepsIndex = vma.anonVma !== null || (vma.file !== null && state.profile.anonIndexIsOfFile);
  const range: NewRange = {
    region: to.region,
    first: to.first,
    end: to.first + to.count,
    pgoff: keepsIndex ? linearIndex(vma, page) : indexAt(state, to.region, to.first),
    filePgoff: vma.file ? fileIndex(vma, page) : 0,
    like: vma,
    copied: true,
  };
  let { prev, next } = neighbours(vma.mm, range);
  if (keep && !vma.anonVma && !vma.file && state.profile.keptSourceStaysApart) {
    if (prev === vma) prev = null;
    if (next === vma) next = null;
  }
  // vma_merge_copied_range(): the copy will not be registered with userfaultfd.
  const merged = isRegistered(vma) ? null : mergeNewRange(state, range, prev, next);
  if (merged) return merged;

  const { region, first, end, pgoff, filePgoff } = range;
  const copy: Vma = { ...vma, region, first, end, pgoff, filePgoff, chain: [] };
  anonVmaRemap(state, copy, vma);
  linkFile(copy);
  const list = vma.mm.vmas[region]!;
  const after = list.findIndex((other) => other.first >= end);
  list.splice(after < 0 ? list.length : after, 0, copy);
  return copy;
}

/** vma_merge_extend(): `vma` grows up to `end` (exclusive), and swallows what is behind it if it can. */
export function extendVma(state: State, vma: Vma, end: number): void {
  const range: NewRange = {
    region: vma.region,
    first: vma.end,
    end,
    pgoff: endIndex(vma),
    filePgoff: vma.file ? fileIndex(vma, vma.end) : 0,
    like: vma,
    copied: false,
  };
  mergeNewRange(state, range, vma, neighbours(vma.mm, range).next);
}
