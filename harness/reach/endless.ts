import fc from 'fast-check';

const BATCH = 1000;

/** As many values as are asked for; the same for the same seed. */
export function endless<T>(arbitrary: fc.Arbitrary<T>, seed: number): () => T {
  let batch: T[] = [];
  let batches = 0;
  return () => {
    if (batch.length === 0) batch = fc.sample(arbitrary, { seed: seed * 1000 + batches++, numRuns: BATCH });
    return batch.pop()!;
  };
}
