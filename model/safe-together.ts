/**
 * Which parts of a `together` step would show races of test_hmm itself (lib/test_hmm.c), beside what any order of them
 * would do: no program goes there.
 */
import { overlap } from './play.ts';
import { isCoherent, type Part, type Together } from './program.ts';
import { processOf, type State } from './state.ts';

interface Pair {
  part: Part;
  /** Of another actor. */
  other: Part;
  state: State;
}

/**
 * - `read` and `write` in several rounds, whose order is not known: a device must not enter its own pages (model/safe.ts).
 * - `read`: what hmm_range_fault() found is entered though the device itself has migrated the page meanwhile: its own
 *   MMU_NOTIFY_MIGRATE does not change the notifier's sequence (dmirror_interval_invalidate).
 * - `write`: dmirror_do_write() writes to the backing page of a device page, which dmirror_devmem_fault_alloc_and_copy()
 *   copies and frees without the mutex.
 * - `close`: dmirror_fops_release() frees the file though pages that it could not lock may stay on the device, and a
 *   fault on one is still using it (dmirror_devmem_fault).
 * - `close` and `fork` in several rounds: the process of the round before, which ends as it is forked anew, may be the last
 *   that has the file open, so this is a close as well.
 * - With a swap device, nothing: the model knows swap entries, and the swap cache, from one actor only.
 * - `madvise`: a page that is zapped between dmirror_migrate_finalize_and_map() and migrate_vma_finalize() is freed, and
 *   stays in the device's page table.
 * - Coherent devices are left out: the model has no races on their pages.
 */
export function togetherHazard(state: State, step: Together): string | undefined {
  if (usesCoherent(state, step)) return 'races on pages of coherent devices are not modelled';
  if (state.swap) return 'what actors do to the same swap entries is not modelled';
  if (step.rounds > 1) {
    const parts = step.actors.flat();
    for (const part of parts) {
      if (part.op !== 'read' && part.op !== 'write') continue;
      const { device } = part;
      if (state.devices[device]?.live.size === 0 && !parts.some((other) => movesPagesOf(other, device)))
        continue;
      return `device ${device} would enter one of its own pages untranslated, or write to one that goes away`;
    }
    const late = lateClose(step);
    if (late !== undefined) return late;
  }
  for (const [actor, parts] of step.actors.entries()) {
    for (const part of parts) {
      for (const [number, others] of step.actors.entries()) {
        if (number === actor) continue;
        for (const other of others) {
          const reason = raceOf({ part, other, state });
          if (reason !== undefined) return reason;
        }
      }
    }
  }
  return undefined;
}

function usesCoherent({ devices }: State, { actors }: Together): boolean {
  return (
    devices.some(({ minor, live }) => isCoherent(minor) && live.size > 0) ||
    actors.flat().some((part) => 'device' in part && isCoherent(part.device))
  );
}

function lateClose({ actors }: Together): string | undefined {
  const closed = actors.flat().flatMap((part) => (part.op === 'close' ? [part.device] : []));
  if (closed.length === 0) return undefined;
  for (const parts of actors) {
    if (parts.every(({ op }) => op !== 'fork')) continue;
    for (const other of actors.filter((list) => list !== parts).flat()) {
      if (faults(other) || (other.op === 'migrate-to-sys' && closed.includes(other.device)))
        return `a fault would use the file of device ${closed[0]} while a process that ends closes it`;
    }
  }
  return undefined;
}

function raceOf(pair: Pair): string | undefined {
  const { part, other } = pair;
  if (part.op === 'read' || part.op === 'write') {
    if (movesPagesOf(other, part.device)) {
      return `device ${part.device} would enter pages that it migrates at the same time`;
    }
    if (part.op === 'write' && usesPages(other)) {
      return `device ${part.device} would write to a backing page that goes away at the same time`;
    }
  }
  if (
    part.op === 'close' &&
    (faults(other) || movesPagesOf(other, part.device)) &&
    mayHavePages(pair, part.device)
  ) {
    return `a fault would use the file of device ${part.device} while it is closed`;
  }
  if (
    part.op === 'madvise' &&
    other.op === 'migrate-to-dev' &&
    part.by === other.by &&
    overlap(part.at, other.at)
  ) {
    return `device ${other.device} would enter pages that are zapped at the same time`;
  }
  return undefined;
}

function movesPagesOf(part: Part, device: number): boolean {
  return (part.op === 'migrate-to-dev' || part.op === 'migrate-to-sys') && part.device === device;
}

function faults({ op }: Part): boolean {
  return op === 'cpu-read' || op === 'cpu-write' || op === 'read' || op === 'write';
}

/** What can bring pages back from a device, or give them up. */
function usesPages(part: Part): boolean {
  return 'at' in part;
}

function mayHavePages({ state, part, other }: Pair, device: number): boolean {
  return (
    state.devices[device]!.live.size > 0 ||
    movesPagesOf(other, device) ||
    movesPagesOf(part, device) ||
    processOf(state, part.by).devices[device] !== null
  );
}
