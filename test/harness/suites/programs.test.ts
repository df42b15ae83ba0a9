import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { loadLibrary } from '../../../harness/programs/load.ts';
import type { Session } from '../../../harness/session/session.ts';
import { runPrograms } from '../../../harness/suites/programs.ts';

it('gives up an agent that says nothing, also when its channel never closes (a process in D state keeps it)', async () => {
  const [program] = await loadLibrary();
  // As far as runPrograms() knows it: an agent that takes programs and does nothing.
  const session = {
    guest: { slowness: 1, splats: [] },
    ssh: {
      spawn: async () => ({
        stdin: new PassThrough().resume(),
        stdout: new PassThrough(),
        stderr: new PassThrough(),
        exited: new Promise(() => {}),
        kill: () => {},
      }),
    },
  } as unknown as Session;
  const run = await runPrograms(session, [program!], {
    environment: () => {
      throw new Error('nothing is compared');
    },
    stepLimit: 20,
  });
  expect(run.results).toEqual([]);
  expect(run.lost).toEqual({ program, reason: 'it hangs, and the agent does not answer any more' });
});
