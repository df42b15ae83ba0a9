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
    /** What is tested when no kernel is named: names, each with `+SERIES` or without. */
    default: z.array(z.string()).min(1),
    kernels: z.record(z.string().regex(/^[^+]+$/, 'a name without "+"'), kernelEntry),
  })
  .check((context) => {
    context.value.default.forEach((name, index) => {
      if (splitName(name).kernel in context.value.kernels) return;
      context.issues.push({
        code: 'custom',
        input: name,
        path: ['default', index],
        message: 'names a kernel that is not listed under `kernels`',
      });
    });
  });

/** `NAME+SERIES` taken apart. */
export function splitName(name: string): { kernel: string; series?: string } {
  const plus = name.indexOf('+');
  return plus < 0 ? { kernel: name } : { kernel: name.slice(0, plus), series: name.slice(plus + 1) };
}

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

/** The names under `default` of kernels.yaml. @throws HmmdiffError `yaml` */
export async function defaultKernels(file = kernelsFile): Promise<string[]> {
  return (await readYamlFile(file, kernelsSchema)).default;
}

/**
 * Finds the kernel that `--kernel` names: an entry of kernels.yaml or a directory.
 *
 * @throws HmmdiffError `yaml` for a bad kernels.yaml, `kernel-unknown` for a name that is neither.
 */
export async function findKernel(name: string, file = kernelsFile): Promise<KernelSpec> {
  const registry = await readYamlFile(file, kernelsSchema);
  const entry = registry.kernels[name];
  if (entry) {
    const { source } = entry;
    const here = (path: string) => resolve(dirname(file), path);
    if ('directory' in source) return { ...entry, name, source: { directory: here(source.directory) } };
    const isUrl = 'git' in source && /^[a-z+]+:|^[^/]+@/.test(source.git);
    return {
      ...entry,
      name,
      source: 'git' in source && !isUrl ? { ...source, git: here(source.git) } : source,
    };
  }
  const directory = resolve(name);
  if ((await stat(directory).catch(() => undefined))?.isDirectory()) {
    return { name: basename(directory), source: { directory }, design: 'pfn' };
  }
  throw inputError('kernel-unknown', `--kernel ${name}: neither a kernel of ${file} nor a directory`, {
    hint: `Known kernels: ${Object.keys(registry.kernels).join(', ')}. Or give the path of a kernel tree.`,
  });
}
