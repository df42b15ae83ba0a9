/** Bytes that SNAPSHOT returned, by their names. */
import { SnapshotBits } from '../../model/snapshot.ts';
import { indent, quote } from './c-text.ts';

/** A block that checks what SNAPSHOT returned. */
export function bytesBlock(what: string, bytes: Uint8Array): string[] {
  return ['{', ...bytesBody(what, bytes).map(indent), '}'];
}

export function bytesBody(what: string, bytes: Uint8Array): string[] {
  const runs: { first: number; last: number; byte: number }[] = [];
  for (const [page, byte] of bytes.entries()) {
    const run = runs.at(-1);
    if (run?.byte === byte) run.last = page;
    else runs.push({ first: page, last: page, byte });
  }
  const index = ({ first, last }: { first: number; last: number }) =>
    first === last ? `${first}` : `${first} ... ${last}`;
  return [
    `static const uint8_t expected[${bytes.length}] = {`,
    ...runs.map((run) => `\t[${index(run)}] = ${byteName(run.byte)},`),
    '};',
    '',
    `check_bytes(${quote(what)}, expected, ${bytes.length});`,
  ];
}

/** A byte of SNAPSHOT by the names of lib/test_hmm_uapi.h. */
function byteName(byte: number): string {
  if (byte === SnapshotBits.error) return 'HMM_DMIRROR_PROT_ERROR';
  const names: string[] = [];
  const kind = KINDS[byte & 0x70];
  if (kind === undefined) return `0x${byte.toString(16)}`;
  if (kind !== '') names.push(kind);
  for (const [mask, name] of ACCESS) if (byte & mask) names.push(name);
  return names.map((name) => `HMM_DMIRROR_PROT_${name}`).join(' | ') || 'HMM_DMIRROR_PROT_NONE';
}

const KINDS: Readonly<Record<number, string>> = {
  [SnapshotBits.none]: '',
  [SnapshotBits.zero]: 'ZERO',
  [SnapshotBits.devicePrivateLocal]: 'DEV_PRIVATE_LOCAL',
  [SnapshotBits.devicePrivateRemote]: 'DEV_PRIVATE_REMOTE',
  [SnapshotBits.deviceCoherentLocal]: 'DEV_COHERENT_LOCAL',
  [SnapshotBits.deviceCoherentRemote]: 'DEV_COHERENT_REMOTE',
};
const ACCESS = [
  [SnapshotBits.read, 'READ'],
  [SnapshotBits.write, 'WRITE'],
  [SnapshotBits.pmd, 'PMD'],
  [SnapshotBits.pud, 'PUD'],
] as const;
