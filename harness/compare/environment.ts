import type { Profile } from '../../model/profile.ts';
import type { DeviceMinor } from '../../model/program.ts';

/** A chunk of device memory as dmesg names it ("added new 256 MB chunk"): page numbers `first` to `end` (exclusive). */
export interface Chunk {
  minor: DeviceMinor;
  first: bigint;
  end: bigint;
}

/** What the numbers of a transcript are to be read with. */
export interface Environment {
  /** Kernel, design, architecture and configuration. */
  profile: Profile;
  /** All chunks of private minors, those of one minor in the order in which they were made. */
  chunks: readonly Chunk[];
}

/**
 * Chunks from kernel messages: the lines that test_hmm prints, in their order. Loading the module makes one chunk per
 * private minor, 0 first; none of the messages names its minor, so later chunks cannot be told apart.
 *
 * @throws RangeError when there are more chunks than minors
 */
export function chunksFromMessages(messages: string, minors: readonly DeviceMinor[] = [0, 1]): Chunk[] {
  const pattern = /added new \d+ MB chunk .*PFNs \[0x([0-9a-f]+) 0x([0-9a-f]+)\)/g;
  const chunks: Chunk[] = [];
  for (const match of messages.matchAll(pattern)) {
    const minor = minors[chunks.length];
    if (minor === undefined)
      throw new RangeError(`more than ${minors.length} chunks: whose they are is unknown`);
    chunks.push({ minor, first: BigInt(`0x${match[1]}`), end: BigInt(`0x${match[2]}`) });
  }
  return chunks;
}
