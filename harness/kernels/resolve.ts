import { findKernel, type KernelSpec } from './registry.ts';
import { applySeries, findSeries, type Series } from './series.ts';
import { fetchSource, type SourceContext, type SourceTree } from './source.ts';

/** A kernel under test whose tree is on the disk, patched. */
export interface ResolvedKernel {
  spec: KernelSpec;
  series: Series | undefined;
  tree: SourceTree;
}

/** From the names that a user gives to a tree: registry, source, series. */
export async function resolveKernel(
  kernel: string | undefined,
  seriesName: string | undefined,
  context: SourceContext,
): Promise<ResolvedKernel> {
  const series = seriesName === undefined ? undefined : await findSeries(seriesName);
  const spec = await findKernel(kernel ?? series?.kernel);
  const base = await fetchSource(spec, context);
  return { spec, series, tree: series ? await applySeries(base, series, context) : base };
}
