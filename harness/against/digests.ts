/** A short form of all that a lane's transcripts show, since those of thousands of programs do not fit into memory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { ProgramTranscript } from '../../model/observation.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { ComparableTranscript } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import { AgentStream } from '../programs/agent-stream.ts';
import type { RecordedTranscript } from '../programs/transcript.ts';
import { Breaks } from './breaks.ts';
import { adoptedViews, expectedViews } from './expected-views.ts';
import { seenViews } from './seen-views.ts';
import { VIEWS, type Views } from './views.ts';

/** A number for each view of each step, equal where the views are. */
export type Digests = Float64Array;

/** 2^48 of them: that two of some million views have the same by chance happens once in many runs. */
const DIGEST_BYTES = 6;

export function digestOfText(text: string): number {
  return createHash('md5').update(text).digest().readUIntBE(0, DIGEST_BYTES);
}

function digestsOf(steps: Iterable<Views>): Digests {
  const digests: number[] = [];
  for (const views of steps) for (const view of VIEWS) digests.push(digestOfText(views[view]));
  return Float64Array.from(digests);
}

export function digestOf(profile: Profile, program: Program, transcript: ProgramTranscript): Digests {
  return digestsOf(seenViews(profile, program, transcript));
}

/** What the model says of a program on a lane. */
export interface Prediction {
  /** When it takes what it has free as it likes, and as the lane has shown. */
  free: Digests;
  adopted: Digests;
  /** Of each step, by the name of the freedom: a number that is equal where it went the same way. */
  taken: ReadonlyMap<string, number>[];
}

export function predictionOf(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
): Prediction {
  const adopted = adoptedViews(program, transcript, environment);
  return {
    free: digestsOf(expectedViews(program, environment.profile, transcript)),
    adopted: digestsOf(adopted.map(({ views }) => views)),
    taken: adopted.map(({ taken }) => new Map([...taken].map(([name, text]) => [name, digestOfText(text)]))),
  };
}

/**
 * The transcripts of a lane's recordings, with the 0-based index of each program: runPrograms numbers them through all
 * guests of a lane. A recording whose guest was lost may end in the middle of one.
 *
 * @param wanted programs by their index; others are passed over, which takes next to no time. @default all
 * @throws HmmdiffError `transcript-corrupt`; the signal's reason when it aborts
 */
export async function* readTranscripts(
  files: readonly string[],
  { wanted, signal }: { wanted?: ReadonlySet<number>; signal?: AbortSignal } = {},
): AsyncGenerator<{ index: number; transcript: RecordedTranscript; file: string }> {
  // A file that is in memory is read without ever waiting for it.
  const breaks = new Breaks(signal);
  for (const file of files) {
    const stream = new AgentStream((sequence) => wanted?.has(sequence - 1) ?? true);
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      await breaks.due();
      for (const message of stream.push(chunk)) {
        if (message.type === 'transcript') {
          yield { index: message.sequence - 1, transcript: message.transcript, file };
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
  for await (const { index, transcript } of readTranscripts(files, signal ? { signal } : {})) {
    digests.set(index, digestOf(profile, programs[index]!, transcript));
    progress?.(digests.size);
  }
  return digests;
}
