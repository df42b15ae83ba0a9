import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../qemu/lines.ts';

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const bytes = Buffer.from('first\r\nzweite Zeile: ä€😀\r\r\n\nlast');
    for (let size = 1; size <= bytes.length; size++) {
      const splitter = new LineSplitter();
      const lines: string[] = [];
      for (let at = 0; at < bytes.length; at += size)
        lines.push(...splitter.push(bytes.subarray(at, at + size)));
      expect(lines).toEqual(['first', 'zweite Zeile: ä€😀', '']);
      expect(splitter.end()).toBe('last');
    }
  });

  it('has nothing left after a line end', () => {
    const splitter = new LineSplitter();
    splitter.push(Buffer.from('whole\n'));
    expect(splitter.end()).toBeUndefined();
  });
});
