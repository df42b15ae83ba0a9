/** Kernel against kernel: whether what one lane's programs showed is shown on the others, too. */
import { join } from 'node:path';
import type { RunEvents } from '../events.ts';
import { loadProgram } from '../programs/load.ts';
import type { LaneVerdict } from '../report/verdict.ts';
import type { Lane } from './lane.ts';

/** A lane and what came of it. */
export interface Finished {
  lane: Lane;
  verdict: LaneVerdict;
}

/** Runs each finding's smallest program on every other lane, and notes in the verdicts how often it shows there. */
export async function tryElsewhere(
  finished: readonly Finished[],
  runFolder: string,
  events: RunEvents,
): Promise<void> {
  for (const { lane, verdict } of finished) {
    for (const finding of verdict.suites.programs?.findings ?? []) {
      const { id, folder, smallest, fingerprint } = finding;
      if (folder === null || smallest === null) continue;
      const program = await loadProgram(join(runFolder, folder, smallest.file));
      for (const other of finished) {
        if (other.lane === lane) continue;
        const { name } = other.lane;
        await events.task(`${id} ${lane.name} on ${name}`, `Try ${id} on ${name}`, async (report) => {
          const rate = await other.lane.shows(program, fingerprint);
          if (!rate) return;
          finding.elsewhere.push({ lane: name, rate });
          report.detail = `shown in ${rate.shown} of ${rate.runs} runs`;
        });
      }
    }
  }
}
