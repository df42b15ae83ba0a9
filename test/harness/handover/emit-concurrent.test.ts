import { describe, expect, it } from 'vitest';
import type { Divergence } from '../../../harness/compare/tally.ts';
import { emitC } from '../../../harness/handover/emit-c.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { makeProfile } from '../../../model/profile.ts';

const profile = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });

function emit(steps: string, fields: Partial<Divergence>[] = []): string {
  const program = parseProgram('p.yaml', `name: p\nregions: { a: 1 }\nsteps:\n${steps}`);
  const texts = { expected: 'one thing', seen: 'another', rule: 'some_function' };
  return emitC(
    program,
    { kind: 'divergence', fields: fields.map((field) => ({ ...texts, ...field }) as Divergence) },
    { profile },
  );
}

/** The values of a column, by its name. */
function valuesOf(text: string, column: string): Set<string> {
  const names = [...text.matchAll(/^\t"(.*)",$/gm)].map(([, name]) => name);
  const [, rows] = /allowed\[\]\[COLUMNS\] = \{\n(.*?)\n\};/s.exec(text)!;
  const cells = rows!.split('\n').map((row) => /\{ (.*) \}/.exec(row)![1]!.split(/, (?![^(]*\))/));
  return new Set(cells.map((row) => row[names.indexOf(column)]!));
}

const FORK_AND_WRITE = `
  - { mmap: a }
  - { cpu-write: a }
  - together: [[{ fork: p1 }], [{ cpu-write: a }]]
  - { cpu-read: a, by: p1 }
`;

describe('C of a step that actors take together', () => {
  it('allows what each order leads to: a child reads what was written before, or what is written meanwhile', () => {
    const text = emit(FORK_AND_WRITE, [{ step: 3, field: 'data' }]);
    // ANY: the fork came in the middle of the write.
    expect(valuesOf(text, 'step 3, p1 reads a: page 0 of what was read')).toEqual(
      new Set(['TOKEN(1, 0, 0)', 'TOKEN(5122, 0, 0)', 'ANY']),
    );
  });

  it('looks at who shares a page with whom, since page numbers differ from boot to boot', () => {
    const text = emit(FORK_AND_WRITE, [{ step: 2, field: 'pagemap.frame' }]);
    expect(text).toContain('shared->frame[1] = page_at(REGION_A)');
    // That of p0, or one of its own.
    expect(valuesOf(text, 'step 2, p1 a[0]: pagemap.frame')).toEqual(new Set(['0', '1']));
  });

  it('has the table of what is written also where no actor, only a process behind the step, looks at it', () => {
    const text = emit(`
  - { mmap: a }
  - together: [[{ fork: p1 }], [{ cpu-write: a }]]
    rounds: 10
  - { cpu-read: a, by: p1 }
`);
    expect(text).toContain('check_content(');
    expect(text).toMatch(/written_words\[WRITTEN\] = \{\n\t\{ REGION_A, TOKEN/);
  });

  it('adds a field that differed to what is looked at', () => {
    const place = { step: 3, process: 1, region: 0, page: 0 };
    const text = emit(FORK_AND_WRITE, [{ ...place, field: 'kpagecount' }]);
    expect(text).toContain('kpage(KPAGECOUNT, REGION_A)');
    expect(emit(FORK_AND_WRITE)).not.toContain('KPAGECOUNT');
  });

  it('has a process wake the others that have actors, and wait for them', () => {
    const text = emit(`
  - { mmap: a }
  - { fork: p1 }
  - together: [[{ cpu-write: a }], [{ cpu-read: a, by: p1 }]]
`);
    expect(text).toMatch(
      /begin_together\(&together_2, 1\);\n\tpass_turn\(1\);\n\tplay\(&together_2, 0\);\n\twait_for_players\(\);/,
    );
    expect(text).toMatch(
      /wait_for_turn\(1\);\n\n\tplay\(&together_2, 1\);\n\tatomic_fetch_sub\(&shared->players, 1\);/,
    );
  });
});

describe('C of a step of several rounds', () => {
  const ROUNDS = `
  - { mmap: a }
  - { open: 0 }
  - together: [[{ cpu-write: a }], [{ migrate-to-dev: a, device: 0 }]]
    rounds: 30
  - { close: 0 }
`;

  it('has each write find what was written the round before, and the last write stay', () => {
    const text = emit(ROUNDS, [{ step: 2, field: 'words' }]);
    expect(text).toContain('err = cpu_write_again(REGION_A, REGION_A_PAGES, TOKEN(1026, 0, 0), round);');
    expect(text).toMatch(/check_last\("step 2, p0 a\[0\]", REGION_A, TOKEN\(1026, 0, 0\), 0\);/);
    expect(text).toContain('together_2 = { 2, 30, actors_2 };');
  });

  it('lets a part fail as others may make it fail, and in no other way', () => {
    expect(emit(ROUNDS)).toContain('err, (const int[]){ ENOENT, EINVAL }, 2);');
  });

  it('makes anew what the round before has used up: it opens what a part closes, and ends what one forks', () => {
    const text = emit(`
  - { mmap: a }
  - { open: 0 }
  - together: [[{ migrate-to-dev: a, device: 0 }, { close: 0 }], [{ fork: p1 }]]
    rounds: 9
`);
    expect(text).toMatch(
      /if \(round\) \{\n\t\tdevice\[0\] = open\("\/dev\/hmm_dmirror0", O_RDWR \| O_CLOEXEC\);\n\t\}/,
    );
    expect(text).toMatch(/if \(round\) \{\n\t\tend_child\(1\);\n\t\}/);
    // main() must not take that end for one of the program.
    expect(text).toContain('} while (pid > 0);');
  });

  it('expects no page of a device that nobody has open', () => {
    expect(emit(ROUNDS, [{ step: 3, field: 'pagemap.kind' }])).toMatch(
      /check_home\("step 3, p0 a\[0\]", REGION_A\)/,
    );
    expect(emit(ROUNDS, [{ step: 2, field: 'words' }])).not.toContain('check_home(');
  });
});
