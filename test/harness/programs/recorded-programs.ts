/**
 * What the agent was asked when test/fixtures/transcripts/ARCH.bin were recorded: program n has sequence number n + 1.
 * Whoever changes these records again (README.md there).
 */
import type { EncodeOptions } from '../../../harness/programs/encode.ts';
import { StructSize } from '../../../harness/programs/protocol.ts';
import type { PageRange, Program, Step } from '../../../model/program.ts';

export interface Recorded {
  program: Program;
  options?: Partial<EncodeOptions>;
  /** Bytes to change in the frame, so that the agent sees what encodeProgram() would not make. */
  spoil?: (frame: Buffer) => void;
}

function pages(region: number, first: number, count: number): PageRange {
  return { region, first, count };
}

const oneRegion = [{ name: 'a', pages: 8 }];
const at = pages(0, 0, 4);

const roundTrip: Program = {
  name: 'to a device, shared by fork, and back',
  regions: oneRegion,
  steps: [
    { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
    { op: 'cpu-write', by: 0, at },
    { op: 'open', by: 0, device: 0 },
    { op: 'migrate-to-dev', by: 0, device: 0, at },
    { op: 'read', by: 0, device: 0, at },
    { op: 'fork', by: 0, child: 1 },
    { op: 'cpu-read', by: 1, at: pages(0, 0, 2) },
    { op: 'cpu-write', by: 0, at: pages(0, 0, 1) },
    { op: 'exit', by: 1 },
    { op: 'snapshot', by: 0, device: 0, at: pages(0, 0, 8) },
    { op: 'migrate-to-sys', by: 0, device: 0, at },
    { op: 'write', by: 0, device: 0, at: pages(0, 1, 2) },
    { op: 'cpu-read', by: 0, at },
    { op: 'close', by: 0, device: 0 },
  ],
};

const refusals: Program = {
  name: 'calls and accesses that are refused',
  regions: [...oneRegion, { name: 'b', pages: 2 }],
  steps: [
    { op: 'cpu-read', by: 0, at: pages(0, 5, 1) },
    { op: 'mmap', by: 0, region: 0, protection: 'read' },
    { op: 'mmap', by: 0, region: 0, protection: 'read' },
    { op: 'cpu-read', by: 0, at: pages(0, 0, 2) },
    { op: 'cpu-write', by: 0, at: pages(0, 1, 2) },
    { op: 'mmap', by: 0, region: 1, protection: 'none' },
    { op: 'cpu-read', by: 0, at: pages(1, 1, 1) },
    { op: 'open', by: 0, device: 1 },
    { op: 'migrate-to-dev', by: 0, device: 1, at: pages(1, 0, 2) },
    { op: 'write', by: 0, device: 1, at: pages(0, 0, 1) },
    { op: 'read', by: 0, device: 1, at: pages(1, 0, 1) },
    { op: 'munmap', by: 0, at: pages(0, 2, 3) },
    { op: 'cpu-read', by: 0, at: pages(0, 0, 8) },
  ],
};

const inheritance: Program = {
  name: 'an inherited fd outlives its mm',
  regions: oneRegion,
  steps: [
    { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
    { op: 'cpu-write', by: 0, at },
    { op: 'open', by: 0, device: 0 },
    { op: 'fork', by: 0, child: 1 },
    { op: 'open', by: 1, device: 1 },
    { op: 'migrate-to-dev', by: 1, device: 0, at: pages(0, 0, 2) },
    { op: 'snapshot', by: 1, device: 1, at },
    { op: 'fork', by: 1, child: 2 },
    { op: 'exit', by: 0 },
    { op: 'read', by: 1, device: 0, at },
    { op: 'snapshot', by: 2, device: 0, at },
    { op: 'exit', by: 1 },
    { op: 'close', by: 2, device: 0 },
    { op: 'cpu-read', by: 2, at },
  ],
};

const full: Program = {
  name: 'all processes and pages that a program can have',
  regions: [0, 1, 2, 3].map((index) => ({ name: `r${index}`, pages: 64 })),
  steps: [
    { op: 'mmap', by: 0, region: 3, protection: 'read-write' },
    { op: 'cpu-write', by: 0, at: pages(3, 0, 64) },
    { op: 'fork', by: 0, child: 1 },
    { op: 'fork', by: 1, child: 2 },
    { op: 'fork', by: 2, child: 3 },
    { op: 'open', by: 3, device: 0 },
    { op: 'migrate-to-dev', by: 3, device: 0, at: pages(3, 0, 64) },
  ],
};

/** Long enough to be still at it when a signal comes from outside. */
const long: Program = {
  name: 'back and forth',
  regions: [{ name: 'a', pages: 1 }],
  steps: [
    { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
    { op: 'fork', by: 0, child: 1 },
    { op: 'open', by: 1, device: 0 },
    ...Array.from(
      { length: 1000 },
      (_, index): Step => ({
        op: index % 2 ? 'migrate-to-sys' : 'migrate-to-dev',
        by: 1,
        device: 0,
        at: pages(0, 0, 1),
      }),
    ),
  ],
};

export const RECORDED: readonly Recorded[] = [
  { program: roundTrip },
  { program: refusals },
  { program: inheritance },
  { program: full },
  { program: roundTrip, options: { observe: [] } },
  {
    program: refusals,
    // The first step is made by process 7.
    spoil: (frame) => frame.writeUInt8(7, StructSize.frame_header + StructSize.program_header + 1),
  },
  { program: long, options: { observe: ['pagemap'], announce: true } },
  { program: long, options: { observe: ['pagemap'], announce: true, limitMs: 1500 } },
  { program: roundTrip },
];

/** Sequence numbers of the two runs of `long`: process 1 of the first is killed in step 5, of the second stopped. */
export const KILLED = 7;
export const STOPPED = 8;
