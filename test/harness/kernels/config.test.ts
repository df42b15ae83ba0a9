import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fragmentFiles } from '../../../harness/kernels/config.ts';
import { formatRequests, readFragments } from '../../../harness/kernels/fragment.ts';
import { definitionsIn, evaluate } from '../../../harness/kernels/kconfig.ts';
import { temporaryDirectory } from '../temporary.ts';

describe('config fragments', () => {
  it('are read in order, the later request of a symbol winning', async () => {
    const directory = await temporaryDirectory();
    const files = [join(directory, 'a'), join(directory, 'b')];
    await writeFile(
      files[0]!,
      '# why\nCONFIG_A=y\nCONFIG_N=12 # if-defined: old trees\n# CONFIG_B is not set\n',
    );
    await writeFile(files[1]!, 'CONFIG_B=m\nCONFIG_S="x y"\n');
    const requests = await readFragments(files);
    expect(requests.map(({ symbol, value, ifDefined }) => [symbol, value, ifDefined])).toEqual([
      ['CONFIG_A', 'y', false],
      ['CONFIG_N', '12', true],
      ['CONFIG_B', 'm', false],
      ['CONFIG_S', '"x y"', false],
    ]);
    expect(formatRequests(requests)).toBe('CONFIG_A=y\nCONFIG_N=12\nCONFIG_B=m\nCONFIG_S="x y"\n');
  });

  it('name file and line of what is no config line', async () => {
    const file = join(await temporaryDirectory(), 'a.config');
    await writeFile(file, 'CONFIG_A=y\nCONFIG_B y\n');
    await expect(readFragments([file])).rejects.toMatchObject({
      code: 'fragment',
      exitStatus: 2,
      message: expect.stringContaining(`${file}:2: `),
    });
  });

  it('can be added by the name that they have in kernel-configs, and by path', () => {
    expect(fragmentFiles('x86_64', ['debug']).map((file) => file.split('/').at(-1))).toEqual([
      'common.config',
      'x86_64.config',
      'debug.config',
    ]);
    expect(() => fragmentFiles('x86_64', ['nonsense'])).toThrow(/--config nonsense: neither/);
  });
});

describe('Kconfig', () => {
  const text = `
menu "Memory"
	depends on MMU

config A
	bool "A"
	depends on B && !C
	depends on D || E=m
	help
	  config X is not one:
	  depends on nothing

if F

config A
	bool
	prompt "again" \\
	  if EXPERT

endif
endmenu

config Z
	def_bool y
`;

  it('finds each definition with the conditions of itself and of what is around it', () => {
    expect(definitionsIn(text, 'mm/Kconfig', 'A')).toEqual([
      { file: 'mm/Kconfig', line: 5, conditions: ['MMU', 'B && !C', 'D || E=m'], prompt: 'y' },
      { file: 'mm/Kconfig', line: 15, conditions: ['MMU', 'F'], prompt: 'EXPERT' },
    ]);
    expect(definitionsIn(text, 'mm/Kconfig', 'Z')[0]?.prompt).toBeUndefined();
    expect(definitionsIn(text, 'mm/Kconfig', 'X')).toEqual([]);
  });

  it.each([
    ['B && !C', 2],
    ['B && C', 0],
    ['M', 1],
    ['!M', 1],
    ['M || B', 2],
    ['(C || M) && B', 1],
    ['M=m', 2],
    ['N > 9', 2],
    ['N < 9', 0],
    ['S = "text"', 2],
    ['UNKNOWN', 0],
    ['UNKNOWN != y', 2],
    ['$(cc-option,-x) && B', 2],
  ])('evaluates %s to %i', (expression, level) => {
    const values = new Map([
      ['CONFIG_B', 'y'],
      ['CONFIG_M', 'm'],
      ['CONFIG_N', '10'],
      ['CONFIG_S', '"text"'],
    ]);
    expect(evaluate(expression, values)).toBe(level);
  });
});
