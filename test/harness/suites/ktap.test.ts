import { describe, expect, it } from 'vitest';
import { KtapParser } from '../../../harness/suites/ktap.ts';

function parse(text: string) {
  const parser = new KtapParser();
  for (const line of text.split('\n').filter((part) => part !== '')) parser.push(line);
  return parser.end();
}

describe('KtapParser', () => {
  it('reads results, their directives and the diagnostics before them', () => {
    const { tests, problems } = parse(`
TAP version 13
1..3
#  RUN           hmm.private.open_close ...
#            OK  hmm.private.open_close
ok 1 hmm.private.open_close
#  RUN           hmm.coherent.open_close ...
#      SKIP      DEVICE_COHERENT not available
#            OK  hmm.coherent.open_close
ok 2 hmm.coherent.open_close # SKIP DEVICE_COHERENT not available
#  RUN           hmm.private.fault ...
# hmm-tests.c:300:fault:Expected ret (-14) == 0 (0)
# fault: Test terminated by assertion
#          FAIL  hmm.private.fault
not ok 3 hmm.private.fault
`);
    expect(problems).toEqual([]);
    expect(tests.map(({ name, status, reason }) => [name, status, reason])).toEqual([
      ['hmm.private.open_close', 'pass', ''],
      ['hmm.coherent.open_close', 'skip', 'DEVICE_COHERENT not available'],
      ['hmm.private.fault', 'fail', ''],
    ]);
    expect(tests[2]?.diagnostics).toContain('hmm-tests.c:300:fault:Expected ret (-14) == 0 (0)');
  });

  it('tells a test that was ended by its time limit from one that failed', () => {
    const { tests } = parse('1..1\n# migrate: Test terminated by timeout\nnot ok 1 migrate\n');
    expect(tests[0]?.status).toBe('timeout');
  });

  it('keeps the results of an indented block as the subtests of the line that closes it', () => {
    const { tests, problems } = parse(`
KTAP version 1
1..2
    KTAP version 1
    1..2
    ok 1 inner one
        1..1
        ok 1 innermost
    not ok 2 inner two
not ok 1 outer
ok 2 other
`);
    expect(problems).toEqual([]);
    expect(tests[0]?.subtests.map(({ name, status }) => [name, status])).toEqual([
      ['inner one', 'pass'],
      ['inner two', 'fail'],
    ]);
    expect(tests[0]?.subtests[1]?.subtests[0]?.name).toBe('innermost');
    expect(tests[1]?.subtests).toEqual([]);
  });

  it("reads the blocks that kselftest's runner puts behind number signs", () => {
    const { tests, problems } = parse(
      'TAP version 13\n1..1\n# TAP version 13\n# 1..1\n# ok 1 hmm.a\nok 1 selftests: mm: hmm-tests\n',
    );
    expect(problems).toEqual([]);
    expect(tests[0]?.subtests.map(({ name }) => name)).toEqual(['hmm.a']);
  });

  it('measures each test from the result before it', () => {
    const parser = new KtapParser();
    parser.push('1..2', 1000);
    parser.push('ok 1 a', 1500);
    parser.push('ok 2 b', 3500);
    expect(parser.end().tests.map(({ seconds }) => seconds)).toEqual([0.5, 2]);
  });

  it.each([
    ['fewer results than planned', '1..2\nok 1 a', /plan says 2 tests, but 1 results came/],
    ['more results than planned', '1..1\nok 1 a\nok 2 b', /plan says 1 tests, but 2/],
    ['no plan', 'ok 1 a', /no plan/],
    ['a number out of order', '1..2\nok 1 a\nok 3 b', /result 2 has number 3/],
    ['a second plan', '1..1\n1..1\nok 1 a', /second plan/],
    ['giving up', '1..2\nok 1 a\nBail out! no device', /Bail out! no device/],
    ['a nested plan that is short', '1..1\n    1..2\n    ok 1 a\nok 1 b', /nested block says 2 tests, but 1/],
    [
      'a nested block that nothing closes',
      '1..1\nok 1 b\n    KTAP version 1\n    1..2\n    ok 1 a',
      /nested block says 2/,
    ],
  ])('reports %s', (_, text, problem) => {
    expect(parse(text).problems.join('\n')).toMatch(problem);
  });
});
