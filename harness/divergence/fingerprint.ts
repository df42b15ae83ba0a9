/**
 * What makes two findings the same bug: the operation, the field, and the classes of what was expected and seen. A
 * class is the text without everything that another program, another page or another boot changes.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Program } from '../../model/program.ts';
import type { Splat } from '../../qemu/splats.ts';
import { type Divergence, FIELDS } from '../compare/tally.ts';
import { type Arch, architectures } from '../kernels/arch.ts';
import type { Design } from '../kernels/registry.ts';

export const fingerprintSchema = z.strictObject({
  /** `lost`: the program took its guest with it. `splat`: the kernel reported something and went on. */
  kind: z.enum(['divergence', 'splat', 'lost']),
  /** Of the step that shows it; `end` behind the last step, `begin` before the first. */
  operation: z.string(),
  /** A field of the comparison (compare/tally.ts); `console` for what the kernel reported; `guest` for a lost one. */
  field: z.string(),
  expected: z.string(),
  seen: z.string(),
  design: z.enum(['pfn', 'offset']),
  arch: z.enum(architectures),
});

export type Fingerprint = z.output<typeof fingerprintSchema>;

/** Where a fingerprint was taken. */
export interface Setting {
  design: Design;
  arch: Arch;
}

/** Of a comparison that failed: its most telling field. */
export function fingerprintOfDivergences(
  program: Program,
  divergences: readonly Divergence[],
  setting: Setting,
): Fingerprint | undefined {
  const first = mostTelling(divergences);
  if (!first) return undefined;
  return {
    kind: 'divergence',
    operation: operationAt(program, first.step),
    field: first.field,
    ...classesOf(first),
    ...pick(setting),
  };
}

/** Whose field comes first in the order in which compare() lists its fields. */
export function mostTelling<T extends Pick<Divergence, 'field'>>(divergences: readonly T[]): T | undefined {
  const rank = ({ field }: T) => FIELDS.indexOf(field);
  return [...divergences].sort((a, b) => rank(a) - rank(b))[0];
}

/** Of a report of the kernel while `step` of the program was run. */
export function fingerprintOfSplat(
  program: Program,
  step: number | undefined,
  splat: Pick<Splat, 'title'>,
  setting: Setting,
): Fingerprint {
  return {
    kind: 'splat',
    operation: operationAt(program, step ?? program.steps.length),
    field: 'console',
    expected: 'no report',
    seen: splat.title,
    ...pick(setting),
  };
}

/** Before the first step, when the agent makes the devices' memory anew for huge regions (qemu/guest/renew.c). */
export const BEGIN = 'begin';

/** Of a program that took its guest with it in `step`, -1 before the first; `reason` is the panic's title, or how it hung. */
export function fingerprintOfLoss(
  program: Program,
  step: number | undefined,
  reason: string,
  setting: Setting,
): Fingerprint {
  return {
    kind: 'lost',
    operation: operationAt(program, step ?? program.steps.length),
    field: 'guest',
    expected: 'a guest that lives on',
    seen: classOf(reason.split('\n')[0]!),
    ...pick(setting),
  };
}

export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return identify(a) === identify(b);
}

/** The same on another design or architecture, each of which has words of its own for an access that faults. */
export function sameBug(a: Fingerprint, b: Fingerprint): boolean {
  const anywhere = (one: Fingerprint) =>
    one.kind === 'divergence' ? one : { ...one, seen: one.seen.replace(FAULT, 'fault') };
  const { design, arch } = a;
  return sameFingerprint(anywhere(a), { ...anywhere(b), design, arch });
}

/** In titles of oopses (qemu/splat-kinds.ts). */
const FAULT =
  /BUG: kernel NULL pointer dereference|BUG: unable to handle [\w ]+?(?= in )|Unable to handle kernel [\w ]+?(?= in )|general protection fault/;

/** Whether two may be one bug that shows at different operations. */
export function sameKind(a: Fingerprint, b: Fingerprint): boolean {
  return sameFingerprint(a, { ...b, operation: a.operation });
}

/** Eight hexadecimal digits that stand for a fingerprint, in names of folders and on the command line. */
export function identify(fingerprint: Fingerprint): string {
  const { kind, operation, field, expected, seen, design, arch } = fingerprint;
  return createHash('sha256')
    .update([kind, operation, field, expected, seen, design, arch].join('\0'))
    .digest('hex')
    .slice(0, 8);
}

