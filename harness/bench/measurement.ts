/** What is claimed of hmmdiff's speed, as a ratio of two things that were done side by side. */
export interface Measurement {
  name: string;
  arch: string;
  /** Median of the pairs' ratios. */
  ratio: number;
  /** What the ratio should be at most; none where it is told for comparison alone. */
  limit?: number;
  /** Medians in milliseconds, for orientation: they depend on the host. */
  measuredMs: number;
  againstMs: number;
  pairs: number;
}

export interface Pair {
  measured: number;
  against: number;
}

export function summarize(
  name: string,
  arch: string,
  limit: number | undefined,
  pairs: readonly Pair[],
): Measurement {
  return {
    name,
    arch,
    ratio: median(pairs.map(({ measured, against }) => measured / against)),
    ...(limit === undefined ? {} : { limit }),
    measuredMs: Math.round(median(pairs.map(({ measured }) => measured))),
    againstMs: Math.round(median(pairs.map(({ against }) => against))),
    pairs: pairs.length,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
