/** Emitted C programs, built with a tree's own headers and run in one guest. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { RunEvents } from '../../../harness/events.ts';
import type { KernelBuild } from '../../../harness/kernels/build.ts';
import { buildGuestPrograms } from '../../../harness/kernels/guest-programs.ts';
import { cachePaths } from '../../../harness/paths.ts';
import { baseImage } from '../../../harness/session/image.ts';
import { Session } from '../../../harness/session/session.ts';
import { Calibration } from '../../../qemu/calibration.ts';
import { type InitramfsEntry, newcArchive } from '../../../qemu/initramfs.ts';

const context = { cache: cachePaths(), events: new RunEvents() };

export interface EmittedProgram {
  name: string;
  text: string;
  /** The exit status that it must have, and what it must print. */
  status: 0 | 1;
  prints?: RegExp;
}

export interface EmittedRun {
  /** By name: the exit status and what was printed. */
  results: Map<string, { status: number; text: string }>;
  /** Titles of what the kernel reported meanwhile. */
  splats: string[];
}

/** A guest has its programs in memory: some 800 KiB each. */
const PROGRAMS_PER_GUEST = 150;

/** Builds and runs programs, each on a test_hmm that was loaded for it. Files and consoles go into `folder`. */
export async function runEmitted(
  kernel: KernelBuild,
  programs: readonly EmittedProgram[],
  folder: string,
): Promise<EmittedRun> {
  const entries = await compileAll(kernel, programs, folder);
  const run: EmittedRun = { results: new Map(), splats: [] };
  for (let first = 0; first < programs.length; first += PROGRAMS_PER_GUEST) {
    const range = [first, first + PROGRAMS_PER_GUEST] as const;
    await runInGuest(run, kernel, programs.slice(...range), entries.slice(...range), folder);
  }
  return run;
}

async function runInGuest(
  { results, splats }: EmittedRun,
  kernel: KernelBuild,
  programs: readonly EmittedProgram[],
  entries: readonly InitramfsEntry[],
  folder: string,
): Promise<void> {
  const base = await baseImage(kernel, await buildGuestPrograms(kernel, context), context);
  const image = join(folder, `${kernel.arch}.cpio`);
  const archive = await newcArchive([{ type: 'directory', path: '/repro' }, ...entries]);
  await writeFile(image, Buffer.concat([await readFile(base), archive]));
  const guestFolder = join(folder, kernel.arch);
  await mkdir(guestFolder, { recursive: true });
  await using session = await Session.start({
    build: kernel,
    image,
    accelerator: 'tcg',
    folder: guestFolder,
    name: 'guest',
    calibration: new Calibration(),
  });
  const parameters = await session.moduleParameters();
  for (const { name } of programs) {
    // What a program adds as swap space stays when it ends.
    const load = `swapoff /dev/zram0; rmmod test_hmm; insmod /lib/modules/test_hmm.ko ${parameters}`;
    const { stdout } = await session.ssh.exec(`{ ${load}; /repro/${name}; echo "status $?"; } 2>&1`);
    const [, text, status] = /^(.*)status (\d+)\n$/s.exec(stdout) ?? [];
    results.set(name, { status: Number(status), text: text ?? stdout });
  }
  splats.push(...session.guest.splats.map(({ title }) => title));
  await session.stop();
}

/** As many at a time as there are processors. */
async function compileAll(
  kernel: KernelBuild,
  programs: readonly EmittedProgram[],
  folder: string,
): Promise<InitramfsEntry[]> {
  const entries: InitramfsEntry[] = [];
  const left = programs.entries();
  const worker = async () => {
    for (const [index, program] of left) entries[index] = await compile(kernel, program, folder);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return entries;
}

async function compile(
  kernel: KernelBuild,
  { name, text }: EmittedProgram,
  folder: string,
): Promise<InitramfsEntry> {
  const source = join(folder, `${name}.c`);
  const program = join(folder, `${name}.${kernel.arch}`);
  await writeFile(source, text);
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  const headers = `-I${join(kernel.tree.directory, 'lib')}`;
  await execa(`${kernel.toolchain.prefix}gcc`, [
    '-static',
    '-s',
    '-O2',
    ...warnings,
    headers,
    '-o',
    program,
    source,
  ]);
  return { type: 'file', path: `/repro/${name}`, source: program, mode: 0o755 };
}
