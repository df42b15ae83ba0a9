import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../harness/programs/byte-reader.ts';
import { decodePageRuns, listPages } from '../../../harness/programs/page-runs.ts';
import { type ColumnName, newWords } from '../../../harness/programs/page-words.ts';

type Run = [value: bigint, step: bigint, count: number, present: boolean];

/** The bytes of five columns, each of the runs given. */
function columns(...lists: Run[][]): ByteReader {
  const parts = lists.map((runs) => {
    const bytes = Buffer.alloc(8 + runs.length * 24);
    bytes.writeBigUInt64LE(BigInt(runs.length), 0);
    runs.forEach(([value, step, count, present], index) => {
      const at = 8 + index * 24;
      bytes.writeBigUInt64LE(value, at);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, step), at + 8);
      bytes.writeUInt32LE(count, at + 16);
      bytes.writeUInt32LE(Number(present), at + 20);
    });
    return bytes;
  });
  return new ByteReader(Buffer.concat(parts), 1000);
}

const PRESENT = 1n << 63n;
const absent: Run[] = [[0n, 0n, 6, false]];

describe('the pages of a huge region', () => {
  const runs = () =>
    decodePageRuns(
      columns(
        [
          [PRESENT | 0x2_fffffffen, 1n, 3, true],
          [0n, 0n, 1, true],
          [PRESENT | 9n, -1n, 2, true],
        ],
        [
          [0x8n, 0x10n, 2, true],
          [0n, 0n, 4, false],
        ],
        [
          [1n, 0n, 2, true],
          [0n, 0n, 4, false],
        ],
        absent,
        absent,
      ),
      6,
      'region 0',
    );

  it('are put together from runs, with carries and steps down', () => {
    expect(listPages(runs())).toEqual([
      { pagemap: PRESENT | 0x2_fffffffen, kpageflags: 0x8n, kpagecount: 1n },
      { pagemap: PRESENT | 0x2_ffffffffn, kpageflags: 0x18n, kpagecount: 1n },
      { pagemap: PRESENT | 0x3_00000000n },
      { pagemap: 0n },
      { pagemap: PRESENT | 9n },
      { pagemap: PRESENT | 8n },
    ]);
    expect(runs().at(6)).toBeUndefined();
  });

  it.each(['pagemap', 'kpageflags'] as ColumnName[])('have the same %s in halves', (name) => {
    const { low, high, present } = newWords(6);
    runs().readColumn(name, { low, high, present });
    const whole = [...low].map((half, page) => (BigInt(high[page]!) << 32n) | BigInt(half));
    expect(whole.map((value, page) => (present[page] ? value : undefined))).toEqual(
      listPages(runs()).map((page) => page[name as 'pagemap' | 'kpageflags']),
    );
  });

  it('are refused when the runs do not cover them', () => {
    expect(() => decodePageRuns(columns(absent), 7, 'region 0')).toThrow(
      /byte 1000: region 0: pagemap covers 6 of 7 pages/,
    );
  });
});
