/** Recorded transcripts with something wrong in them. */
import type { RecordedTranscript } from '../../../harness/programs/transcript.ts';
import type { PageObservation, RegionObservation } from '../../../model/observation.ts';
import type { Program } from '../../../model/program.ts';
import { loadRun, withListedPages } from '../compare/recorded-runs.ts';

/** A program of a recorded run, with a transcript of its own that may be changed. */
export function recorded(run: string, name: string) {
  const { environment, programs } = loadRun(run);
  const found = programs.find(({ program }: { program: Program }) => program.name === name);
  if (!found) throw new Error(`${run} has no ${name}`);
  return { environment, program: found.program, transcript: withListedPages(found.transcript) };
}

/** What is seen of a region of a process after a step. */
export function regionAt(
  { steps }: RecordedTranscript,
  step: number,
  process: number,
  region = 0,
): RegionObservation {
  return steps[step]!.regions.find((seen) => seen.process === process && seen.region === region)!;
}

export function pageAt(
  transcript: RecordedTranscript,
  step: number,
  process: number,
  page: number,
): PageObservation {
  return regionAt(transcript, step, process).pages.at(page)!;
}
