import { access, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { inputError } from '../harness/errors.ts';
import type { InitramfsEntry } from './initramfs.ts';

/** What an ELF file asks of the dynamic loader. */
export interface ElfNeeds {
  /** Path of the loader as compiled in; `undefined` in a static program or a library. */
  interpreter: string | undefined;
  /** Sonames of the libraries it is linked with. */
  libraries: string[];
}

/**
 * Reads an ELF file of any architecture.
 *
 * @throws HmmdiffError `elf-unreadable` if it is no ELF file, or readelf is not installed
 */
export async function elfNeeds(file: string): Promise<ElfNeeds> {
  const { stdout, failed, stderr } = await execa('readelf', ['-W', '-l', '-d', file], {
    reject: false,
    env: { LC_ALL: 'C' },
  });
  if (failed || /^readelf: Error/m.test(stderr)) {
    throw inputError('elf-unreadable', `cannot read ${file} as an ELF file: ${stderr || 'no readelf'}`);
  }
  return {
    interpreter: /Requesting program interpreter: ([^\]]+)\]/.exec(stdout)?.[1],
    libraries: [...stdout.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)].map((match) => match[1]!),
  };
}

/**
 * Entries for every library that the programs need, and what those need in turn, and the loader. Libraries go to
 * `/lib`, where the loader looks by itself; the loader goes where the programs ask for it.
 *
 * @param root a directory into which Debian packages of the guest's architecture were unpacked
 * @param triplet its multiarch directory name, such as `aarch64-linux-gnu`
 * @throws HmmdiffError `library-missing` if no package in `root` has one
 */
export async function libraryEntries(
  programs: readonly string[],
  root: string,
  triplet: string,
): Promise<InitramfsEntry[]> {
  const folders = ['usr/lib', 'lib'].flatMap((lib) => [join(root, lib, triplet), join(root, lib)]);
  const entries = new Map<string, InitramfsEntry>();
  const seen = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    if (seen.has(file)) return;
    seen.add(file);
    const { interpreter, libraries } = await elfNeeds(file);
    if (interpreter !== undefined) {
      const source = await locate(basename(interpreter), folders, file);
      entries.set(interpreter, { type: 'file', path: interpreter, source, mode: 0o755 });
    }
    for (const soname of libraries) {
      const source = await locate(soname, folders, file);
      // The loader names itself as a needed library too; it is mapped already when that is looked up.
      if (!soname.startsWith('ld-linux')) {
        entries.set(`/lib/${soname}`, { type: 'file', path: `/lib/${soname}`, source, mode: 0o755 });
      }
      await visit(source);
    }
  };
  for (const program of programs) await visit(program);
  return [...entries.values()];
}

async function locate(soname: string, folders: readonly string[], wanted: string): Promise<string> {
  for (const folder of folders) {
    const path = join(folder, soname);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return realpath(path);
  }
  throw inputError('library-missing', `${wanted} needs ${soname}, which is in none of ${folders.join(', ')}`);
}
