/** Kernel against kernel: what the lanes of a run showed of the same programs, once all have run. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { z } from 'zod';
import { readDigests, readTranscripts } from '../against/digests.ts';
import { comparePair, type Difference, type LaneDigests, type PairResult } from '../against/pair.ts';
import { seenViews } from '../against/views.ts';
import type { RunEvents } from '../events.ts';
import { printProgram } from '../programs/print.ts';
import type { againstSchema } from '../report/verdict.ts';
import type { Finished } from './elsewhere.ts';

type Against = z.output<typeof againstSchema>;

/** Of a pair of lanes, so many programs whose difference is written out. */
const MOST_WRITTEN = 20;

interface Recorded extends LaneDigests {
  kernel: string;
  arch: string;
  files: string[];
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
      name: lane.name,
      kernel: lane.name.slice(0, -verdict.arch.length - 1),
      arch: verdict.arch,
      profile,
      programs,
      files,
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
          const { explained, differences } = pair;
          const differs = Object.values(explained).reduce((sum, count) => sum + count, 0);
          report.detail = `${pair.programs} programs, ${differs} views differ as the model says, ${differences.length} programs otherwise`;
          results.push({
            ...pair,
            differences: await writeDifferences(pair, [left, right], runFolder, signal),
          });
        },
      );
    }
  }
  return results;
}

async function writeDifferences(
  { differences, lanes }: PairResult,
  [left, right]: readonly [Recorded, Recorded],
  runFolder: string,
  signal: AbortSignal,
): Promise<Against[number]['differences']> {
  const folder = join(runFolder, 'against');
  const written: Against[number]['differences'] = [];
  for (const difference of differences.slice(0, MOST_WRITTEN)) {
    const file = join(folder, `${lanes.join('-').replaceAll(' ', '-')}-${difference.program}.txt`);
    await mkdir(folder, { recursive: true });
    const program = left.programs.find(({ name }) => name === difference.program)!;
    const texts = [];
    for (const lane of [left, right]) {
      texts.push(`${lane.name}:`, await viewText(lane, difference, signal), '');
    }
    await writeFile(
      file,
      [
        `${difference.view} of step ${difference.step} differs, and the model does not say that it may.`,
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

async function viewText(
  lane: Recorded,
  { program, step, view }: Difference,
  signal: AbortSignal,
): Promise<string> {
  const wanted = lane.programs.findIndex(({ name }) => name === program);
  const steps = lane.programs[wanted]!;
  let text = '';
  // A program that was run again has two; the last counts, as in the digests.
  for await (const { index, transcript } of readTranscripts(lane.files, signal)) {
    if (index === wanted)
      text = [...seenViews(lane.profile, steps, transcript)][step]?.[view] ?? 'did not come so far';
  }
  return text || 'nothing';
}
