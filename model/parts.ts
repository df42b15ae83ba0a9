/**
 * Parts of a `together` step as plays: what each does, with a pause wherever another actor can come in between
 * (mmap_lock held for reading shuts out those that write to the mappings, and nobody else).
 */
import { copyPage, handleFault } from './fault.ts';
import { evictPhases, toDevicePhases, toSystemPhases } from './migrate.ts';
import { isSelected, type Refused, type Selection } from './migrate-collect.ts';
import { fault } from './mirror.ts';
import { unregister } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { entryAt } from './page-table.ts';
import type { PageRange, Part, PartDeviceStep, ProcessId, RegionId } from './program.ts';
import {
  type DeviceFile,
  type Mm,
  type Pte,
  processOf,
  type State,
  type Vma,
  type VmaRange,
} from './state.ts';
import { tokenNumber } from './token.ts';
import { isTorn, tornWord } from './torn.ts';
import { findVma } from './vma.ts';

/** Others may act; `until` says when this one can go on. Or a choice, whose number next() is given. */
export type Pause = { until?: () => boolean } | { choices: number };
export type Play<T> = Generator<Pause, T, number>;

export type TakePart = (state: State, part: Part, token: number) => Expected;

/** What the plays of one step share. */
export interface Stage {
  state: State;
  /** Takes a part that nobody can interrupt, as a step. */
  take: TakePart;
  /** How often mmap_lock is held for reading, by the mm's number. */
  readers: Map<number, number>;
}

export interface Role {
  part: Part;
  /** What its tokens name instead of a step. */
  token: number;
  /** Parts of other actors. */
  others: readonly Part[];
}

const HERE: Pause = {};

/** @returns a play that ends with the outcome of the part */
export function play(stage: Stage, role: Role): Play<Expected> {
  const { part } = role;
  switch (part.op) {
    case 'cpu-read':
      return cpuRead(stage, role, part.at, isWrittenMeanwhile(role, part.by, part.at));
    case 'cpu-write':
      return cpuWrite(stage, role, part.at);
    case 'migrate-to-dev':
    case 'migrate-to-sys':
      return migrate(stage, role, part);
    case 'read':
      return deviceRead(stage, part, isWrittenMeanwhile(role, part.by, part.at));
    case 'close':
      return close(stage, part);
    case 'madvise':
      return byPage(stage, part);
    case 'write':
      return atOnce(stage, role, () => true);
    default:
      return atOnce(stage, role, () => !stage.readers.get(part.by));
  }
}

/** What takes mmap_lock for writing, or else is not interrupted. */
function* atOnce({ state, take }: Stage, { part, token }: Role, until: () => boolean): Play<Expected> {
  yield { until };
  return take(state, part, token);
}

/** zap_pte_range(): between pages others come in. */
function* byPage({ state, take }: Stage, part: Extract<Part, { op: 'madvise' }>): Play<Expected> {
  let result: Expected | undefined;
  const { first, count, region } = part.at;
  for (let page = first; page < first + count; page++) {
    yield HERE;
    const outcome = take(state, { ...part, at: { region, first: page, count: 1 } }, 0);
    if (result?.outcome.kind !== 'errno') result = outcome;
  }
  return result!;
}

function* reading<T>({ readers }: Stage, mm: Mm, play: Generator<Pause | undefined, T, number>): Play<T> {
  readers.set(mm.id, (readers.get(mm.id) ?? 0) + 1);
  const result = yield* pausing(play);
  readers.set(mm.id, readers.get(mm.id)! - 1);
  return result;
}

/** A bare yield is a pause. */
function* pausing<T>(play: Generator<Pause | undefined, T, number>): Play<T> {
  let sent = 0;
  for (;;) {
    const { done, value } = play.next(sent);
    if (done) return value;
    sent = yield value ?? HERE;
  }
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
    } else {
      handleFault(state, vma, page, write);
    }
  }
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

function* phases<T>(migration: Generator<void, T, unknown>): Generator<undefined, T, number> {
  for (;;) {
    const { done, value } = migration.next();
    if (done) return value;
    yield undefined;
  }
}

const refused = (page: number): Expected => ({
  outcome: { kind: 'signal', signal: 'SIGSEGV', page },
  rule: 'access_error (arch/*/mm/fault.c)',
});

/** Whether another thread writes to the pages, so that what is read of one may be of several times. */
function isWrittenMeanwhile({ others }: Role, by: ProcessId, at: PageRange): boolean {
  return others.some((other) => other.op === 'cpu-write' && other.by === by && overlap(at, other.at));
}

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

export function overlap(a: PageRange, b: PageRange): boolean {
  return a.region === b.region && a.first < b.first + b.count && b.first < a.first + a.count;
}

