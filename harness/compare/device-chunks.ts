import type { DeviceMinor } from '../../model/program.ts';
import type { Environment } from './environment.ts';

/** A chunk of device memory: pages `first` to `end` (exclusive). */
export interface PageSpan {
  minor: DeviceMinor;
  first: number;
  end: number;
}

/** The chunks of an environment, in numbers that are quick to compare. */
export function pageSpans({ chunks }: Environment): PageSpan[] {
  return chunks.map(({ minor, first, end }) => ({ minor, first: Number(first), end: Number(end) }));
}

/** The device that a page is of; undefined where its chunk is not known. */
export function minorOf(chunks: readonly PageSpan[], frame: number): DeviceMinor | undefined {
  for (const { minor, first, end } of chunks) if (first <= frame && frame < end) return minor;
  return undefined;
}
