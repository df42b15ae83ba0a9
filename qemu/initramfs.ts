import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { inputError } from '../harness/errors.ts';

/** One entry of an archive. Paths are absolute in the guest; modes are permission bits, such as 0o755. */
export type InitramfsEntry =
  | { type: 'file'; path: string; source: string; mode?: number }
  | { type: 'file'; path: string; content: string | Uint8Array; mode?: number }
  | { type: 'directory'; path: string; mode?: number }
  | { type: 'symlink'; path: string; target: string }
  | { type: 'device'; path: string; kind: 'c' | 'b'; major: number; minor: number; mode?: number };

const FILE_TYPE = { file: 0o100000, directory: 0o040000, symlink: 0o120000, c: 0o020000, b: 0o060000 };

/**
 * A cpio archive in the "newc" form of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. All
 * entries belong to root and carry no time, so equal entries give equal bytes. Missing parent directories are added.
 * Archives may be concatenated; the kernel unpacks one after the other.
 *
 * @throws HmmdiffError `initramfs-entry` for a path that is not absolute, or one that is there twice
 */
export async function newcArchive(entries: readonly InitramfsEntry[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let inode = 1;
  for (const entry of withParents(entries)) {
    const body = await contentOf(entry);
    chunks.push(record(entry.path.slice(1), inode++, modeOf(entry), body, deviceOf(entry)));
  }
  chunks.push(record('TRAILER!!!', 0, 0, Buffer.alloc(0)));
  return Buffer.concat(chunks);
}

function withParents(entries: readonly InitramfsEntry[]): InitramfsEntry[] {
  const byPath = new Map<string, InitramfsEntry>();
  const addParents = (path: string) => {
    const parent = posix.dirname(path);
    if (parent === '/' || byPath.has(parent)) return;
    addParents(parent);
    byPath.set(parent, { type: 'directory', path: parent });
  };
  // Directories that are asked for by name come first: their mode must not be lost to an implied one.
  const ordered = [...entries].sort((a, b) => rank(a) - rank(b));
  for (const entry of ordered) {
    const { path } = entry;
    if (!path.startsWith('/') || posix.normalize(path) !== path || path === '/') {
      throw inputError('initramfs-entry', `initramfs path "${path}" is not absolute and normal`);
    }
    addParents(path);
    const present = byPath.get(path);
    if (present && !(present.type === 'directory' && entry.type === 'directory')) {
      throw inputError('initramfs-entry', `initramfs path "${path}" is there twice`);
    }
    byPath.set(path, entry);
  }
  return [...byPath.values()];
}

function rank(entry: InitramfsEntry): number {
  return entry.type === 'directory' ? entry.path.split('/').length : Number.MAX_SAFE_INTEGER;
}

function modeOf(entry: InitramfsEntry): number {
  switch (entry.type) {
    case 'file':
      return FILE_TYPE.file | (entry.mode ?? 0o644);
    case 'directory':
      return FILE_TYPE.directory | (entry.mode ?? 0o755);
    case 'symlink':
      return FILE_TYPE.symlink | 0o777;
    case 'device':
      return FILE_TYPE[entry.kind] | (entry.mode ?? 0o600);
  }
}

async function contentOf(entry: InitramfsEntry): Promise<Buffer> {
  if (entry.type === 'symlink') return Buffer.from(entry.target);
  if (entry.type !== 'file') return Buffer.alloc(0);
  return 'source' in entry ? readFile(entry.source) : Buffer.from(entry.content as Uint8Array);
}

function deviceOf(entry: InitramfsEntry): { major: number; minor: number } {
  return entry.type === 'device' ? entry : { major: 0, minor: 0 };
}

function record(
  name: string,
  inode: number,
  mode: number,
  body: Buffer,
  device = { major: 0, minor: 0 },
): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  const links = (mode & 0o170000) === FILE_TYPE.directory ? 2 : 1;
  const fields = [
    inode,
    mode,
    0, // uid
    0, // gid
    links,
    0, // mtime
    body.length,
    0, // device of the file itself, major and minor
    0,
    device.major,
    device.minor,
    nameBytes.length,
    0, // checksum, unused in this form
  ];
  const header = Buffer.from(
    `070701${fields.map((field) => field.toString(16).padStart(8, '0').toUpperCase()).join('')}`,
  );
  return Buffer.concat([pad(Buffer.concat([header, nameBytes])), pad(body)]);
}

/** Filled up to a multiple of 4 bytes. */
function pad(bytes: Buffer): Buffer {
  const missing = -bytes.length & 3;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
