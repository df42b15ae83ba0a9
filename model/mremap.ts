/** mremap(2) (mm/mremap.c). */
import { isHugeAligned, isHugetlb, moveHugetlb } from './hugetlb.ts';
import { breakKsm } from './ksm.ts';
import { populate } from './mlock.ts';
import { moveTables } from './move-tables.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { setPageProt } from './page-cache.ts';
import { indexAt } from './page-index.ts';
import { type PageRange, PMD_PAGES, type Step } from './program.ts';
import { unlinkAnonVmas } from './rmap.ts';
import type { Mm, Process, State, Vma } from './state.ts';
import { isRegistered } from './userfault.ts';
import { findVma, splitVma, unmapRange } from './vma.ts';
import { copyVma, extendVma } from './vma-copy.ts';

type Remap = Extract<Step, { op: 'mremap' }>;

/**
 * 7.3 checks all arguments first, and moves any number of vmas in one call if they keep their size (remap_move); 6.12
 * looks for the first vma before that, and fails at the border of it when it has already unmapped the target.
 */
export function mremap(state: State, { mm }: Process, step: Remap): Expected {
  const { at, to, how, flaw } = step;
  const { remapsManyVmas } = state.profile;
  const early = flaw === undefined ? to.count === 0 : !remapsManyVmas && !isLate(flaw);
  const resizesKept = how === 'keep' && at.count !== to.count;
  if (early || resizesKept || (remapsManyVmas && isBad(step)))
    return failWith('EINVAL', 'check_mremap_params');

  const first = findVma(mm, at.region, at.first);
  if (!first) return failWith('EFAULT', remapsManyVmas ? 'remap_move' : 'mremap');
  if (remapsManyVmas && how !== 'resize' && at.count === to.count) return moveAll(state, mm, step);
  const aligned = isHugetlb(first) ? alignHugetlb(step) : step;
  if (!aligned) return failWith('EINVAL', 'align_hugetlb');
  if (isBad(step)) return failWith('EINVAL', 'mremap_to');
  if (how === 'resize') return resize(state, first, aligned.at, aligned.to.count);
  return moveOne(state, first, aligned);
}

/** What 6.12 looks at in mremap_to() only. */
function isLate(flaw: Remap['flaw']): boolean {
  return flaw === 'misaligned-target' || flaw === 'beyond';
}

function isBad({ at, to, how, flaw }: Remap): boolean {
  if (flaw) return true;
  // vrm_overlaps()
  const overlap = at.region === to.region && at.first < to.first + to.count && to.first < at.first + at.count;
  return how !== 'resize' && overlap;
}

/** align_hugetlb(): lengths are rounded up to whole pages, and nothing grows. @returns null for EINVAL */
function alignHugetlb(step: Remap): Remap | null {
  const { at, to } = step;
  const rounded = { ...step, at: roundUp(at), to: roundUp(to) };
  const fits = isHugeAligned(at.first) && isHugeAligned(to.first) && rounded.to.count <= rounded.at.count;
  return fits ? rounded : null;
}

function roundUp(range: PageRange): PageRange {
  return { ...range, count: Math.ceil(range.count / PMD_PAGES) * PMD_PAGES };
}

/** mremap_at(): a vma shrinks, or grows where it is; flags are 0, so that it may not move. */
function resize(state: State, vma: Vma, { region, first, count }: PageRange, pages: number): Expected {
  if (pages <= count) {
    // shrink_vma(): whatever is mapped there goes, of other vmas too.
    if (pages < count) unmapRange(state, vma.mm, region, first + pages, first + count);
    return succeed('mremap_at');
  }
  if (first + count > vma.end) return failWith('EFAULT', 'check_prep_vma');
  // vrm_can_expand_in_place()
  const end = first + pages;
  const blocked = vma.mm.vmas[region]!.some((other) => other.first >= vma.end && other.first < end);
  if (first + count < vma.end || blocked) return failWith('ENOMEM', 'expand_vma');
  extendVma(state, vma, end);
  if (vma.locked) populate(state, vma.mm, region, first + count, end);
  return succeed('expand_vma_in_place');
}

/**
 * remap_move(): holes between vmas stay holes of the same size, but what was mapped there stays. A file that has a say in
 * where it is mapped, which ramfs has, moves alone or not at all (vma_multi_allowed).
 */
