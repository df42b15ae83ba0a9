import { describe, expect, it } from 'vitest';
import { parseKernelLine, stackOf, symbolIn, treePath } from '../../qemu/kernel-log.ts';

describe('parseKernelLine', () => {
  it('takes off time, caller and level', () => {
    expect(parseKernelLine('[    1.234567] text')).toEqual({
      text: 'text',
      stamped: true,
      caller: undefined,
    });
    expect(parseKernelLine('[    1.234567][  T123]  indented').caller).toBe('T123');
    expect(parseKernelLine('[    1.234567][  T123]  indented').text).toBe(' indented');
    expect(parseKernelLine('<4>[   12.000001][    C0] text').caller).toBe('C0');
    expect(parseKernelLine('no time').stamped).toBe(false);
  });

  it('finds a message behind what a program printed without a line end', () => {
    expect(parseKernelLine('# RUN  global.x ...[   12.000001] BUG: x').text).toBe('BUG: x');
  });
});

describe('stackOf', () => {
  it('names the program counter first, then the frames that are certain', () => {
    expect(
      stackOf([
        'RIP: 0010:inner+0x1/0x2 [module]',
        'Call Trace:',
        ' <TASK>',
        ' ? guessed+0x1/0x2',
        ' outer.isra.0+0x10/0x20',
        ' marked+0x1/0x2 [module] (P)',
        'RIP: 0033:0x7f0000000000',
      ]),
    ).toEqual(['inner', 'outer', 'marked']);
    expect(
      stackOf(['pc : at+0x0/0x8 [m]', 'lr : from+0x0/0x8', 'Call trace:', ' at+0x0/0x8 [m] (P)']),
    ).toEqual(['at', 'at']);
  });
});

describe('symbolIn', () => {
  it('leaves out what the compiler added', () => {
    expect(symbolIn('foo.constprop.0.isra.1+0x1/0x2 [m]')).toBe('foo');
    expect(symbolIn('foo.cold+0x1/0x2')).toBe('foo');
    expect(symbolIn('0x0')).toBeUndefined();
  });
});

describe('treePath', () => {
  it('is what the tree calls the file, wherever it was built', () => {
    expect(treePath('../mm/memory.c')).toBe('mm/memory.c');
    expect(treePath('/home/me/linux/lib/test_hmm.c')).toBe('lib/test_hmm.c');
    expect(treePath('mm/memory.c')).toBe('mm/memory.c');
    expect(treePath('./module.c')).toBe('module.c');
  });
});
