/** HMM_DMIRROR_MIGRATE_TO_DEV and HMM_DMIRROR_MIGRATE_TO_SYS that others come in between. */
import { toDevicePhases, toSystemPhases } from './migrate.ts';
import { isSelected, type Refused, type Selection } from './migrate-collect.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { entryAt } from './page-table.ts';
import { HERE, type Pause, type Play, phases, type Role, reading, type Stage } from './play.ts';
import type { Part, PartDeviceStep, RegionId } from './program.ts';
import { type DeviceFile, processOf, type State, type VmaRange } from './state.ts';
import { findVma } from './vma.ts';

/** dmirror_migrate_to_device() and dmirror_migrate_to_system(): mmap_lock is held over all pieces. */
export function* migrate(stage: Stage, role: Role, part: PartDeviceStep): Play<Expected> {
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
