import type { DeviceMinor } from '../../model/program.ts';
import type { Chunk, Environment } from './environment.ts';
import { SeenKind, type SeenRegion } from './seen-region.ts';

/** A chunk of device memory: pages `first` to `end` (exclusive). */
export interface PageSpan {
  minor: DeviceMinor;
  first: number;
  end: number;
}

/** Chunks in numbers that are quick to compare; those of coherent devices are of RAM's numbers. */
export interface PageSpans {
  device: readonly PageSpan[];
  coherent: readonly PageSpan[];
}

export function pageSpans({ chunks, coherentChunks }: Environment): PageSpans {
  const spans = (list: readonly Chunk[]) =>
    list.map(({ minor, first, end }) => ({ minor, first: Number(first), end: Number(end) }));
  return { device: spans(chunks), coherent: spans(coherentChunks) };
}

/** The device that a page is of; undefined where its chunk is not known. */
export function minorOf(chunks: readonly PageSpan[], frame: number): DeviceMinor | undefined {
  for (const { minor, first, end } of chunks) if (first <= frame && frame < end) return minor;
  return undefined;
}

/** The coherent device that the page behind a present entry is of. */
export function coherentMinorOf(
  { coherent }: PageSpans,
  region: SeenRegion,
  page: number,
): DeviceMinor | undefined {
  return region.kind[page] === SeenKind.present ? minorOf(coherent, region.frame[page]!) : undefined;
}

/** The device that a page is on, private or coherent, as far as it is known; undefined for a page in RAM. */
export function deviceOf(spans: PageSpans, region: SeenRegion, page: number): DeviceMinor | undefined {
  return region.isDevice(page)
    ? minorOf(spans.device, region.frame[page]!)
    : coherentMinorOf(spans, region, page);
}
