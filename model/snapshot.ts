/** HMM_DMIRROR_SNAPSHOT (lib/test_hmm.c, dmirror_snapshot and dmirror_mkentry; mm/hmm.c). It never faults. */
import { copyOut } from './ioctl.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { hugeEntry, pmdEnd } from './page-table.ts';
import type { DeviceMinor, Flaw, PageRange, RegionId } from './program.ts';
import type { DeviceFile, Mm, Pte, Vma } from './state.ts';
import { findVma } from './vma.ts';

/** Bits of a byte that SNAPSHOT returns (lib/test_hmm_uapi.h). */
export const SnapshotBits = {
  none: 0x00,
  read: 0x01,
  write: 0x02,
  pmd: 0x04,
  pud: 0x08,
  zero: 0x10,
  devicePrivateLocal: 0x20,
  devicePrivateRemote: 0x30,
  deviceCoherentLocal: 0x40,
  deviceCoherentRemote: 0x50,
  error: 0xff,
} as const;

export function snapshot(file: DeviceFile, { region, first, count }: PageRange, flaw?: Flaw): Expected {
  if (!file.mm.alive) return failWith('EINVAL', 'dmirror_snapshot (mmget_not_zero)');
  const bytes = snapshotBytes(file.mm, file.minor, region, first, count);
  return copyOut(succeed('dmirror_snapshot', { cpages: count, faults: 0, bytes }), flaw);
}

/** What SNAPSHOT through a file of `minor` says of `count` pages of the mm that the file mirrors, from `first` on. */
export function snapshotBytes(
  mm: Mm,
  minor: DeviceMinor,
  region: RegionId,
  first: number,
  count: number,
): Uint8Array {
  const bytes = new Uint8Array(count);
  const ptes = mm.ptes[region]!;
  const end = first + count;
  let vma: Vma | undefined;
  for (let page = first; page < end; ) {
    if (!vma || page >= vma.end) vma = findVma(mm, region, page);
    const pmd = hugeEntry(mm, region, page);
    if (pmd) {
      const next = pmdEnd(page, end);
      bytes.fill(snapshotByte(vma, minor, pmd), page - first, next - first);
      page = next;
    } else {
      bytes[page - first] = snapshotByte(vma, minor, ptes[page]!);
      page++;
    }
  }
  return bytes;
}

function coherentBase(local: boolean): number {
  return local ? SnapshotBits.deviceCoherentLocal : SnapshotBits.deviceCoherentRemote;
}

/** One page, or all of a PMD that maps memory itself, which lies in one vma. */
function snapshotByte(vma: Vma | undefined, minor: DeviceMinor, pte: Pte | null): number {
  // hmm_vma_walk_hole() outside of vmas, hmm_vma_walk_test() where VM_READ is missing.
  if (!vma?.read) return SnapshotBits.error;
  if (pte === null || pte.kind === 'marker') return SnapshotBits.none;
  // hmm_vma_handle_pte(): a device-exclusive entry, a swap entry, and a device page of another owner, are as good as none;
  // hmm_vma_handle_absent_pmd(): the latter is an error.
  if (pte.kind === 'exclusive' || pte.kind === 'swap') return SnapshotBits.none;
  if (pte.kind === 'device' && pte.frame.minor !== minor) {
    return pte.huge ? SnapshotBits.error : SnapshotBits.none;
  }
  const access = (pte.write ? SnapshotBits.write : SnapshotBits.read) | (pte.huge ? SnapshotBits.pmd : 0);
  if (pte.kind === 'device') return SnapshotBits.devicePrivateLocal | access;
  if (pte.frame.kind === 'coherent') return coherentBase(pte.frame.minor === minor) | access;
  // is_zero_pfn() knows the small zero page only.
  return (pte.frame.kind === 'zero' && !pte.huge ? SnapshotBits.zero : SnapshotBits.none) | access;
}
