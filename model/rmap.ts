/**
 * Reverse mapping (mm/rmap.c, mm/interval_tree.c). The order in which a page's mappings are visited
 * is visible: in the order of trace events, and in which device page tables a walk invalidates before it is done.
 */
import { addMapping } from './folio.ts';
import { linkFile, unlinkFile } from './page-cache.ts';
import { endIndex, fileIndex, linearIndex } from './page-index.ts';
import type { Profile } from './profile.ts';
import type { AnonVma, Frame, PageCache, State, Vma, VmaRange } from './state.ts';
import { flagsOf, sameFlags } from './vma-modify.ts';

/** anon_rmap_tree_insert(): equal starts go to the right, that is, after those that are there. */
function insert(tree: Vma[], vma: Vma): void {
  let at = tree.length;
  while (at > 0 && tree[at - 1]!.pgoff > vma.pgoff) at--;
  tree.splice(at, 0, vma);
}

function remove(tree: Vma[], vma: Vma): void {
  tree.splice(tree.indexOf(vma), 1);
}

function newAnonVma(state: State, parent: AnonVma | null): AnonVma {
  const fields = { id: state.nextId++, numChildren: 0, numActiveVmas: 1, tree: [] };
  const anonVma = { ...fields } as unknown as AnonVma;
  anonVma.parent = parent ?? anonVma;
  anonVma.root = parent?.root ?? anonVma;
  return anonVma;
}

/** __anon_vma_prepare() */
export function anonVmaPrepare(state: State, vma: Vma): void {
  if (vma.anonVma) return;
  let anonVma = findMergeableAnonVma(vma);
  if (anonVma) {
    anonVma.numActiveVmas++;
  } else {
    anonVma = newAnonVma(state, null);
    // The self-parent link of a new root.
    anonVma.numChildren = 1;
  }
  vma.anonVma = anonVma;
  vma.chain.unshift(anonVma);
  insert(anonVma.tree, vma);
}

/** find_mergeable_anon_vma(): that of a neighbour which differs in what mprotect() changes only; the next one first. */
function findMergeableAnonVma(vma: Vma): AnonVma | null {
  const list = vma.mm.vmas[vma.region]!;
  const index = list.indexOf(vma);
  for (const other of [list[index + 1], list[index - 1]]) {
    if (!other?.anonVma || other.chain.length !== 1) continue;
    if (!(other.first < vma.first ? adjoin(other, vma) : adjoin(vma, other))) continue;
    // anon_vma_compatible(): all flags but VM_ACCESS_FLAGS and VM_SOFTDIRTY.
    if (sameFlags({ ...flagsOf(other), read: vma.read, write: vma.write }, vma)) return other.anonVma;
  }
  return null;
}

/** Whether two vmas of one file, or of none, adjoin by their addresses and by the indices of their pages. */
export function adjoin(lower: Vma, upper: Vma): boolean {
  return lower.end === upper.first && continues(lower, upper);
}

/** can_vma_merge_after(): a shared mapping has no anonymous pages whose indices could matter. */
export function continues(lower: Vma, upper: Pick<Vma, 'pgoff' | 'filePgoff' | 'shared' | 'file'>): boolean {
  if (upper.file && fileIndex(lower, lower.end) !== upper.filePgoff) return false;
  return upper.shared || endIndex(lower) === upper.pgoff;
}

/** dup_anon_vma(): a vma that has no anon_vma yet takes over that of the one that it is merged with. */
export function dupAnonVma({ profile }: State, to: Vma, from: Vma): void {
  if (to.anonVma || !from.anonVma) return;
  to.anonVma = from.anonVma;
  anonVmaClone(profile, to, from, false);
}

/** vma_prepare() and vma_complete(): vmas whose borders move are out of the trees meanwhile, and come back in order. */
export function anonVmaMove(vmas: readonly Vma[], resize: () => void): void {
  const inTrees = vmas.some(({ anonVma }) => anonVma);
  if (inTrees) for (const vma of vmas) for (const { tree } of vma.chain) remove(tree, vma);
  for (const vma of vmas) unlinkFile(vma);
  resize();
  for (const vma of vmas) linkFile(vma);
  if (inTrees) for (const vma of vmas) for (const { tree } of vma.chain) insert(tree, vma);
}