function* cpuRead(
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

function readMeanwhile(begin: number, end: number): number {
  return begin === end || isTorn(begin) ? begin : tornWord(begin);
}

function* cpuWrite(stage: Stage, role: Role, at: PageRange): Play<Expected> {
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

/** dmirror_migrate_to_device() and dmirror_migrate_to_system(): mmap_lock is held over all pieces. */
function* migrate(stage: Stage, role: Role, part: PartDeviceStep): Play<Expected> {
  const { state } = stage;
  yield HERE;
  const toDevice = part.op === 'migrate-to-dev';
  const rule = toDevice ? 'dmirror_migrate_to_device' : 'dmirror_migrate_to_system';
  const file = processOf(state, part.by).devices[part.device]?.file;
  if (!file) return failWith('EBADF', 'ioctl');
  if (!file.mm.alive) return failWith('EINVAL', `${rule} (mmget_not_zero)`);
  const moved = yield* reading(stage, file.mm, pieces(state, role, file, part, rule));
  if (typeof moved !== 'number') return moved;
  if (!toDevice) return succeed(rule, { cpages: moved, faults: 0 });

  // dmirror_do_read(): what has come back meanwhile is ENOENT.
  yield HERE;
  const data: number[] = [];
  const { region, first, count } = part.at;
  for (let page = first; page < first + count; page++) {
    const entry = file.pt[region]![page];
    if (!entry) return failWith('ENOENT', 'dmirror_do_read');
    data.push(entry.frame.word);
  }
  return succeed(rule, { cpages: count, faults: 0, data });
}

function* pieces(
  state: State,
  role: Role,
  file: DeviceFile,
  { op, at }: PartDeviceStep,
  rule: string,
): Generator<Pause | undefined, number | Expected, number> {
  const end = at.first + at.count;
  let moved = 0;
  for (let page = at.first; page < end; ) {
    const vma = findVma(file.mm, at.region, page);
    if (!vma?.read) return failWith('EINVAL', `${rule} (vma_lookup)`);
    const next = Math.min(end, page + state.profile.migratePieces, vma.end);
    const select: Selection =
      op === 'migrate-to-dev' ? { kind: 'system' } : { kind: 'device', minor: file.minor };
    const range = { vma, first: page, end: next };
    const piece = { ...range, refused: yield* contend(role, range, select) };
    if (op === 'migrate-to-dev') {
      yield* phases(toDevicePhases(state, file, piece));
    } else {
      const count = yield* phases(toSystemPhases(state, file, piece));
      if (count === null) return failWith('ENOMEM', 'dmirror_devmem_fault_alloc_and_copy');
      moved += count;
    }
    page = next;
  }
  return moved;
}

/**
 * A page that another actor has to do with may be locked when it is to be collected (migrate_vma_collect_pmd, trylock),
 * or referenced when it is to be moved (migrate_device_unmap, migrate_vma_check_page), and then stays.
 */
function* contend(
  { others }: Role,
  { vma, first, end }: VmaRange,
  select: Selection,
): Generator<Pause, Refused, number> {
  const found = new Map<number, 'locked' | 'busy'>();
  for (let page = first; page < end; page++) {
    const pte = entryAt(vma.mm, vma.region, page);
    if (!pte || pte.frame.kind === 'zero' || !isSelected(pte, select)) continue;
    if (!others.some((other) => contends(other, vma.region, page, select))) continue;
    const choice = yield { choices: 3 };
    if (choice > 0) found.set(page, choice === 1 ? 'locked' : 'busy');
  }
  return found;
}

function contends(other: Part, region: RegionId, page: number, select: Selection): boolean {
  if (!('at' in other) || other.at.region !== region) return false;
  if (page < other.at.first || page >= other.at.first + other.at.count) return false;
  if (other.op === 'mprotect') return false;
  // What faults on a device page has the page's lock before it has a reference, and brings it back itself.
  return select.kind === 'system' || other.op === 'migrate-to-sys';
}

/** dmirror_read() */
function* deviceRead(stage: Stage, part: PartDeviceStep, written: boolean): Play<Expected> {
  const { state } = stage;
  yield HERE;
  const file = processOf(state, part.by).devices[part.device]?.file;
  if (!file) return failWith('EBADF', 'ioctl');
  const { region, first, count } = part.at;
  const data: number[] = [];
  let faults = 0;
  for (;;) {
    while (data.length < count) {
      const entry = file.pt[region]![first + data.length];
      if (!entry) break;
      const { word } = entry.frame;
      if (written) yield HERE;
      data.push(readMeanwhile(word, entry.frame.word));
    }
    if (data.length === count) return succeed('dmirror_read', { cpages: count, faults, data });
    const start = first + data.length;
    const settled = () => {
      for (let page = start; page < first + count; page++)
        if (entryAt(file.mm, region, page)?.kind === 'migration') return false;
      return true;
    };
    // hmm_vma_handle_pte(): -EBUSY while a page is migrated.
    yield { until: settled };
    const error = fault(state, file, region, start, first + count, false);
    if (error) return error;
    faults++;
    yield HERE;
  }
}

/** filp_close(); the last reference gone, dmirror_fops_release(), which holds no lock of any mm. */
function* close({ state }: Stage, { by, device }: Extract<Part, { op: 'close' }>): Play<Expected> {
  yield HERE;
  const process = processOf(state, by);
  const file = process.devices[device]?.file;
  if (!file) return failWith('EBADF', 'close');
  process.devices[device] = null;
  file.references--;
  if (file.references === 0) {
    yield HERE;
    unregister(file);
    yield* pausing(phases(evictPhases(state, file.minor)));
  }
  return succeed('dmirror_fops_release');
}
