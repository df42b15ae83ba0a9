import { existsSync } from 'node:fs';
import { defaultKernels, findKernel, type KernelSpec, splitName } from './registry.ts';
import { applySeries, findSeries, type Series } from './series.ts';
import { fetchSource, type SourceContext, type SourceTree } from './source.ts';

/** A kernel under test whose tree is on the disk, patched. */
export interface ResolvedKernel {
  spec: KernelSpec;
  series: Series | undefined;
  tree: SourceTree;
}

/** The one kernel that a user names, or the first default. @throws as resolveKernels does */
export async function resolveKernel(
  kernel: string | undefined,
  series: string | undefined,
  context: SourceContext,
): Promise<ResolvedKernel> {
  const kernels =
    kernel !== undefined ? [kernel] : series === undefined ? [(await defaultKernels())[0]!] : [];
  return (await resolveKernels({ kernels, series }, context))[0]!;
}

/** What a user names: kernels (`NAME`, `NAME+SERIES` or a directory) and a series for all of them. */
export interface KernelNames {
  kernels: readonly string[];
  series?: string | undefined;
}

/**
 * From the names that a user gives to trees: registry, source, series. Without any name, what kernels.yaml has under
 * `default`; with a series alone, the kernel that it is written for.
 *
 * @throws HmmdiffError as findKernel, findSeries, fetchSource and applySeries do
 */
export async function resolveKernels(names: KernelNames, context: SourceContext): Promise<ResolvedKernel[]> {
  const common = names.series === undefined ? undefined : await findSeries(names.series);
  const wanted =
    names.kernels.length > 0
      ? names.kernels
      : common
        ? [common.kernel ?? splitName((await defaultKernels())[0]!).kernel]
        : await defaultKernels();
  // What is named wrongly is said before anything is fetched.
  const found = [];
  for (const name of wanted) {
    // A directory may have a plus in its name.
    const { kernel, series } = existsSync(name) ? { kernel: name } : splitName(name);
    found.push({
      spec: await findKernel(kernel),
      series: series === undefined ? common : await findSeries(series),
    });
  }
  const resolved: ResolvedKernel[] = [];
  for (const { spec, series } of found) {
    const base = await fetchSource(spec, context);
    resolved.push({ spec, series, tree: series ? await applySeries(base, series, context) : base });
  }
  return resolved;
}
