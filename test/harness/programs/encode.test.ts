import { describe, expect, it } from 'vitest';
import { HmmdiffError } from '../../../harness/errors.ts';
import { type EncodeOptions, encodeProgram } from '../../../harness/programs/encode.ts';
import type { PageRange, Program, Step } from '../../../model/program.ts';

const at: PageRange = { region: 0, first: 0, count: 1 };
const map: Step = { op: 'mmap', by: 0, region: 0, protection: 'read-write' };

function programOf(steps: Step[], pages = [8]): Program {
  return { name: 'p', regions: pages.map((count, index) => ({ name: `r${index}`, pages: count })), steps };
}

function encode(program: Program, options: Partial<EncodeOptions> = {}): Buffer {
  return encodeProgram(program, { sequence: 1, limitMs: 1000, ...options });
}

/** The message of the error that encoding must end in. */
function refusal(program: Program, options?: Partial<EncodeOptions>): string {
  try {
    encode(program, options);
  } catch (error) {
    if (error instanceof HmmdiffError && error.code === 'program-invalid' && error.exitStatus === 2) {
      return error.message;
    }
    throw error;
  }
  throw new Error('was accepted');
}

describe('encodeProgram', () => {
  it('lays a program out as protocol.h says', () => {
    const program = programOf(
      [
        map,
        { op: 'open', by: 0, device: 3 },
        { op: 'read', by: 0, device: 3, at: { region: 1, first: 5, count: 7 } },
      ],
      [8, 64],
    );
    const frame = encode(program, { sequence: 0x01020304, limitMs: 5000, announce: true });
    expect(frame.toString('hex').match(/.{1,16}/g)).toMatchInlineSnapshot(`
      [
        "484d444602000000",
        "0403020150000000",
        "ff0f000001000000",
        "8813000002000300",
        "0800400000000000",
        "2000000000000000",
        "0100020000000000",
        "0000000000000000",
        "0700030000000000",
        "0000000000000000",
        "0900030105000700",
        "0000000000000000",
      ]
    `);
  });

  it('asks for the observations that are named and no others', () => {
    const observeBits = (observe: EncodeOptions['observe']) =>
      encode(programOf([map]), observe ? { observe } : {}).readUInt32LE(16);
    expect(observeBits(undefined)).toBe(4095);
    expect(observeBits([])).toBe(0);
    expect(observeBits(['trace', 'snapshot'])).toBe(24);
    expect(observeBits(['pagemap', 'pagemap', 'words'])).toBe(5);
  });

  it('refuses observations of present pages when nothing says which are present', () => {
    expect(refusal(programOf([map]), { observe: ['words'] })).toContain('without pagemap');
  });

  it('accepts a program at its limits', () => {
    const steps: Step[] = [
      { op: 'fork', by: 0, child: 1 },
      { op: 'fork', by: 1, child: 2 },
      { op: 'fork', by: 0, child: 3 },
      ...Array.from(
        { length: 1020 },
        (): Step => ({ op: 'cpu-read', by: 3, at: { region: 3, first: 0, count: 64 } }),
      ),
      { op: 'exit', by: 0 },
    ];
    expect(encode(programOf(steps, [64, 64, 64, 64]))).toHaveLength(16 + 32 + 1024 * 16);
  });

  it.each<[string, Program, Partial<EncodeOptions>]>([
    ['the number of steps is 0; it must be 1..1024', programOf([]), {}],
    ['the number of steps is 1025; it must be 1..1024', programOf(Array(1025).fill(map)), {}],
    ['the number of regions is 0; it must be 1..4', programOf([map], []), {}],
    ['the number of regions is 5; it must be 1..4', programOf([map], [1, 1, 1, 1, 1]), {}],
    ['the number of pages of region 1 is 65; it must be 1..64', programOf([map], [1, 65]), {}],
    ['the sequence number is 0', programOf([map]), { sequence: 0 }],
    ['the time limit in ms is 0.5', programOf([map]), { limitMs: 0.5 }],
    ['step 0 (cpu-read): process is 4', programOf([{ op: 'cpu-read', by: 4, at }]), {}],
    ['step 0 (mmap): region is 1; it must be 0..0', programOf([{ ...map, region: 1 } as Step]), {}],
    [
      'step 0 (cpu-read): first page is 8; it must be 0..7',
      programOf([{ op: 'cpu-read', by: 0, at: { region: 0, first: 8, count: 1 } }]),
      {},
    ],
    [
      'step 0 (munmap): number of pages from page 6 is 3; it must be 1..2',
      programOf([{ op: 'munmap', by: 0, at: { region: 0, first: 6, count: 3 } }]),
      {},
    ],
    ['step 0 (open): device is 4; it must be 0..3', programOf([{ op: 'open', by: 0, device: 4 }]), {}],
  ])('refuses: %s', (message, program, options) => {
    expect(refusal(program, options)).toContain(`program "p": ${message}`);
  });

  it.each<[string, Step[]]>([
    ['step 0 (exit): p1 was never forked', [{ op: 'exit', by: 1 }]],
    [
      'step 1 (cpu-read): p0 has ended',
      [
        { op: 'exit', by: 0 },
        { op: 'cpu-read', by: 0, at },
      ],
    ],
    ['step 0 (close): p0 does not have device 0 open', [{ op: 'close', by: 0, device: 0 }]],
    [
      'step 1 (open): p0 has device 1 open already',
      [
        { op: 'open', by: 0, device: 1 },
        { op: 'open', by: 0, device: 1 },
      ],
    ],
  ])('refuses: %s', (message, steps) => {
    expect(refusal(programOf(steps))).toContain(`program "p": ${message}`);
  });
});
