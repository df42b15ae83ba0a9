/** Regions that the agent does not tell again (REGION_AS_BEFORE of qemu/guest/protocol.h). */
import { describe, expect, it } from 'vitest';
import { REGION_AS_BEFORE, StructSize } from '../../../harness/programs/protocol.ts';
import { decodeTranscript } from '../../../harness/programs/transcript.ts';

const PAGES = 2;

/** A region observation of process 0: its record, and the pagemap of two pages, if there is one. */
function region(flags: number, pagemap: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(StructSize.region_record + pagemap.length * 8);
  bytes.writeUInt8(pagemap.length, 2);
  bytes.writeUInt16LE(flags, 6);
  for (const [page, entry] of pagemap.entries())
    bytes.writeBigUInt64LE(entry, StructSize.region_record + page * 8);
  return bytes;
}

/** A transcript whose steps each have one process with one region. */
function transcript(...regions: Buffer[]): Buffer {
  const header = Buffer.alloc(StructSize.transcript_header);
  header.writeUInt32LE(regions.length, 20);
  const steps = regions.flatMap((observation, index) => {
    const step = Buffer.alloc(StructSize.step_record);
    step.writeUInt32LE(index, 0);
    step.writeUInt32LE(1, 16);
    const process = Buffer.alloc(StructSize.process_record);
    process.writeUInt8(1, 1);
    return [step, process, observation];
  });
  return Buffer.concat([header, ...steps]);
}

const told = region(0, [1n << 55n, 0n]);
const asBefore = region(REGION_AS_BEFORE, []);

describe('a region that is as before', () => {
  it('is what the process last told of it, until it tells it anew', () => {
    const changed = region(0, [1n << 55n, 1n]);
    const { steps } = decodeTranscript(transcript(told, asBefore, asBefore, changed, asBefore), 0);
    const pagemaps = steps.map(({ regions }) =>
      Array.from({ length: PAGES }, (_, page) => regions[0]!.pages.at(page)!.pagemap),
    );
    expect(pagemaps).toEqual([
      [1n << 55n, 0n],
      [1n << 55n, 0n],
      [1n << 55n, 0n],
      [1n << 55n, 1n],
      [1n << 55n, 1n],
    ]);
  });

  it('is corrupt when the process has told nothing of it', () => {
    expect(() => decodeTranscript(transcript(asBefore), 0)).toThrow(
      'step 0, process 0, region 0 is said to be as before, and there is none before',
    );
  });
});
