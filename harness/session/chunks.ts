import type { DeviceMinor } from '../../model/program.ts';
import type { Chunk } from '../compare/environment.ts';

export interface DeviceMemory {
  /** Chunks whose device is known. */
  chunks: Chunk[];
  /** Every chunk that was ever reported; one whose device could be any of several has the lowest of its kind. */
  everything: Chunk[];
  /** Where device-private pages sit, as the kernel itself says; undefined before the first chunk. */
  design: 'pfn' | 'offset' | undefined;
}

const FIRST_COHERENT: DeviceMinor = 2;

const ADDED =
  /added new \d+ MB chunk \(total (\d+) chunks?, \d+ MB\) (device )?PFNs \[0x([0-9a-f]+) 0x([0-9a-f]+)\)/;

/** The agent has taken the memory of a private device, and has it make it anew before it uses the device (renew.c). */
const RENEWED = /hmmdiff: device (\d) without memory/;

/** The agent has unloaded the module, and is about to load it anew (reload.c). */
const RELOADED = /hmmdiff: test_hmm without devices/;

/** Whether {@link deviceMemory} has a use for a console line. */
export function isChunkMessage(line: string): boolean {
  return ADDED.test(line) || RENEWED.test(line) || RELOADED.test(line);
}

/**
 * Reads test_hmm's own report of its chunks (lib/test_hmm.c, dmirror_allocate_chunk) from console lines.
 *
 * The line does not name the device. Loading the module makes one chunk for each device in the order of minors
 * (hmm_dmirror_init, dmirror_device_init), so each "total 1 chunks" is of the lowest minor that has none; a later chunk belongs to
 * the device whose count it continues, and is refused when two could be meant.
 */
export function deviceMemory(lines: readonly string[]): DeviceMemory {
  let chunks: Chunk[] = [];
  const everything: Chunk[] = [];
  const counts = new Map<DeviceMinor, number>();
  let design: DeviceMemory['design'];
  for (const line of lines) {
    const renewed = RENEWED.exec(line);
    if (RELOADED.test(line)) counts.clear();
    if (renewed) counts.delete(Number(renewed[1]) as DeviceMinor);
    const match = ADDED.exec(line);
    if (!match) continue;
    const total = Number(match[1]);
    const isOffset = match[2] !== undefined;
    const range = { first: BigInt(`0x${match[3]}`), end: BigInt(`0x${match[4]}`) };
    // Coherent devices have PFNs in both designs: the first chunk, of minor 0, tells.
    design ??= isOffset ? 'offset' : 'pfn';
    everything.push({ minor: design === 'offset' && !isOffset ? FIRST_COHERENT : 0, ...range });
    const candidates = [...counts].filter(([, count]) => count === total - 1).map(([minor]) => minor);
    const minor = total === 1 ? lowestWithout(counts) : candidates.length === 1 ? candidates[0]! : undefined;
    // Made anew after a RELEASE: where there are no coherent devices, it is not the first chunk of one.
    if (minor === undefined || (isOffset && minor >= FIRST_COHERENT)) continue;
    counts.set(minor, total);
    if (total === 1) chunks = chunks.filter((chunk) => chunk.minor !== minor);
    chunks.push({ minor, ...range });
  }
  return { chunks, everything, design };
}

function lowestWithout(counts: ReadonlyMap<DeviceMinor, number>): DeviceMinor {
  let minor: DeviceMinor = 0;
  while (counts.has(minor)) minor += 1;
  return minor;
}
