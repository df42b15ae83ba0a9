import { describe, expect, it } from 'vitest';
import type { Divergence } from '../../../harness/compare/tally.ts';
import {
  describeFingerprint,
  fingerprintOfDivergences,
  fingerprintOfLoss,
  identify,
  sameBug,
  sameFingerprint,
} from '../../../harness/divergence/fingerprint.ts';
import { fold } from '../../../harness/divergence/investigate.ts';
import type { Arch } from '../../../harness/kernels/arch.ts';
import { parseProgram } from '../../../harness/programs/load.ts';

const program = parseProgram(
  'p.yaml',
  `
name: p
regions: { a: 2 }
steps:
  - { mmap: a }
  - { cpu-write: a }
  - { cpu-read: a }
`,
);
const setting = { design: 'offset', arch: 'x86_64' } as const;

function fingerprint(step: number, field: Divergence['field'], expected: string, seen: string) {
  return fingerprintOfDivergences(program, [{ step, field, expected, seen, rule: 'a_function' }], setting)!;
}

describe('a fingerprint', () => {
  it('is told in the words of a program that showed it, for two classes may look the same', () => {
    const shown = {
      expected: 'page 2 of the range: what step 1 wrote to region 0 page 2 throughout',
      seen: 'page 2 of the range: what step 1 wrote to region 0 page 1 throughout\nand so on',
    };
    const data = fingerprint(2, 'data', shown.expected, shown.seen);
    expect(data.expected).toBe(data.seen);
    expect(describeFingerprint(data, shown)).toBe(
      'cpu-read: data: expected page 2 of the range: what step 1 wrote to region 0 page 2 throughout, seen page 2 of the range: what step 1 wrote to region 0 page 1 throughout',
    );
    const lost = fingerprintOfLoss(program, 1, 'its kernel panicked: oops in frob', setting);
    expect(describeFingerprint(lost, shown)).toBe('cpu-write: guest: its kernel panicked: oops in frob');
  });

  it('has of two lists of flags what only one of them has: the other flags are of the page, not of the bug', () => {
    const clean = fingerprint(1, 'kpageflags', 'UPTODATE MMAP ANON', 'UPTODATE MMAP ANON ANON_EXCLUSIVE');
    const dirty = fingerprint(1, 'kpageflags', 'UPTODATE DIRTY ANON', 'UPTODATE DIRTY ANON ANON_EXCLUSIVE');
    expect(clean).toMatchObject({ expected: 'no ANON_EXCLUSIVE', seen: 'ANON_EXCLUSIVE' });
    const whole = { expected: 'UPTODATE MMAP ANON', seen: 'UPTODATE MMAP ANON ANON_EXCLUSIVE' };
    expect(describeFingerprint(clean, whole)).toContain('expected no ANON_EXCLUSIVE, seen ANON_EXCLUSIVE');
    expect(identify(dirty)).toBe(identify(clean));
    expect(fingerprint(1, 'kpageflags', 'ANON DIRTY', 'ANON')).toMatchObject({
      expected: 'DIRTY',
      seen: 'no DIRTY',
    });
    expect(fingerprint(1, 'kpageflags', 'ANON', 'none')).toMatchObject({ expected: 'ANON', seen: 'no ANON' });
  });

  it('tells a guest that was lost before the first step from one that was lost behind the last, and puts it last', () => {
    const lost = (step: number) =>
      fingerprintOfLoss(program, step, 'its kernel panicked: oops in frob', setting);
    expect([-1, 0, 3].map((step) => lost(step).operation)).toEqual(['begin', 'mmap', 'end']);
    const folded = fold([-1, -1, 1].map((step) => ({ program, fingerprint: lost(step) })));
    expect(folded.map(({ fingerprint: { operation } }) => operation)).toEqual(['cpu-write', 'begin']);
  });

  it('knows an oops again on another architecture', () => {
    const on = (arch: Arch, title: string) =>
      fingerprintOfLoss(program, 2, `its kernel panicked: ${title}`, { design: 'offset', arch });
    const x86 = on('x86_64', 'BUG: kernel NULL pointer dereference in frob');
    expect(sameBug(x86, on('aarch64', 'Unable to handle kernel NULL pointer dereference in frob'))).toBe(
      true,
    );
    expect(sameBug(x86, on('aarch64', 'Unable to handle kernel NULL pointer dereference in bar'))).toBe(
      false,
    );
    const other = on('x86_64', 'general protection fault in dmirror_do_read');
    expect(sameBug(on('aarch64', 'Unable to handle kernel paging request in dmirror_do_read'), other)).toBe(
      true,
    );
    expect(sameFingerprint(other, on('x86_64', 'BUG: unable to handle page fault in dmirror_do_read'))).toBe(
      false,
    );
  });

  it('has of the bytes of a SNAPSHOT the first that differs, and of that its kind', () => {
    const of = (expected: string, seen: string) => fingerprint(1, 'snapshot.bytes', expected, seen);
    const one = of('device 1: 00', 'device 1: 32');
    expect(one).toMatchObject({ expected: '0x', seen: '3x' });
    expect(identify(of('device 0: 02 00 11 00', 'device 0: 02 31 11 31'))).toBe(identify(one));
    expect(of('device 0: 21 21', 'device 0: 21 22')).toMatchObject({ expected: '21', seen: '22' });
    expect(of('device 0: ff 00', 'device 0: 00 00')).toMatchObject({ expected: 'ff', seen: '0x' });
    expect(of('device 0: 21 21', 'device 0: 21')).toMatchObject({ expected: '21', seen: 'nothing' });
    expect(fingerprint(1, 'bytes', '02', '12')).toMatchObject({ expected: '0x', seen: '1x' });
  });

  it('keeps the name of a trace event, and tells two events apart', () => {
    const of = (expected: string, seen: string) => fingerprint(1, 'trace.bits', expected, seen);
    expect(of('remove_migration_pte: write softDirty', 'remove_migration_pte: write')).toMatchObject({
      expected: 'remove_migration_pte: softDirty',
      seen: 'remove_migration_pte: no softDirty',
    });
    expect(of('set_migration_pte: young', 'remove_migration_pte: young').seen).toBe(
      'remove_migration_pte: young',
    );
  });
});

