import { describe, expect, it } from 'vitest';
import { parseProgram } from '../../../harness/programs/load.ts';
import { compact } from '../../../harness/reach/compact.ts';
import { rowsOf } from '../../../harness/reach/rows.ts';
import { STOCK } from '../../model/play.ts';

function program(name: string, ...steps: string[]) {
  const list = steps.map((step) => `  - ${step}\n`).join('');
  return parseProgram(name, `name: ${name}\nregions: {a: 4, b: 2}\nsteps:\n${list}`);
}

const onStock = (...programs: (typeof READ)[]) =>
  programs.map((program) => ({ program, kernels: [STOCK.kernel] }));

const READ = program('read', '{mmap: a}', '{cpu-read: a}');
const UNMAP = program('unmap', '{mmap: a}', '{cpu-read: "a[0]"}', '{munmap: a}');

describe('compact', () => {
  it('leaves out programs that reach only what others reach', () => {
    expect(compact([READ, UNMAP], [], [STOCK]).map(({ program }) => program.name)).toEqual(['unmap']);
    expect(compact([READ], onStock(READ), [STOCK])).toEqual([]);
  });

  it('leaves out steps and pages that nothing is reached with', () => {
    const long = program('long', '{mmap: b}', '{mmap: a}', '{open: 0}', '{cpu-write: a}', '{munmap: "a[1]"}');
    const others = onStock(READ, program('other', '{mmap: a}', '{open: 0}', '{munmap: a}'));
    const [kept] = compact([long], others, [STOCK]);
    expect(kept!.program.regions).toEqual([{ name: 'a', pages: 1 }]);
    expect(kept!.program.steps.map(({ op }) => op)).toEqual(['mmap', 'cpu-write', 'munmap']);
    expect(kept!.purposes.map(({ rows }) => [...rows])).toEqual([
      [
        'operations cpu-write: ok',
        'states ram-write',
        'transitions cpu-write: none > ram-write',
        'transitions munmap: ram-write > unmapped',
      ],
    ]);
  });

  it('reaches as much as what it was given', () => {
    const rows = (programs: { program: typeof READ }[]) =>
      new Set(programs.flatMap(({ program }) => [...rowsOf(program, STOCK)]));
    const all = [READ, UNMAP, program('fork', '{mmap: a}', '{cpu-write: a}', '{fork: p1}', '{cpu-read: a}')];
    expect(rows(compact(all, [], [STOCK]))).toEqual(rows(all.map((program) => ({ program }))));
  });
});
