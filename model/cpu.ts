/** Steps that a process does with plain loads and stores, and with mmap(2) and munmap(2). */
import { handleFault } from './fault.ts';
import { isBusError } from './file-fault.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { entryAt, frameAt } from './page-table.ts';
import type { PageRange, Protection, RegionId } from './program.ts';
import type { Process, Pte, State, Vma } from './state.ts';
import { tokenNumber } from './token.ts';
import { USERFAULT_RULE } from './userfault.ts';
import { findVma, mapRegion, unmapRange } from './vma.ts';

/** mmap(2) of a region; EEXIST when any page of it is mapped (MAP_FIXED_NOREPLACE). */
export function mmap(state: State, process: Process, region: RegionId, protection: Protection): Expected {
  return mapRegion(state, process.mm, region, protection)
    ? succeed('do_mmap')
    : failWith('EEXIST', 'do_mmap (MAP_FIXED_NOREPLACE)');
}

/** munmap(2); no error where nothing is mapped, and EINVAL for a part of a page of hugetlb. */
export function munmap(state: State, process: Process, at: PageRange): Expected {
  return unmapRange(state, process.mm, at.region, at.first, at.first + at.count)
    ? succeed('do_vmi_munmap')
    : failWith('EINVAL', 'hugetlb_vm_op_split');
}

/** Loads from each page, lowest first, until one is refused. */
export function cpuRead(state: State, process: Process, at: PageRange): Expected {
  const data: number[] = [];
  for (let page = at.first; page < at.first + at.count; page++) {
    const entry = access(state, process, at.region, page, false);
    if (typeof entry === 'string') return refused(entry, page);
    data.push(frameAt(entry, page).word);
  }
  return succeed('handle_mm_fault', { data });
}

/** Fills each page with its token, lowest first, until one is refused. */
export function cpuWrite(state: State, process: Process, at: PageRange, step: number): Expected {
  for (let page = at.first; page < at.first + at.count; page++) {
    const entry = access(state, process, at.region, page, true);
    if (typeof entry === 'string') return refused(entry, page);
    // What the MMU does by itself: no soft-dirty bit.
    entry.dirty = true;
    frameAt(entry, page).word = tokenNumber(step, at.region, page);
  }
  return succeed('handle_mm_fault');
}

const REFUSALS = {
  mapping: { signal: 'SIGSEGV', rule: 'access_error (arch/*/mm/fault.c)' },
  file: { signal: 'SIGBUS', rule: 'do_fault (VM_FAULT_SIGBUS)' },
  userfault: { signal: 'SIGBUS', rule: USERFAULT_RULE },
} as const;
type Refusal = keyof typeof REFUSALS;

/** Faults until the access goes through, or it is refused: by the mapping, by the file, or by a userfaultfd (arch/.../mm/fault.c). */
function access(
  state: State,
  process: Process,
  region: RegionId,
  page: number,
  write: boolean,
): Pte | Refusal {
  const vma = findVma(process.mm, region, page);
  if (!vma || !(write ? vma.write : vma.read)) {
    traceFault(state, vma, region, page, entryAt(process.mm, region, page), write);
    return 'mapping';
  }
  for (;;) {
    const entry = entryAt(process.mm, region, page);
    if (entry?.kind === 'present' && (entry.write || !write)) {
      entry.young = true;
      return entry;
    }
    traceFault(state, vma, region, page, entry, write);
    if (isBusError(state, vma, page, write)) return 'file';
    // After VM_FAULT_OOM the access is made once more (pagefault_out_of_memory), as it is anyway.
    if (handleFault(state, vma, page, write) === 'sigbus') return 'userfault';
  }
}

/** exc_page_fault(): one exception for each time that the access is tried. PROT_NONE entries are not there for a CPU. */
function traceFault(
  state: State,
  vma: Vma | undefined,
  region: RegionId,
  page: number,
  pte: Pte | null,
  write: boolean,
): void {
  if (!state.profile.tracesFaults) return;
  const present = pte?.kind === 'present' && vma?.read === true;
  state.events.push({ name: 'page_fault_user', region, page, present, write, rule: 'exc_page_fault' });
}

function refused(refusal: Refusal, page: number): Expected {
  const { signal, rule } = REFUSALS[refusal];
  return { outcome: { kind: 'signal', signal, page }, rule };
}
