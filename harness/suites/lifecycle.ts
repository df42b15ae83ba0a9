import type { Design } from '../../model/profile.ts';
import { compareSystem } from '../compare/system.ts';
import { loadTestHmm } from '../session/load-module.ts';
import type { Session } from '../session/session.ts';

export interface LifecycleOptions {
  design: Design;
  /** How often the module is loaded and unloaded, and how often a device's memory is taken by RELEASE. */
  times: number;
  signal?: AbortSignal | undefined;
  progress?: (done: number) => void;
}

export interface LifecycleRun {
  loads: number;
  /** Rounds of the agent in which memory was taken by RELEASE, and by the last close. */
  releases: number;
  closes: number;
  /** What did not come back, in a line each. */
  failures: string[];
  /** Free memory after the first unload less that after the last, in KiB. */
  lostKiB: number;
}

/**
 * How much may be missing after it all, in KiB: slabs of a guest that did all that grow by some hundred. One chunk's page
 * structs are 4 MiB, and ten pages lost with each load come to 4 MiB as well.
 */
const MEMORY_TOLERANCE_KIB = 2048;

/** Free pages in KiB, those on the lists of each CPU included: MemFree alone goes up and down by 20 MiB with them. */
const FREE_KIB = `echo 3 > /proc/sys/vm/drop_caches; awk '/pages free/ {s += $3} /^ +count:/ {s += $2} END {print s * 4}' /proc/zoneinfo`;

/**
 * Takes device memory away under live pages, again and again: RELEASE, last close, and unloading the module. Address
 * space (where the next chunk lies), memory, and references (unloading would wait for them) have to come back.
 */
export async function runLifecycle(session: Session, options: LifecycleOptions): Promise<LifecycleRun> {
  const { design, times, signal, progress } = options;
  const failures: string[] = [];
  const sh = async (command: string) => {
    const { stdout, stderr, code } = await session.ssh.exec(command, signal ? { signal } : {});
    return { text: `${stdout}${stderr}`.trim(), code };
  };
  const parameters = await session.moduleParameters();
  const freeKiB = async () => Number((await sh(FREE_KIB)).text);
  const must = async (what: string, command: string) => {
    const { text, code } = await sh(command);
    if (code !== 0) failures.push(`${what}: ${text || `status ${code}`}`);
    return code === 0;
  };

  const first = session.memory.chunks.filter(({ minor }) => minor < 2);
  let before = 0;
  let loads = 0;
  await must('RELEASE and close under live pages', `agent lifecycle ${2 * times}`);
  while (loads < times && failures.length === 0) {
    signal?.throwIfAborted();
    if (!(await must(`unload ${loads + 1}`, 'rmmod test_hmm'))) break;
    if (loads === 1) before = await freeKiB();
    const { failure, memory } = await loadTestHmm(session, `load ${loads + 1}`, parameters, signal);
    if (failure !== undefined) {
      failures.push(`load ${loads + 1}: ${failure}`);
      break;
    }
    loads += 1;
    const chunks = memory.chunks.filter(({ minor }) => minor < 2);
    if (describe(chunks) !== describe(first)) {
      failures.push(`load ${loads}: chunks at ${describe(chunks)}, at first ${describe(first)}`);
    }
    await must(`load ${loads}: close under live pages`, 'agent lifecycle 2');
    progress?.(loads);
  }
  let lostKiB = 0;
  if (failures.length === 0 && (await must('last unload', 'rmmod test_hmm'))) {
    lostKiB = before - (await freeKiB());
    if (lostKiB > MEMORY_TOLERANCE_KIB) failures.push(`${lostKiB} KiB of memory did not come back`);
    for (const { field, expected, seen } of compareSystem(
      await session.system(),
      design,
      [],
      session.memory.everything,
    ).divergences) {
      failures.push(`after the last unload, ${field}: expected ${expected}, seen ${seen}`);
    }
  }
  return { loads, releases: times + loads, closes: times + loads, failures, lostKiB };
}

function describe(chunks: readonly { first: bigint; end: bigint }[]): string {
  return chunks.map(({ first, end }) => `[0x${first.toString(16)} 0x${end.toString(16)})`).join(' ');
}
