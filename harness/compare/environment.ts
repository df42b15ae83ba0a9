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
  /** Those of coherent minors, which have one each; their numbers are PFNs in both designs. */
  coherentChunks: readonly Chunk[];
}
