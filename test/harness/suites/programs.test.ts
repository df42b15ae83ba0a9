import { readFileSync } from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { loadLibrary } from '../../../harness/programs/load.ts';
import { EndKind, StructSize } from '../../../harness/programs/protocol.ts';
import type { Session } from '../../../harness/session/session.ts';
import { describeEnd, LIMIT_AFTER_HANG_MS, runPrograms } from '../../../harness/suites/programs.ts';
import { makeProfile } from '../../../model/profile.ts';

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

it('waits less for programs that hang once one of them has', async () => {
  const [program] = await loadLibrary();
  const programs = Array.from({ length: 40 }, () => program!);
  const recording = readFileSync(new URL('../../fixtures/transcripts/x86_64.bin', import.meta.url));
  const limits: number[] = [];
  const stdout = new PassThrough();
  /** An agent for which every program hangs before its first step. */
  const hang = (frame: Buffer) => {
    limits.push(frame.readUInt32LE(StructSize.frame_header + 8));
    const answer = Buffer.alloc(StructSize.frame_header + StructSize.transcript_header);
    const transcriptAt = recording.readUInt32LE(12) + StructSize.frame_header;
    recording.copy(answer, 0, transcriptAt, transcriptAt + StructSize.frame_header);
    answer.writeUInt32LE(frame.readUInt32LE(8), 8);
    answer.writeUInt32LE(StructSize.transcript_header, 12);
    answer.writeUInt32LE(EndKind.hung, StructSize.frame_header);
    stdout.write(answer);
  };
  let waiting = Buffer.alloc(0);
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      waiting = Buffer.concat([waiting, chunk]);
      for (;;) {
        const length = waiting.length < 16 ? Infinity : StructSize.frame_header + waiting.readUInt32LE(12);
        if (waiting.length < length) break;
        hang(waiting.subarray(0, length));
        waiting = waiting.subarray(length);
      }
      done();
    },
    final: (done) => done(void stdout.end()),
  });
  const agent = { stdin, stdout, stderr: new PassThrough(), exited: Promise.resolve(), kill: () => {} };
  const session = {
    guest: { slowness: 3, splats: [] },
    ssh: { spawn: async () => agent },
  } as unknown as Session;
  const profile = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
  const { results } = await runPrograms(session, programs, {
    environment: () => ({ profile, chunks: [], coherentChunks: [] }),
    stepLimit: 5000,
  });
  expect(results).toHaveLength(40);
  expect(results.every(({ comparison }) => comparison.divergences[0]?.field === 'end')).toBe(true);
  expect(limits[0]).toBe(15_000);
  expect(limits.at(-1)).toBe(3 * LIMIT_AFTER_HANG_MS);
});

it('says what a process that cannot be killed waits in: two hangs in other places are two bugs', () => {
  const stacks = [
    'process 1, pid 71, state S (sleeping), in futex_do_wait\n[<0>] futex_do_wait+0x1/0x2',
    'process 0, pid 70, state D (disk sleep), in softleaf_entry_wait_on_locked\n[<0>] softleaf_entry_wait_on_locked+0x232/0x250',
  ];
  expect(describeEnd({ end: { kind: 'hung', step: 7, stacks } }).split('\n')[0]).toBe(
    'hung in step 7, in softleaf_entry_wait_on_locked',
  );
  expect(describeEnd({ end: { kind: 'hung', step: 7, stacks: [] } })).toBe('hung in step 7\n');
});