/**
 * A line for people; in the words of a program that showed it, if there is one: a class has no numbers. But of a list, the
 * class has what differs alone.
 */
export function describeFingerprint(fingerprint: Fingerprint, shown: Shown = fingerprint): string {
  const { kind, operation, field } = fingerprint;
  if (kind !== 'divergence') return `${operation}: ${field}: ${fingerprint.seen}`;
  const { expected, seen } = LISTS.has(field) ? fingerprint : shown;
  return `${operation}: ${field}: expected ${firstLine(expected)}, seen ${firstLine(seen)}`;
}

/** What a program showed, with its numbers. */
export type Shown = Pick<Divergence, 'expected' | 'seen'>;

function firstLine(text: string): string {
  return text.split('\n')[0]!;
}

function pick({ design, arch }: Setting): Setting {
  return { design, arch };
}

function operationAt(program: Program, step: number): string {
  return step < 0 ? BEGIN : (program.steps[step]?.op ?? 'end');
}

const NUMBER = /^-?(?:0x[0-9a-f]+|\d+)$/;
const BYTES = /^(?:[0-9a-f]{2}(?: |$))+$/;

/** Fields whose texts are lists of words, trace events with their name before it. */
const LISTS: ReadonlySet<string> = new Set(['kpageflags', 'trace.bits', 'smaps.VmFlags']);
const LIST = /^(?:(\w+): ?)?((?:\w+(?: |$))*)$/;

/** Of two lists what one has and the other has not. */
function listClasses(expected: string, seen: string): { expected: string; seen: string } | undefined {
  const [a, b] = [LIST.exec(expected), LIST.exec(seen)];
  if (!a || !b || a[1] !== b[1]) return undefined;
  const [there, here] = [a, b].map((match) =>
    match[2]!.split(' ').filter((word) => word !== '' && word !== 'none'),
  ) as [string[], string[]];
  const lost = there.filter((word) => !here.includes(word));
  const gained = here.filter((word) => !there.includes(word));
  const text = (has: string[], lacks: string[]) =>
    `${a[1] === undefined ? '' : `${a[1]}: `}${[...has, ...lacks.map((word) => `no ${word}`)].join(', ')}`;
  return { expected: text(lost, gained), seen: text(gained, lost) };
}

/** Fields whose texts are SNAPSHOT's bytes, a page each; after every step with the device before them. */
const SNAPSHOTS: ReadonlySet<string> = new Set(['bytes', 'snapshot.bytes']);
const DEVICE = /^device \d+: /;

/**
 * Of two lists of bytes the first pair that differs: which page it is depends on the program. What kind of page a byte
 * tells of (lib/test_hmm_uapi.h) says enough when that differs; else what may be done to it.
 */
function snapshotClasses(expected: string, seen: string): { expected: string; seen: string } | undefined {
  const [there, here] = [expected, seen].map((text) => text.replace(DEVICE, ''));
  if (!BYTES.test(there!) || !BYTES.test(here!)) return undefined;
  const other = here!.split(' ');
  const at = there!.split(' ').findIndex((byte, index) => byte !== other[index]);
  if (at < 0) return undefined;
  const [a, b = 'nothing'] = [there!.split(' ')[at]!, other[at]];
  const kind = (byte: string) => (byte === 'ff' ? byte : `${byte[0]}x`);
  if (b === 'nothing' || kind(a) === kind(b)) return { expected: a, seen: b };
  return { expected: kind(a), seen: kind(b) };
}

/** Of two numbers it counts which is the larger. */
function classesOf({ field, expected, seen }: Divergence): { expected: string; seen: string } {
  const lists = LISTS.has(field)
    ? listClasses(expected, seen)
    : SNAPSHOTS.has(field)
      ? snapshotClasses(expected, seen)
      : undefined;
  if (lists) return lists;
  if (NUMBER.test(expected) && NUMBER.test(seen)) {
    const less = BigInt(seen) < BigInt(expected);
    return { expected: 'a number', seen: less ? 'less' : 'more' };
  }
  return { expected: classOf(expected), seen: classOf(seen) };
}

/** A text without numbers, and without what follows its first line. */
export function classOf(text: string): string {
  return text
    .split('\n')[0]!
    .replace(/0x[0-9a-f]+/g, '#')
    .replace(/\b\d+(?:\.\d+)?\b/g, '#')
    .trim();
}
