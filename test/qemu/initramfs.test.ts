import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type InitramfsEntry, newcArchive } from '../../qemu/initramfs.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hmmdiff-initramfs-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** What cpio, which did not write the archive, reads in it. */
async function listed(archive: Buffer): Promise<string[]> {
  const { stdout } = await execa('cpio', ['-tv', '--numeric-uid-gid', '--quiet'], { input: archive });
  return stdout.split('\n').map((line) => line.replace(/\s+/g, ' ').replace(/[A-Z][a-z]{2} +1 +1970 /, ''));
}

describe('newcArchive', () => {
  it('is read back by cpio', async () => {
    const source = join(folder, 'source');
    await writeFile(source, 'from a file');
    const archive = await newcArchive([
      { type: 'file', path: '/etc/passwd', content: 'root\n' },
      { type: 'file', path: '/bin/tool', source, mode: 0o755 },
      { type: 'symlink', path: '/bin/link', target: 'tool' },
      { type: 'directory', path: '/tmp', mode: 0o1777 },
      { type: 'device', path: '/dev/console', kind: 'c', major: 5, minor: 1 },
    ]);
    expect(await listed(archive)).toEqual([
      'drwxrwxrwt 2 0 0 0 tmp',
      'drwxr-xr-x 2 0 0 0 etc',
      '-rw-r--r-- 1 0 0 5 etc/passwd',
      'drwxr-xr-x 2 0 0 0 bin',
      '-rwxr-xr-x 1 0 0 11 bin/tool',
      'lrwxrwxrwx 1 0 0 4 bin/link -> tool',
      'drwxr-xr-x 2 0 0 0 dev',
      'crw------- 1 0 0 5, 1 dev/console',
    ]);
  });

  it('unpacks to the same bytes and modes', async () => {
    const content = Buffer.from(Array.from({ length: 1021 }, (_, index) => index % 256));
    const archive = await newcArchive([{ type: 'file', path: '/a/b', content, mode: 0o640 }]);
    await execa('cpio', ['-i', '--quiet', '--make-directories'], { input: archive, cwd: folder });
    expect(await readFile(join(folder, 'a/b'))).toEqual(content);
    expect((await stat(join(folder, 'a/b'))).mode & 0o777).toBe(0o640);
  });

  it('gives equal bytes for equal entries', async () => {
    const entries: InitramfsEntry[] = [{ type: 'file', path: '/a', content: 'x' }];
    const archive = await newcArchive(entries);
    expect(await newcArchive(entries)).toEqual(archive);
  });

  it('keeps the mode of a directory that an entry within it implies', async () => {
    const archive = await newcArchive([
      { type: 'file', path: '/root/.ssh/authorized_keys', content: '' },
      { type: 'directory', path: '/root/.ssh', mode: 0o700 },
    ]);
    expect(await listed(archive)).toContain('drwx------ 2 0 0 0 root/.ssh');
  });

  it('refuses a path that is there twice, or not absolute', async () => {
    const file: InitramfsEntry = { type: 'file', path: '/a', content: '' };
    await expect(newcArchive([file, file])).rejects.toThrow('initramfs path "/a" is there twice');
    await expect(newcArchive([{ ...file, path: 'a' }])).rejects.toThrow('"a" is not absolute');
    await expect(newcArchive([{ ...file, path: '/a/../b' }])).rejects.toThrow('is not absolute and normal');
  });
});
