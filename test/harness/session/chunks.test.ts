import { expect, it } from 'vitest';
import { deviceMemory } from '../../../harness/session/chunks.ts';

const line = (total: number, from: string, to: string, device = '') =>
  `[    1.034567][   T1] added new 256 MB chunk (total ${total} chunks, ${total * 256} MB) ${device}PFNs [0x${from} 0x${to})`;

it('reads the chunks of each device from the messages of the module load', () => {
  const memory = deviceMemory([
    'noise',
    line(1, 'fff0000', '10000000'),
    line(1, 'ffe0000', 'fff0000'),
    line(2, 'ffd0000', 'ffe0000'),
  ]);
  expect(memory.design).toBe('pfn');
  expect(memory.chunks.slice(0, 2)).toEqual([
    { minor: 0, first: 0xfff0000n, end: 0x10000000n },
    { minor: 1, first: 0xffe0000n, end: 0xfff0000n },
  ]);
  // A second chunk could be either device's: nothing is guessed.
  expect(memory.chunks).toHaveLength(2);
  expect(memory.everything).toHaveLength(3);
});

it('gives a later chunk to the one device whose count it continues', () => {
  const memory = deviceMemory([line(1, '10', '20'), line(2, '30', '40')]);
  expect(memory.chunks.map(({ minor }) => minor)).toEqual([0, 0]);
});

it('tells the design by what the kernel calls the numbers', () => {
  const messages = [
    line(1, '0', '10000', 'device '),
    line(1, '10000', '20000', 'device '),
    line(1, '70000', '80000'),
  ];
  expect(deviceMemory(messages)).toMatchObject({
    design: 'offset',
    chunks: [{ minor: 0, first: 0n, end: 0x10000n }, { minor: 1 }, { minor: 2, first: 0x70000n }],
    everything: [{ minor: 0 }, { minor: 0 }, { minor: 2 }],
  });
  expect(deviceMemory([])).toEqual({ design: undefined, chunks: [], everything: [] });
});

it('takes device offsets that are handed out anew for no coherent device, whose numbers are PFNs', () => {
  const load = [line(1, '0', '10000', 'device '), line(1, '10000', '20000', 'device ')];
  const { chunks, everything } = deviceMemory([...load, line(1, '0', '10000', 'device ')]);
  expect(chunks.map(({ minor }) => minor)).toEqual([0, 1]);
  expect(everything).toHaveLength(3);
});

it('follows the agent when it has a device make its memory anew', () => {
  const memory = deviceMemory([
    line(1, 'fff0000', '10000000'),
    line(1, 'ffe0000', 'fff0000'),
    '[    2.0][  T9] hmmdiff: device 0 without memory',
    line(1, 'ffd0000', 'ffe0000'),
  ]);
  expect(memory.chunks.filter(({ minor }) => minor < 2)).toEqual([
    { minor: 1, first: 0xffe0000n, end: 0xfff0000n },
    { minor: 0, first: 0xffd0000n, end: 0xffe0000n },
  ]);
});

it('follows the agent when it has both devices make their memory anew', () => {
  const before = [line(1, 'fff0000', '10000000'), line(1, 'ffe0000', 'fff0000')];
  // A program took the memory of device 1 and then used it; whose this chunk is nobody says.
  const during = [line(1, 'ffe0000', 'fff0000')];
  const marks = [0, 1].map((minor) => `[    2.0][  T9] hmmdiff: device ${minor} without memory`);
  const first = [{ minor: 0, first: 0xfff0000n, end: 0x10000000n }];
  // Until the second line, what was known of device 1 stands: the console is read while the guest runs.
  const half = deviceMemory([...before, ...during, ...marks, line(1, 'fff0000', '10000000')]);
  expect(half.chunks.filter(({ minor }) => minor < 2)).toHaveLength(2);
  const whole = deviceMemory([
    ...before,
    ...during,
    ...marks,
    line(1, 'fff0000', '10000000'),
    line(1, 'ffd0000', 'ffe0000'),
  ]);
  expect(whole.chunks.filter(({ minor }) => minor === 0)).toEqual(first);
  expect(whole.chunks.filter(({ minor }) => minor === 1)).toEqual([
    { minor: 1, first: 0xffd0000n, end: 0xffe0000n },
  ]);
});

it('begins anew when the agent has unloaded the module', () => {
  const load = [0, 1, 2, 3].map((n) => line(1, `${n}0000`, `${n + 1}0000`));
  const reload = '[   9.000000][  T61] hmmdiff: test_hmm without devices';
  const { chunks } = deviceMemory([...load, line(2, '90000', 'a0000'), reload, ...load]);
  expect(chunks.map(({ minor, first }) => [minor, first])).toEqual([
    [0, 0n],
    [1, 0x10000n],
    [2, 0x20000n],
    [3, 0x30000n],
  ]);
});
