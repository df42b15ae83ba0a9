import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elfNeeds, libraryEntries } from '../../qemu/elf.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hmmdiff-elf-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Where Debian packages of an architecture keep their libraries. */
function libraries(): string {
  return join(folder, 'usr/lib/some-triplet');
}

/** Compiles `code`, linked with the libraries of these sonames. */
async function link(output: string, code: string, options: string[], sonames: string[]): Promise<void> {
  const shared = ['-nostdlib', `-L${libraries()}`, '-Wl,--no-as-needed,--allow-shlib-undefined'];
  const names = sonames.map((soname) => `-l:${soname}`);
  await execa('gcc', [...shared, ...options, '-o', output, '-x', 'c', '-', ...names], { input: code });
}

/** A library `soname` that needs others, in the layout of unpacked Debian packages. */
async function library(soname: string, needs: string[]): Promise<void> {
  await mkdir(libraries(), { recursive: true });
  const output = join(libraries(), `${soname}.1.2`);
  await link(output, `int x_${needs.length};`, ['-shared', `-Wl,-soname,${soname}`], needs);
  await symlink(`${soname}.1.2`, join(libraries(), soname));
}

async function program(needs: string[]): Promise<string> {
  const output = join(folder, 'program');
  await link(
    output,
    'void start(void) {}',
    ['-pie', `-Wl,-e,start,-I,/lib64/loader.so.2,-rpath-link,${libraries()}`],
    needs,
  );
  return output;
}

describe('libraryEntries', () => {
  it('finds what the programs need, and what that needs', async () => {
    await library('libdeep.so.3', []);
    await library('libdirect.so.1', ['libdeep.so.3']);
    const file = await program(['libdirect.so.1']);
    await copyFile(join(folder, 'usr/lib/some-triplet/libdeep.so.3'), join(folder, 'usr/lib/loader.so.2'));
    const entries = await libraryEntries([file], folder, 'some-triplet');
    expect(entries).toEqual([
      {
        type: 'file',
        path: '/lib64/loader.so.2',
        source: join(folder, 'usr/lib/loader.so.2'),
        mode: 0o755,
      },
      {
        type: 'file',
        path: '/lib/libdirect.so.1',
        source: join(folder, 'usr/lib/some-triplet/libdirect.so.1.1.2'),
        mode: 0o755,
      },
      {
        type: 'file',
        path: '/lib/libdeep.so.3',
        source: join(folder, 'usr/lib/some-triplet/libdeep.so.3.1.2'),
        mode: 0o755,
      },
    ]);
  });

  it('says which library of which program is missing', async () => {
    await library('libgone.so.1', []);
    const file = await program(['libgone.so.1']);
    await rm(join(folder, 'usr/lib'), { recursive: true });
    await expect(libraryEntries([file], folder, 'some-triplet')).rejects.toMatchObject({
      code: 'library-missing',
      message: expect.stringContaining(`${file} needs loader.so.2`),
    });
  });
});

describe('elfNeeds', () => {
  it('refuses what is no ELF file', async () => {
    await expect(elfNeeds('/etc/passwd')).rejects.toMatchObject({ code: 'elf-unreadable' });
  });
});
