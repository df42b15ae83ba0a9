import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { inputError } from '../errors.ts';
import { kernelConfigsDir } from '../paths.ts';
import { readYamlFile } from '../yaml-file.ts';

const debianSource = z.strictObject({
  debian: z.string().regex(/^[a-z0-9][a-z0-9.+-]+$/, 'a Debian package name, such as linux-source-7.3'),
  suite: z.string().regex(/^[a-z][a-z0-9-]*$/, 'a Debian suite, such as trixie-backports'),
  version: z.string().optional(),
});
const directorySource = z.strictObject({ directory: z.string().min(1) });
const gitSource = z.strictObject({
  git: z.string().min(1),
  revision: z.string().min(1),
});

const design = z.enum(['pfn', 'offset']);

const kernelEntry = z.strictObject({
  source: z.union([debianSource, directorySource, gitSource]),
  design: design.default('pfn'),
});

/** kernel-configs/kernels.yaml. */
export const kernelsSchema = z
  .strictObject({
    default: z.string(),
    kernels: z.record(z.string(), kernelEntry),
  })
  .refine((file) => file.default in file.kernels, {
    path: ['default'],
    message: 'names a kernel that is not listed under `kernels`',
  });

export type DebianSource = z.output<typeof debianSource>;
export type DirectorySource = z.output<typeof directorySource>;
export type GitSource = z.output<typeof gitSource>;
export type KernelSource = DebianSource | DirectorySource | GitSource;
export type Design = z.output<typeof design>;

/** A kernel under test, as the user names it. */
export interface KernelSpec {
  name: string;
  source: KernelSource;
  /** Design of the tree before any series; a series may change it (series.ts). */
  design: Design;
}

export const kernelsFile = join(kernelConfigsDir, 'kernels.yaml');

/**
 * Finds the kernel that `--kernel` names: an entry of kernels.yaml or a directory. Without a name, the default entry.
 *
 * @throws HmmdiffError `yaml` for a bad kernels.yaml, `kernel-unknown` for a name that is neither.
 */
export async function findKernel(name: string | undefined, file = kernelsFile): Promise<KernelSpec> {
  const registry = await readYamlFile(file, kernelsSchema);
  const wanted = name ?? registry.default;
  const entry = registry.kernels[wanted];
  if (entry) {
    const source =
      'directory' in entry.source
        ? { directory: resolve(dirname(file), entry.source.directory) }
        : 'git' in entry.source && !/^[a-z+]+:|^[^/]+@/.test(entry.source.git)
          ? { ...entry.source, git: resolve(dirname(file), entry.source.git) }
          : entry.source;
    return { name: wanted, source, design: entry.design };
  }
  const directory = resolve(wanted);
  if ((await stat(directory).catch(() => undefined))?.isDirectory()) {
    return { name: basename(directory), source: { directory }, design: 'pfn' };
  }
  throw inputError('kernel-unknown', `--kernel ${wanted}: neither a kernel of ${file} nor a directory`, {
    hint: `Known kernels: ${Object.keys(registry.kernels).join(', ')}. Or give the path of a kernel tree.`,
  });
}