describe('folding', () => {
  it('begins with the shortest program, but with one without actors if there is any', () => {
    const named = (name: string, steps: string) =>
      parseProgram(name, `name: ${name}\nregions: {a: 1}\nsteps:\n${steps}`);
    const raced = named('raced', '  - {mmap: a}\n  - together: [[{cpu-read: a}], [{cpu-write: a}]]');
    const short = named('short', '  - {mmap: a}\n  - {cpu-write: a}\n  - {cpu-read: a}');
    const own = fingerprint(1, 'words', 'one thing', 'another');
    const [folded] = fold([raced, program, short].map((shown) => ({ program: shown, fingerprint: own })));
    expect(folded!.programs.map(({ name }) => name)).toEqual(['p', 'short', 'raced']);
  });

  it('puts those that differ in the operation alone behind all others, and says what they are like', () => {
    const shown = [
      ...['DIRTY', 'UPTODATE'].map((flag) => fingerprint(1, 'kpageflags', flag, `${flag} SLAB`)),
      fingerprint(2, 'kpageflags', 'ANON', 'ANON SLAB'),
      fingerprint(2, 'words', 'one thing', 'another'),
    ];
    const folded = fold(shown.map((own) => ({ program, fingerprint: own })));
    expect(
      folded.map(({ fingerprint: { operation, field }, programs }) => [operation, field, programs.length]),
    ).toEqual([
      ['cpu-write', 'kpageflags', 2],
      ['cpu-read', 'words', 1],
      ['cpu-read', 'kpageflags', 1],
    ]);
    expect(folded.map(({ like }) => like && identify(like))).toEqual([
      undefined,
      undefined,
      identify(shown[0]!),
    ]);
  });
});
