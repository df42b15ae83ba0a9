import { expect, it } from 'vitest';
import { announcements } from '../../../harness/divergence/announcements.ts';

it('tells whose a report on the console is, and that it came when the processes ended', () => {
  const texts = [
    '[    3.1] hmmdiff: program 1 step 0 op 3 by 0',
    '[    3.2] hmmdiff: program 1 step 1 op 7 by 0',
    '[    3.3] hmmdiff: program 1 step 2 end by 0',
    '[    3.4] BUG: Bad rss-counter state mm:00000000bfe1d10a type:MM_ANONPAGES val:-1 Comm:agent Pid:52',
    '[    3.5] hmmdiff: program 2 step 0 op 3 by 0',
    '[    3.6] WARNING: lib/test_hmm.c:1 at dmirror_fops_open+0x1/0x2, CPU#0: agent/52',
  ];
  const { at, lastStepOf } = announcements(texts.map((text, index) => ({ number: 11 + index, text })));
  expect(at(10)).toBeUndefined();
  expect(at(14)).toMatchObject({ program: 1, step: 2 });
  expect(at(16)).toMatchObject({ program: 2, step: 0 });
  expect(lastStepOf(1)).toBe(2);
  expect(lastStepOf(3)).toBeUndefined();
});
