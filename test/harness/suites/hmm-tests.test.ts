import { expect, it } from 'vitest';
import { parseTestList } from '../../../harness/suites/hmm-tests.ts';

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
