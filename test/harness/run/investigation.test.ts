import { expect, it } from 'vitest';
import { fingerprintOfLoss, fingerprintOfSplat } from '../../../harness/divergence/fingerprint.ts';
import type { Trial } from '../../../harness/divergence/trials.ts';
import { locate } from '../../../harness/run/investigation.ts';
import type { Program } from '../../../model/program.ts';
import type { Splat } from '../../../qemu/splats.ts';

const setting = { design: 'pfn', arch: 'x86_64' } as const;
const [quiet, slow, noisy, dying] = ['quiet', 'slow', 'noisy', 'dying'].map(
  (name): Program => ({
    name,
    regions: [{ name: 'a', pages: 1 }],
    steps: [{ op: 'mmap', by: 0, region: 0, protection: 'read-write' }],
  }),
) as [Program, Program, Program, Program];
const warning: Splat = {
  kind: 'warning',
  title: 'WARNING in frob (mm/frob.c:1)',
  lines: [],
  firstLine: 1,
  lastLine: 1,
  panicked: false,
};

/** Trials in which `slow` is taken to hang, and `noisy` makes the kernel warn; each ends its guest. */
const ran: string[] = [];
const trials = {
  run: async (programs: readonly Program[]): Promise<Trial[]> => {
    const done: Trial[] = [];
    for (const program of programs) {
      ran.push(program.name);
      done.push({
        program,
        splats: program === noisy ? [warning] : [],
        fingerprints:
          program === noisy
            ? [fingerprintOfSplat(program, 0, warning, setting)]
            : program === slow
              ? [fingerprintOfLoss(program, 0, 'hung in step 0', setting)]
              : [],
        ...(program === slow ? { lost: 'hung in step 0' } : {}),
      });
      if (program === slow || program === noisy) break;
    }
    return done;
  },
};

it('takes of programs that ran to their ends the one that the kernel reports something of, and not one that is slow', async () => {
  const found = await locate({ lost: [], reported: [quiet, slow, noisy] }, trials, setting);
  expect(found.map(({ program }) => program.name)).toEqual(['noisy']);
});

it('believes a guest that has said in which step it was lost, and runs nothing again for that', async () => {
  ran.length = 0;
  const found = await locate(
    { lost: [{ program: dying, reason: 'its kernel panicked: oops', step: 0 }], reported: [] },
    trials,
    setting,
  );
  expect(found.map(({ fingerprint }) => fingerprint.operation)).toEqual(['mmap']);
  expect(ran).toEqual([]);
});
