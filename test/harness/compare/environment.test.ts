import { describe, expect, it } from 'vitest';
import { chunksFromMessages } from '../../../harness/compare/environment.ts';

describe('chunks from kernel messages', () => {
  it('are of minor 0 and 1 in the order of the lines, in the words of either design', () => {
    const messages = `
[    0.51] test_hmm: added new 256 MB chunk (total 1 chunks, 256 MB) PFNs [0xfcf0000 0xfd00000)
[    0.52] test_hmm: added new 256 MB chunk (total 1 chunks, 256 MB) PFNs [0xfce0000 0xfcf0000)
[    0.53] test_hmm: HMM test module loaded. This is only for testing HMM.`;
    expect(chunksFromMessages(messages)).toEqual([
      { minor: 0, first: 0xfcf0000n, end: 0xfd00000n },
      { minor: 1, first: 0xfce0000n, end: 0xfcf0000n },
    ]);
    const offset = 'added new 256 MB chunk (total 1 chunks, 256 MB) device PFNs [0x0 0x10000)';
    expect(chunksFromMessages(offset)).toEqual([{ minor: 0, first: 0n, end: 0x10000n }]);
  });

  it('are none without such lines, and refused when it is unknown whose they are', () => {
    expect(chunksFromMessages('nothing of it')).toEqual([]);
    const line = 'added new 256 MB chunk (total 1 chunks, 256 MB) PFNs [0x0 0x10000)\n';
    expect(() => chunksFromMessages(line.repeat(3))).toThrow(RangeError);
  });
});
