/**
 * Parts of a `together` step as plays: what each does, with a pause wherever another actor can come in between
 * (mmap_lock held for reading shuts out those that write to the mappings, and nobody else).
 */
import { evictPhases } from './migrate.ts';
import { fault } from './mirror.ts';
import { unregister } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import { entryAt } from './page-table.ts';
import { cpuRead, cpuWrite } from './part-access.ts';
import { migrate } from './part-migrate.ts';
import { HERE, isWrittenMeanwhile, type Play, pausing, phases, type Role, type Stage } from './play.ts';
import type { Part, PartDeviceStep } from './program.ts';
import { processOf } from './state.ts';
import { readMeanwhile } from './torn.ts';

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
