import { availableParallelism } from 'node:os';
import { RunEvents } from '../../../harness/events.ts';
import { buildKernel, type KernelBuild } from '../../../harness/kernels/build.ts';
import { resolveKernel } from '../../../harness/kernels/resolve.ts';
import { cachePaths } from '../../../harness/paths.ts';
import { fetchUserland } from '../../../harness/session/image.ts';
import { type InitramfsEntry, newcArchive } from '../../../qemu/initramfs.ts';
import type { Arch } from '../../../qemu/machine.ts';

const context = { cache: cachePaths(), events: new RunEvents() };

/** The default kernel, from the cache that `hmmdiff build` fills; built first where it is not there yet. */
export async function defaultKernel(arch: Arch): Promise<KernelBuild> {
  const { tree } = await resolveKernel(undefined, undefined, context);
  return buildKernel(tree, arch, { ...context, jobs: availableParallelism() });
}

/** The archive of the user space, with more entries behind it. */
export async function userlandArchive(arch: Arch, more: readonly InitramfsEntry[] = []): Promise<Buffer> {
  return newcArchive([...(await fetchUserland(arch, context)), ...more]);
}