/** anon_vma_clone() for a vma that mremap() makes. */
export function anonVmaRemap({ profile }: State, to: Vma, from: Vma): void {
  if (from.anonVma) anonVmaClone(profile, to, from, false);
}

/** anon_vma_clone(): `to` joins every anon_vma of `from`; in a fork it may take an orphaned one as its own. */
function anonVmaClone(profile: Profile, to: Vma, from: Vma, fork: boolean): void {
  const inherited = from.chain;
  to.chain = profile.chainCopiedReversed ? inherited.toReversed() : [...inherited];
  for (const anonVma of to.chain.toReversed()) {
    insert(anonVma.tree, to);
    if (fork && !to.anonVma) maybeReuse(to, anonVma);
  }
  if (!fork && to.anonVma) to.anonVma.numActiveVmas++;
}

/** maybe_reuse_anon_vma(): one whose vmas were unmapped and that has one child at most. */
function maybeReuse(vma: Vma, anonVma: AnonVma): void {
  if (anonVma.numActiveVmas > 0 || anonVma.numChildren > 1) return;
  vma.anonVma = anonVma;
  anonVma.numActiveVmas++;
}

/** anon_vma_fork(): `child` is a fresh copy of `parent` in the new process. */
export function anonVmaFork(state: State, child: Vma, parent: Vma): void {
  if (!parent.anonVma) return;
  anonVmaClone(state.profile, child, parent, true);
  if (child.anonVma) return;
  const anonVma = newAnonVma(state, parent.anonVma);
  child.anonVma = anonVma;
  child.chain.unshift(anonVma);
  insert(anonVma.tree, child);
  parent.anonVma.numChildren++;
}

/** The anon_vma side of __split_vma(): `resize` moves the border of `vma`; `added` is the new vma. */
export function anonVmaSplit(profile: Profile, vma: Vma, added: Vma, resize: () => void): void {
  if (vma.anonVma) anonVmaClone(profile, added, vma, false);
  linkFile(added);
  // vma_prepare() and vma_complete() take the old vma out and put it in again, after its new neighbour.
  anonVmaMove([vma], resize);
}

/** A vma goes. */
export function unlinkVma(vma: Vma): void {
  unlinkAnonVmas(vma);
  unlinkFile(vma);
}

/** unlink_anon_vmas() */
export function unlinkAnonVmas(vma: Vma): void {
  if (!vma.anonVma) return;
  for (const anonVma of vma.chain) {
    remove(anonVma.tree, vma);
    if (anonVma.tree.length === 0) anonVma.parent.numChildren--;
  }
  vma.anonVma.numActiveVmas--;
  vma.anonVma = null;
  vma.chain = [];
}

/** rmap_walk_anon(): the vmas that may map a part of the folio `head`, in the order of the walk, and where. */
export function rmapWalk(head: Frame): VmaRange[] {
  if (head.file) return walkFile(head.file, head.index);
  const visits: VmaRange[] = [];
  const { index } = head;
  const behind = index + (head.pages?.length ?? 1);
  for (const vma of head.anonVma!.tree) {
    const first = Math.max(vma.first, vma.first + index - vma.pgoff);
    const end = Math.min(vma.end, vma.first + behind - vma.pgoff);
    if (first < end) visits.push({ vma, first, end });
  }
  return visits;
}

/** rmap_walk_file() */
function walkFile({ mappings }: PageCache, index: number): VmaRange[] {
  return mappings.flatMap((vma) => {
    const page = vma.first + index - vma.filePgoff;
    return vma.first <= page && page < vma.end ? [{ vma, first: page, end: page + 1 }] : [];
  });
}

/** folio_add_new_anon_rmap() with RMAP_EXCLUSIVE: the first mapping of a page that is born at `page` of `vma`. */
export function addNewAnonRmap(frame: Frame, vma: Vma, page: number): void {
  addMapping(frame, vma.mm);
  frame.index = linearIndex(vma, page);
  frame.exclusive = true;
  frame.swapBacked = true;
  frame.anonVma = vma.anonVma;
}
