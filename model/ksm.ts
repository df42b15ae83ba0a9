/**
 * KSM (mm/ksm.c): ksmd compares the pages of mappings that were advised so, and maps those that are alike by one, read-only.
 * The agent has ksmd make so many full scans that the last of them changes nothing, with smart_scan off, and takes all merges
 * back after the program.
 */
import { addMapping, dropMapping } from './folio.ts';
import { newRamFrame } from './frame.ts';
import { addToLru, drainLru, markAccessed } from './lru.ts';
import { invalidate } from './notifier.ts';
import { type Expected, succeed } from './outcome.ts';
import { addNewAnonRmap } from './rmap.ts';
import type { Frame, Mm, Pte, State, Vma } from './state.ts';

/** A ksm_rmap_item: what ksmd remembers of a page of an mm. */
export interface RmapItem {
  /** What its checksum was made of; null when there is none yet, or another field lies over it. */
  checksum: number | null;
  /** It is listed at the page in the stable tree. */
  stable: boolean;
}

/** Scans of one step: the first may see a page for the first time, the second merges it. */
const SCANS = 3;

/** One step: ksmd runs until it has made {@link SCANS} full scans. */
export function runKsmd(state: State): Expected {
  for (let scan = 0; scan < SCANS; scan++) scanAll(state);
  return succeed('ksm_scan_thread');
}

/** __ksm_enter(): at the end of the list of mms. Also ksm_fork(). */
export function enterKsm(state: State, mm: Mm): void {
  if (!state.ksmMms.includes(mm)) state.ksmMms.push(mm);
}

/** __ksm_exit() */
export function exitKsm(state: State, mm: Mm): void {
  state.ksmMms = state.ksmMms.filter((other) => other !== mm);
  mm.rmapItems.clear();
}

/** scan_get_next_rmap_item() over the whole list; an mm that has no VM_MERGEABLE any more leaves it. */
function scanAll(state: State): void {
  drainLru(state);
  const unstable = new Map<number, Candidate>();
  for (const mm of [...state.ksmMms]) {
    const vmas = mm.vmas.flat().filter(({ mergeable }) => mergeable);
    const before = mm.rmapItems;
    mm.rmapItems = new Map();
    for (const vma of vmas) if (vma.anonVma) scanVma(state, vma, before, unstable);
    if (vmas.length === 0) exitKsm(state, mm);
  }
}

/** A page in the unstable tree, which is made anew in each scan. */
interface Candidate {
  vma: Vma;
  page: number;
  frame: Frame;
  item: RmapItem;
}

function scanVma(
  state: State,
  vma: Vma,
  before: ReadonlyMap<number, RmapItem>,
  unstable: Map<number, Candidate>,
): void {
  const { mm, region } = vma;
  for (let page = vma.first; page < vma.end; page++) {
    const pte = mm.ptes[region]![page]!;
    // ksm_next_page_pmd_entry(): in a private mapping of a file, what was copied.
    if (pte?.kind !== 'present' || pte.frame.kind !== 'ram' || pte.frame.file) continue;
    const key = keyOf(region, page);
    const item = before.get(key) ?? { checksum: null, stable: false };
    mm.rmapItems.set(key, item);
    compareAndMerge(state, { vma, page, frame: pte.frame, item }, unstable);
  }
}

function keyOf(region: number, page: number): number {
  return region * 4096 + page;
}

/** cmp_and_merge_page() */
function compareAndMerge(state: State, candidate: Candidate, unstable: Map<number, Candidate>): void {
  const { frame, item } = candidate;
  if (frame.ksm) {
    // Of a fork: it is entered beside the others.
    item.stable = true;
    return;
  }
  if (item.stable) {
    item.stable = false;
    if (!state.profile.ksmKeepsChecksum) item.checksum = null;
  }
  if (item.checksum !== frame.word) {
    item.checksum = frame.word;
    return;
  }
  const stable = stablePage(state, frame.word);
  if (stable) {
    replacePage(state, candidate, stable);
    return;
  }
  // unstable_tree_search_insert()
  const other = unstable.get(frame.word);
  if (!other || entryOf(other)?.frame !== other.frame || other.frame.word !== frame.word) {
    unstable.set(frame.word, candidate);
    return;
  }
  // "Don't substitute a ksm page for a forked page"
  if (other.frame === frame) return;
  unstable.delete(frame.word);
  makeStable(state, candidate);
  replacePage(state, other, frame);
}

function entryOf({ vma, page }: Candidate): Pte | null {
  return vma.mm.ptes[vma.region]![page]!;
}

/** stable_tree_search() */
function stablePage(state: State, word: number): Frame | null {
  for (const process of state.processes) {
    for (const pte of process?.mm.ptes.flat() ?? []) {
      if (pte?.kind === 'present' && pte.frame.ksm && pte.frame.word === word) return pte.frame;
    }
  }
  return null;
}

/** write_protect_page(): MMU_NOTIFY_CLEAR. The entry becomes clean, and the page dirty instead. */
function writeProtect(candidate: Candidate): void {
  const { vma, page, frame } = candidate;
  const pte = entryOf(candidate)!;
  invalidate(vma.mm, vma.region, page, page + 1);
  if (pte.dirty) frame.dirty = true;
  if (pte.write || pte.dirty) pte.rule = 'write_protect_page';
  frame.exclusive = false;
  pte.write = pte.dirty = false;
}

/** try_to_merge_one_page() of the page that others are replaced by. */
function makeStable(state: State, candidate: Candidate): void {
  const { frame, item } = candidate;
  writeProtect(candidate);
  frame.ksm = true;
  frame.dirty = true;
  markAccessed(state, frame);
  item.stable = true;
}

/** replace_page(): MMU_NOTIFY_CLEAR once more; the new entry has none of the old one's bits. */
function replacePage(state: State, candidate: Candidate, stable: Frame): void {
  const { vma, page, frame, item } = candidate;
  writeProtect(candidate);
  invalidate(vma.mm, vma.region, page, page + 1);
  addMapping(stable, vma.mm);
  Object.assign(entryOf(candidate)!, {
    frame: stable,
    young: true,
    softDirty: false,
    uffdWp: false,
    rule: 'replace_page',
  } satisfies Partial<Pte>);
  dropMapping(state, vma, frame);
  item.stable = true;
}

/**
 * break_ksm(): pages of KSM become pages of their own again, by faults that unshare them: as they were mapped, read-only,
 * and clean (wp_page_copy with FAULT_FLAG_UNSHARE).
 */
export function breakKsm(state: State, vma: Vma, first: number, end: number): void {
  const { mm, region } = vma;
  for (let page = first; page < end; page++) {
    const pte = mm.ptes[region]![page];
    if (pte?.kind !== 'present' || !pte.frame.ksm) continue;
    invalidate(mm, region, page, page + 1);
    const old = pte.frame;
    const frame = newRamFrame(state, old.word);
    addNewAnonRmap(frame, vma, page);
    addToLru(state, frame);
    Object.assign(pte, { frame, write: false, young: true, dirty: false, rule: 'wp_page_copy (unshare)' });
    dropMapping(state, vma, old);
  }
}
