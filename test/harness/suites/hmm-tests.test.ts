import { PassThrough, Readable } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import type { Session } from '../../../harness/session/session.ts';
import { parseTestList, runHmmTests } from '../../../harness/suites/hmm-tests.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('reads the list of tests, in which variants and tests stand in columns of their own', () => {
  const list = [
    '# [INFO] detected hugetlb page size: 2048 KiB',
    '# FIXTURE            VARIANT                   TEST',
    'global                                         ',
    '-'.repeat(80),
    'hmm                  hmm_device_private        benchmark',
    '                     hmm_device_coherent       snapshot',
    '                                               open_close',
    '-'.repeat(80),
    'hmm2                 hmm2_device_private       double_map',
    '-'.repeat(80),
    'plain                                          alone',
  ].join('\n');
  expect(parseTestList(list)).toEqual([
    'hmm.hmm_device_private.benchmark',
    'hmm.hmm_device_private.snapshot',
    'hmm.hmm_device_private.open_close',
    'hmm.hmm_device_coherent.benchmark',
    'hmm.hmm_device_coherent.snapshot',
    'hmm.hmm_device_coherent.open_close',
    'hmm2.hmm2_device_private.double_map',
    'plain.alone',
  ]);
});

it('gives each test its time as it is on this host', async () => {
  const commands: string[] = [];
  const stdout = Readable.from([
    'TAP version 13\n1..1\n#  RUN           hmm.a ...\n#            OK  hmm.a\nok 1 hmm.a\n# PASSED: 1 / 1 tests passed.\n# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0\n',
  ]);
  const process = { stdin: new PassThrough(), stdout, exited: Promise.resolve(), kill() {} };
  const spawn = async (command: string) => {
    commands.push(command);
    return process;
  };
  const session = { guest: { slowness: 2.51 }, ssh: { spawn } } as unknown as Session;
  const run = await runHmmTests(session, { tests: ['hmm.a'] });
  expect(run.tests.map(({ name, status }) => [name, status])).toEqual([['hmm.a', 'pass']]);
  // qemu/guest/test_limit.h reads it.
  expect(commands).toEqual(['HMMDIFF_TEST_SECONDS=76 exec hmm-tests -r hmm.a 2>&1']);
});

it('gives up a test that says nothing any more, and whose process never ends', async () => {
  vi.useFakeTimers();
  const stdout = new PassThrough();
  stdout.write(
    'TAP version 13\n1..3\n#  RUN           hmm.a ...\n#            OK  hmm.a\nok 1 hmm.a\n#  RUN           hmm.b ...\n',
  );
  const process = { stdin: new PassThrough(), stdout, exited: new Promise(() => {}), kill() {} };
  const session = { guest: { slowness: 1 }, ssh: { spawn: async () => process } } as unknown as Session;
  const running = runHmmTests(session, { tests: ['hmm.a', 'hmm.b', 'hmm.c'] });
  await vi.advanceTimersByTimeAsync(60_000);
  const run = await running;
  expect(run.tests.map(({ name }) => name)).toEqual(['hmm.a']);
  expect(run.interrupted).toEqual({
    name: 'hmm.b',
    reason: 'hung: no output for 45 s, and its process does not end',
  });
  expect(run.remaining).toEqual(['hmm.c']);
});
