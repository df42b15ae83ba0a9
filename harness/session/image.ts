import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InitramfsEntry, newcArchive } from '../../qemu/initramfs.ts';
import { type SessionKeys, sessionKeyEntries } from '../../qemu/keys.ts';
import { userlandEntries } from '../../qemu/userland.ts';
import type { Arch } from '../kernels/arch.ts';
import type { KernelBuild } from '../kernels/build.ts';
import { DebianArchive } from '../kernels/debian.ts';
import type { GuestPrograms } from '../kernels/guest-programs.ts';
import type { SourceContext } from '../kernels/source.ts';

/** Suite of the guest's user space: the same on every host, so that only the kernel differs between runs. */
const USERLAND_SUITE = 'trixie';

/**
 * The initramfs of a kernel, without keys: user space, test_hmm.ko, the agent and hmm-tests. Kept by content, and
 * not compressed: an emulated processor unpacks slower than the host reads.
 *
 * @returns the file's path
 */
export async function baseImage(
  build: KernelBuild,
  programs: GuestPrograms,
  context: SourceContext,
): Promise<string> {
  const { cache, events } = context;
  return events.task(`image ${build.key}`, `Guest image for ${build.arch}`, async (report) => {
    const entries: InitramfsEntry[] = [
      ...(await fetchUserland(build.arch, context)),
      { type: 'file', path: '/lib/modules/test_hmm.ko', source: build.module },
      { type: 'file', path: '/bin/agent', source: programs.agent, mode: 0o755 },
      { type: 'file', path: '/bin/hmm-tests', source: programs.hmmTests, mode: 0o755 },
    ];
    const archive = await newcArchive(entries);
    const name = createHash('sha256').update(archive).digest('hex').slice(0, 16);
    const file = join(cache.userland, `image-${build.arch}-${name}.cpio`);
    report.detail = `${(archive.length / 2 ** 20).toFixed(1)} MiB`;
    if (existsSync(file)) {
      report.status = 'cached';
      return file;
    }
    await mkdir(cache.userland, { recursive: true });
    // Another run may be making the same one.
    const partial = `${file}.${process.pid}.partial`;
    await writeFile(partial, archive);
    await rename(partial, file);
    return file;
  });
}

/** What every guest holds, from Debian packages that are fetched once. */
export function fetchUserland(arch: Arch, { cache, signal }: SourceContext): Promise<InitramfsEntry[]> {
  return userlandEntries(arch, (debianArch, packages) =>
    new DebianArchive(cache, debianArch, USERLAND_SUITE, signal).unpack(
      packages,
      join(cache.userland, `${USERLAND_SUITE}-${debianArch}`),
    ),
  );
}

/** Writes the image of one guest to `file`: the base and, as a second archive, the keys of this run. */
export async function writeSessionImage(base: string, keys: SessionKeys, file: string): Promise<void> {
  const first = await readFile(base);
  // The kernel looks for the next archive at a multiple of 4 bytes (init/initramfs.c).
  const padding = Buffer.alloc(-first.length & 3);
  await writeFile(file, Buffer.concat([first, padding, await newcArchive(sessionKeyEntries(keys))]), {
    mode: 0o600,
  });
}
