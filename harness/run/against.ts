/** Kernel against kernel: what the lanes of a run showed of the same programs, once all have run. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { z } from 'zod';
import type { Profile } from '../../model/profile.ts';
import { readDigests, readTranscripts } from '../against/digests.ts';
import { adoptedViews } from '../against/expected-views.ts';
import {
  comparePair,
  type Difference,
  type LaneDigests,
  type PairResult,
  type RecordedProgram,
} from '../against/pair.ts';
import { seenViews } from '../against/seen-views.ts';
import type { RunEvents } from '../events.ts';
import { printProgram } from '../programs/print.ts';
import type { againstSchema } from '../report/verdict.ts';
import { deviceMemory } from '../session/chunks.ts';
import type { Finished } from './elsewhere.ts';
import { environmentOf } from './profile.ts';

type Against = z.output<typeof againstSchema>;

/** Of a pair of lanes, so many programs whose difference is written out. */
const MOST_WRITTEN = 20;

interface Recorded extends LaneDigests {
  kernel: string;
  arch: string;
}

/**
 * Compares each two lanes that differ in kernel or architecture alone, from their recorded transcripts. Each difference
 * that the model does not explain gets a file in the folder `against` of the run.
 *
 * @throws HmmdiffError `transcript-corrupt`; the signal's reason when it aborts
 */
export async function compareLanes(
  finished: readonly Finished[],
  runFolder: string,
  { events, signal }: { events: RunEvents; signal: AbortSignal },
): Promise<Against> {
  const lanes: Recorded[] = [];
  for (const { lane, verdict } of finished) {
    const profile = await lane.profile();
    if (!profile) continue;
    const files = lane.programTranscripts.map((file) => join(runFolder, file));
    const { programs } = lane;
    lanes.push({
      recorded: (wanted) => recordedPrograms(profile, files, wanted, signal),
      name: lane.name,
      kernel: lane.name.slice(0, -verdict.arch.length - 1),
      arch: verdict.arch,
      profile,
      programs,
      digests: await events.task(`digests ${lane.name}`, `Read what ${lane.name} showed`, (report) =>
        readDigests(profile, programs, files, {
          signal,
          progress: (done) => report.progress(done, programs.length, 'programs'),
        }),
      ),
    });
  }
  const results: Against = [];
  for (const [index, left] of lanes.entries()) {
    for (const right of lanes.slice(index + 1)) {
      if (left.kernel !== right.kernel && left.arch !== right.arch) continue;
      await events.task(
        `against ${left.name} ${right.name}`,
        `Compare ${left.name} with ${right.name}`,
        async (report) => {
          const pair = await comparePair(left, right, {
            signal,
            progress: (done) => report.progress(done, left.programs.length, 'programs'),
          });
          const { explained, freed, differences } = pair;
          const [differs, free] = [explained, freed].map((counts) =>
            Object.values(counts).reduce((sum, count) => sum + count, 0),
          );
          report.detail = `${pair.programs} programs, ${differs} views differ as the model says, ${free} by what it leaves free, ${differences.length} programs otherwise`;
          results.push({
            ...pair,
            differences: await writeDifferences(pair, [left, right], runFolder),
          });
        },
      );
    }
  }
  return results;
}

/** With the chunks that the console of their guest tells of: those of load are where they were for every program. */
async function* recordedPrograms(
  profile: Profile,
  files: readonly string[],
  wanted: ReadonlySet<number>,
  signal: AbortSignal,
): AsyncGenerator<RecordedProgram> {
  for (const file of files) {
    const console = await readFile(consoleOf(file), 'utf8');
    const environment = environmentOf({ memory: deviceMemory(console.split('\n')) }, profile);
    for await (const { index, transcript } of readTranscripts([file], { wanted, signal })) {
      yield { index, transcript, environment };
    }
  }
}

/** Of the guest whose recording `file` is (LanePrograms.run). */
function consoleOf(file: string): string {
  return file.replace(/transcripts$/, 'console');
}

async function writeDifferences(
  { differences, lanes }: PairResult,
  [left, right]: readonly [Recorded, Recorded],
  runFolder: string,
): Promise<Against[number]['differences']> {
  const folder = join(runFolder, 'against');
  const written: Against[number]['differences'] = [];
  for (const difference of differences.slice(0, MOST_WRITTEN)) {
    const file = join(folder, `${lanes.join('-').replaceAll(' ', '-')}-${difference.program}.txt`);
    await mkdir(folder, { recursive: true });
    const program = left.programs.find(({ name }) => name === difference.program)!;
    const texts = [];
    for (const lane of [left, right]) {
      texts.push(`${lane.name}:`, await viewText(lane, difference), '');
    }
    await writeFile(
      file,
      [
        `${difference.view} of step ${difference.step} differs, and not as the model says.`,
        '',
        ...texts,
        printProgram(program),
      ].join('\n'),
    );
    written.push({ ...difference, file: relative(runFolder, file) });
  }
  const rest = differences.slice(MOST_WRITTEN).map((difference) => ({ ...difference, file: null }));
  return [...written, ...rest];
}

/** What a lane showed, and where that is not the same, what the model says of it. */
async function viewText(lane: Recorded, { program, step, view }: Difference): Promise<string> {
  const wanted = lane.programs.findIndex(({ name }) => name === program);
  const steps = lane.programs[wanted]!;
  let texts: string[] = [];
  // A program that was run again has two; the last counts, as in the digests.
  for await (const { transcript, environment } of lane.recorded(new Set([wanted]))) {
    const seen = [...seenViews(lane.profile, steps, transcript)][step]?.[view] ?? 'did not come so far';
    const expected =
      adoptedViews(steps, transcript, environment)[step]?.views[view] ?? 'does not come so far';
    texts = seen === expected ? [seen] : [seen, '', `the model of ${lane.name}:`, expected];
  }
  return texts.join('\n');
}
