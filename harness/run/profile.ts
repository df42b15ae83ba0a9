import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Design, type KernelVersion, makeProfile, type Profile } from '../../model/profile.ts';
import { isCoherent, MINORS } from '../../model/program.ts';
import type { Environment } from '../compare/environment.ts';
import type { KernelBuild } from '../kernels/build.ts';
import { parseConfig } from '../kernels/fragment.ts';
import type { SourceTree } from '../kernels/source.ts';
import type { DeviceMemory } from '../session/chunks.ts';

/**
 * The rules that a tree's test_hmm follows. Seen from its interface rather than its version, since features are
 * ported back: HMM_DMIRROR_FLAGS came with device-private THP (7.3's rules), a tree without it follows 6.12's.
 */
export async function rulesOf(tree: SourceTree): Promise<KernelVersion> {
  const header = await readFile(join(tree.directory, 'lib/test_hmm_uapi.h'), 'utf8');
  return /\bHMM_DMIRROR_FLAGS\b/.test(header) ? '7.3' : '6.12';
}

/** The model's profile of a built kernel whose design is known. */
export async function profileOf(build: KernelBuild, kernel: KernelVersion, design: Design): Promise<Profile> {
  const config = parseConfig(await readFile(build.config, 'utf8'));
  return makeProfile({
    kernel,
    design,
    arch: build.arch,
    softDirty: config.get('CONFIG_MEM_SOFT_DIRTY') === 'y',
    hardwareAccessFlag: config.get('CONFIG_ARM64_HW_AFDBM') === 'y',
    memoryFailure: config.get('CONFIG_MEMORY_FAILURE') === 'y',
  });
}

/** What the numbers of a guest's transcripts are to be read with, now: the kernel may add chunks. */
export function environmentOf({ memory }: { memory: DeviceMemory }, profile: Profile): Environment {
  const { chunks } = memory;
  const all = chunks.filter(({ minor }) => MINORS.includes(minor));
  return {
    profile,
    chunks: all.filter(({ minor }) => !isCoherent(minor)),
    coherentChunks: all.filter(({ minor }) => isCoherent(minor)),
  };
}
