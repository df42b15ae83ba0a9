/** HMM_DMIRROR_MIGRATE_TO_DEV and HMM_DMIRROR_MIGRATE_TO_SYS (lib/test_hmm.c). */
import { isHugetlb } from './hugetlb.ts';
import { copyOut } from './ioctl.ts';
import { migrateToDevice, migrateToSystem } from './migrate.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { Flaw, PageRange } from './program.ts';
import type { DeviceFile, State, VmaRange } from './state.ts';
import { findVma } from './vma.ts';

/**
 * dmirror_migrate_to_device(): piece by piece; those before a failing one stay migrated. At the end the pages are
 * read back through the device's own page table, and one that it lacks is ENOENT.
 */
export function toDevice(state: State, file: DeviceFile, at: PageRange, flaw?: Flaw): Expected {
  const rule = 'dmirror_migrate_to_device';
  const error = eachPiece(state, file, at, rule, (piece) => {
    migrateToDevice(state, file, piece);
    return null;
  });
  if (error) return error;

  const data: number[] = [];
  for (let page = at.first; page < at.first + at.count; page++) {
    const entry = file.pt[at.region]![page];
    if (!entry) return failWith('ENOENT', 'dmirror_do_read');
    data.push(entry.frame.word);
  }
  return copyOut(succeed(rule, { cpages: at.count, faults: 0, data }), flaw);
}

/** dmirror_migrate_to_system(): pages that are not on this device are skipped; cpages counts those that moved. */
export function toSystem(state: State, file: DeviceFile, at: PageRange): Expected {
  const rule = 'dmirror_migrate_to_system';
  let cpages = 0;
  const error = eachPiece(state, file, at, rule, (piece) => {
    const moved = migrateToSystem(state, file, piece);
    cpages += moved ?? 0;
    return moved === null ? failWith('ENOMEM', 'dmirror_devmem_fault_alloc_and_copy') : null;
  });
  return error ?? succeed(rule, { cpages, faults: 0 });
}

/** One migrate_vma() per vma and at most Profile.migratePieces pages. */
function eachPiece(
  state: State,
  file: DeviceFile,
  { region, first, count }: PageRange,
  rule: string,
  migrate: (piece: VmaRange) => Expected | null,
): Expected | null {
  if (!file.mm.alive) return failWith('EINVAL', `${rule} (mmget_not_zero)`);
  const end = first + count;
  for (let page = first; page < end; ) {
    const vma = findVma(file.mm, region, page);
    if (!vma?.read) return failWith('EINVAL', `${rule} (vma_lookup)`);
    if (isHugetlb(vma)) return failWith('EINVAL', 'migrate_vma_setup');
    const next = Math.min(end, page + state.profile.migratePieces, vma.end);
    const error = migrate({ vma, first: page, end: next });
    if (error) return error;
    page = next;
  }
  return null;
}
