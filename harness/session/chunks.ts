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

/**
 * Reads test_hmm's own report of its chunks (lib/test_hmm.c, dmirror_allocate_chunk) from console lines, as they come: a run
 * asks after every program, and the kernel makes chunks in many of them.
 *
 * The line does not name the device. Loading the module makes one chunk for each device in the order of minors
 * (hmm_dmirror_init, dmirror_device_init), so each "total 1 chunks" is of the lowest minor that has none; a later chunk belongs to
 * the device whose count it continues, and is refused when two could be meant.
 */
export class ChunkReader {
  /** What the lines so far say; a later line leaves it as it is. */
  memory: DeviceMemory = { chunks: [], everything: [], design: undefined };
  readonly #counts = new Map<DeviceMinor, number>();

  read(line: string): void {
    const renewed = RENEWED.exec(line);
    if (RELOADED.test(line)) this.#counts.clear();
    if (renewed) this.#counts.delete(Number(renewed[1]) as DeviceMinor);
    const match = ADDED.exec(line);
    if (!match) return;
    const isOffset = match[2] !== undefined;
    const range = { first: BigInt(`0x${match[3]}`), end: BigInt(`0x${match[4]}`) };
    this.#add(Number(match[1]), range, isOffset);
  }

  #add(total: number, range: Pick<Chunk, 'first' | 'end'>, isOffset: boolean): void {
    const counts = this.#counts;
    // Coherent devices have PFNs in both designs: the first chunk, of minor 0, tells.
    const design = this.memory.design ?? (isOffset ? 'offset' : 'pfn');
    const lowest = { minor: design === 'offset' && !isOffset ? FIRST_COHERENT : 0, ...range };
    const everything = [...this.memory.everything, lowest];
    this.memory = { ...this.memory, everything, design };
    const candidates = [...counts].filter(([, count]) => count === total - 1).map(([minor]) => minor);
    const minor = total === 1 ? lowestWithout(counts) : candidates.length === 1 ? candidates[0]! : undefined;
    // Made anew after a RELEASE: where there are no coherent devices, it is not the first chunk of one.
    if (minor === undefined || (isOffset && minor >= FIRST_COHERENT)) return;
    counts.set(minor, total);
    const kept = this.memory.chunks.filter((chunk) => total > 1 || chunk.minor !== minor);
    this.memory = { ...this.memory, chunks: [...kept, { minor, ...range }] };
  }
}

/** What all of `lines` together say ({@link ChunkReader}). */
export function deviceMemory(lines: readonly string[]): DeviceMemory {
  const reader = new ChunkReader();
  for (const line of lines) reader.read(line);
  return reader.memory;
}

function lowestWithout(counts: ReadonlyMap<DeviceMinor, number>): DeviceMinor {
  let minor: DeviceMinor = 0;
  while (counts.has(minor)) minor += 1;
  return minor;
}
