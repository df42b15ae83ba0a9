/** Loads and stores that others come in between (mm/memory.c). */
import { copyPage, handleFault } from './fault.ts';
import { toSystemPhases } from './migrate.ts';
import { type Expected, succeed } from './outcome.ts';
import { entryAt, setTable } from './page-table.ts';
import { HERE, overlap, type Play, phases, type Role, reading, type Stage } from './play.ts';
import type { PageRange, Part, ProcessId, RegionId } from './program.ts';
import { type Pte, processOf, type Vma } from './state.ts';
import { tokenNumber } from './token.ts';
import { readMeanwhile, tornWord } from './torn.ts';
import { findVma } from './vma.ts';

export function* cpuRead(
  stage: Stage,
  role: Role,
  { region, first, count }: PageRange,
  written: boolean,
): Play<Expected> {
  const data: number[] = [];
  for (let page = first; page < first + count; page++) {
    const begin = yield* access(stage, role, region, page, false);
    if (!begin) return refused(page);
    const { word } = begin.frame;
    const end = written ? yield* access(stage, role, region, page, false) : begin;
    if (!end) return refused(page);
    data.push(readMeanwhile(word, end.frame.word));
  }
  return succeed('handle_mm_fault', { data });
}

export function* cpuWrite(stage: Stage, role: Role, at: PageRange): Play<Expected> {
  const { region, first, count } = at;
  const noticed = isNoticed(role, at);
  for (let page = first; page < first + count; page++) {
    const word = tokenNumber(role.token, region, page);
    if (noticed) {
      const begin = yield* access(stage, role, region, page, true);
      if (!begin) return refused(page);
      begin.dirty = true;
      begin.frame.word = tornWord(word);
    }
    const end = yield* access(stage, role, region, page, true);
    if (!end) return refused(page);
    end.dirty = true;
    const { frame } = end;
    // When the page has got other content meanwhile, its first word stays what that was.
    frame.word = noticed && frame.word !== tornWord(word) ? tornWord(Math.floor(frame.word)) : word;
  }
  return succeed('handle_mm_fault');
}

const refused = (page: number): Expected => ({
  outcome: { kind: 'signal', signal: 'SIGSEGV', page },
  rule: 'access_error (arch/*/mm/fault.c)',
});

/** Parts that copy pages, and so may have one that is written in a part, or that change what is written. */
const NOTICE_WRITES: readonly Part['op'][] = [
  'cpu-read',
  'read',
  'migrate-to-dev',
  'cpu-write',
  'madvise',
  'munmap',
];

function isNoticed({ others }: Role, at: PageRange): boolean {
  return others.some(
    (other) =>
      other.op === 'fork' || (NOTICE_WRITES.includes(other.op) && 'at' in other && overlap(at, other.at)),
  );
}

/** Faults until the access goes through; null when the mapping does not allow it. */
function* access(
  stage: Stage,
  { part: { by }, others }: Role,
  region: RegionId,
  page: number,
  write: boolean,
): Play<Pte | null> {
  const { state } = stage;
  const { mm } = processOf(state, by);
  let pause = true;
  let prepared = false;
  for (;;) {
    if (pause) yield HERE;
    // What comes between the fault for a load and the load is as if it came before both, or after; unless it is the fault
    // that makes it possible.
    pause = write;
    const vma = findVma(mm, region, page);
    if (!vma || !(write ? vma.write : vma.read)) return null;
    const entry = entryAt(mm, region, page);
    if (entry?.kind === 'present' && (entry.write || !write)) {
      entry.young = true;
      return entry;
    }
    if (entry?.kind === 'migration') {
      // migration_entry_wait()
      yield { until: () => entryAt(mm, region, page)?.kind !== 'migration' };
    } else if (entry?.kind === 'device') {
      const file = entry.frame.head.migrator!;
      const here = { vma, first: page, end: page + 1, isFault: true };
      yield* reading(stage, mm, phases(toSystemPhases(state, file, here)));
      pause = true;
    } else if (
      entry &&
      mayCopy(entry, vma, write) &&
      (entry.frame.mapcount > 1 || (yield* isHeld(others, by, region, page)))
    ) {
      // wp_page_copy() copies without the lock of the page table, and looks again whether the entry is the same.
      const { frame } = entry;
      yield HERE;
      const same = entryAt(mm, region, page) === entry && entry.kind === 'present' && entry.frame === frame;
      if (same && !entry.write) copyPage(state, vma, page, entry);
    } else if (!prepared && entry === null && write && needsAnonVma(vma)) {
      // do_anonymous_page() has made the page table when vmf_anon_prepare() finds that it needs the lock of the whole mm.
      setTable(mm, region, page);
      prepared = true;
      pause = true;
    } else {
      handleFault(state, vma, page, write);
    }
  }
}

/** vmf_anon_prepare() fails under the lock of the vma alone (VM_FAULT_RETRY). */
function needsAnonVma({ anonVma, file, thp }: Vma): boolean {
  return anonVma === null && file === null && thp !== 'hugepage';
}

/**
 * Whether a page is copied for a write: when it is shared, or another that copies it or gives it up still has a reference
 * (wp_can_reuse_anon_folio).
 */
function mayCopy({ kind, frame }: Pte, vma: Vma, write: boolean): boolean {
  return kind === 'present' && write && vma.write && frame.kind === 'ram' && !frame.exclusive;
}

/** Whether another process is at the page at the moment. */
function* isHeld(others: readonly Part[], by: ProcessId, region: RegionId, page: number): Play<boolean> {
  const at = { region, first: page, count: 1 };
  const can = others.some((other) => other.by !== by && 'at' in other && overlap(at, other.at));
  return can && (yield { choices: 2 }) === 1;
}