function moveAll(state: State, mm: Mm, step: Remap): Expected {
  const { at, to, how } = step;
  const end = at.first + at.count;
  let isFirst = true;
  for (let page = at.first; page < end; ) {
    const vma = mm.vmas[at.region]!.find((candidate) => candidate.end > page);
    if (!vma || vma.first >= end) break;
    // vma_multi_allowed(): one that is registered with userfaultfd is moved alone.
    if (isRegistered(vma) && (page > at.first || vma.end < end)) return failWith('EFAULT', 'remap_move');
    const first = Math.max(page, vma.first);
    const stop = Math.min(vma.end, end);
    if (vma.file?.kind === 'file' && (!isFirst || vma.end < end)) {
      return failWith('EFAULT', 'remap_move (vma_multi_allowed)');
    }
    isFirst = false;
    const piece: Remap = {
      ...step,
      at: { region: at.region, first, count: stop - first },
      to: { region: to.region, first: to.first + first - at.first, count: stop - first },
    };
    const aligned = isHugetlb(vma) ? alignHugetlb(piece) : piece;
    if (!aligned) return failWith('EINVAL', 'align_hugetlb');
    if (keepsHugetlb(vma, how)) return failWith('EINVAL', 'check_prep_vma (VM_DONTEXPAND)');
    const place = aligned.to;
    unmapRange(state, mm, place.region, place.first, place.first + place.count);
    moveVma(state, mm, aligned.at, place, how === 'keep');
    page = stop;
  }
  return succeed('remap_move');
}

/** mremap_to() of one vma: the target goes first, then what the source shrinks by. */
function moveOne(state: State, vma: Vma, { at, to, how }: Remap): Expected {
  const { mm } = vma;
  const length = Math.min(at.count, to.count);
  const crosses = at.first + length > vma.end;
  if (crosses && state.profile.remapsManyVmas) return failWith('EFAULT', 'check_prep_vma');
  unmapRange(state, mm, to.region, to.first, to.first + to.count);
  if (to.count < at.count) unmapRange(state, mm, at.region, at.first + to.count, at.first + at.count);
  if (keepsHugetlb(vma, how)) return failWith('EINVAL', 'vma_to_resize (VM_DONTEXPAND)');
  if (crosses) return failWith('EFAULT', 'vma_to_resize');
  moveVma(state, mm, { ...at, count: length }, to, how === 'keep');
  if (vma.locked) populate(state, mm, to.region, to.first + length, to.first + to.count);
  return succeed('mremap_to');
}

/** MREMAP_DONTUNMAP is not for what may not grow. */
function keepsHugetlb(vma: Vma, how: Remap['how']): boolean {
  return how === 'keep' && isHugetlb(vma);
}

/** move_vma(): of one vma, to where nothing is mapped. */
function moveVma(state: State, mm: Mm, at: PageRange, to: PageRange, keep: boolean): void {
  const end = at.first + at.count;
  const whole = findVma(mm, at.region, at.first)!;
  if (keep && whole.locked && state.profile.remapsManyVmas) {
    // prep_move_vma()
    if (whole.first < at.first) splitVma(state, whole, at.first, true);
    if (whole.end > end) splitVma(state, whole, end, false);
  }
  // ksm_madvise(MADV_UNMERGEABLE): its pages are found by their addresses.
  if (whole.mergeable) breakKsm(state, whole, at.first, end);
  const target = copyVma(state, findVma(mm, at.region, at.first)!, at.first, to, keep);
  // The copy may have swallowed its source.
  const source = findVma(mm, at.region, at.first)!;
  if (isHugetlb(source)) moveHugetlb(source, target, at, to.first);
  else moveTables(state, source, target, at, { region: to.region, page: to.first });
  // mremap_userfaultfd_prep()
  const wasProtected = target.uffdWp;
  target.uffdMissing = target.uffdWp = false;
  if (wasProtected) setPageProt(state, target);
  if (!keep) {
    unmapRange(state, mm, at.region, at.first, end);
    return;
  }
  // dontunmap_complete()
  source.locked = false;
  if (source !== target && source.first === at.first && source.end === end) {
    // Nothing of it is mapped any more. 6.12 leaves its indices as they were.
    unlinkAnonVmas(source);
    if (state.profile.remapsManyVmas) source.pgoff = indexAt(state, at.region, at.first);
  }
}
