/** A short form of all that a lane's transcripts show, since those of thousands of programs do not fit into memory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { AgentStream } from '../programs/agent-stream.ts';
import type { RecordedTranscript } from '../programs/transcript.ts';
import { Breaks } from './breaks.ts';
import { seenViews, VIEWS } from './views.ts';

/** A number for each view of each step, equal where the views are. */
export type Digests = Float64Array;

/** 2^48 of them: that two of some million views have the same by chance happens once in many runs. */
const DIGEST_BYTES = 6;

export function digestOf(profile: Profile, program: Program, transcript: RecordedTranscript): Digests {
  const digests: number[] = [];
  for (const views of seenViews(profile, program, transcript)) {
    for (const view of VIEWS) {
      digests.push(createHash('md5').update(views[view]).digest().readUIntBE(0, DIGEST_BYTES));
    }
  }
  return Float64Array.from(digests);
}

/**
 * The transcripts of a lane's recordings, with the 0-based index of each program: runPrograms numbers them through all
 * guests of a lane. A recording whose guest was lost may end in the middle of one.
 *
 * @throws HmmdiffError `transcript-corrupt`; the signal's reason when it aborts
 */
export async function* readTranscripts(
  files: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<{ index: number; transcript: RecordedTranscript }> {
  // A file that is in memory is read without ever waiting for it.
  const breaks = new Breaks(signal);
  for (const file of files) {
    const stream = new AgentStream();
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      for (const message of stream.push(chunk)) {
        if (message.type === 'transcript') {
          yield { index: message.sequence - 1, transcript: message.transcript };
          await breaks.due();
        }
      }
    }
  }
}

/**
 * @param programs of the lane
 * @param options `progress` is told how many programs are done
 * @throws what readTranscripts throws
 */
export async function readDigests(
  profile: Profile,
  programs: readonly Program[],
  files: readonly string[],
  { signal, progress }: { signal?: AbortSignal; progress?: (done: number) => void } = {},
): Promise<Map<number, Digests>> {
  const digests = new Map<number, Digests>();
  for await (const { index, transcript } of readTranscripts(files, signal)) {
    digests.set(index, digestOf(profile, programs[index]!, transcript));
    progress?.(digests.size);
  }
  return digests;
}
