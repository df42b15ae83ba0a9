/** Lanes of recorded runs. */
import { digestOf } from '../../../harness/against/digests.ts';
import type { LaneDigests } from '../../../harness/against/pair.ts';
import type { ComparableTranscript } from '../../../harness/compare/compare.ts';
import type { Environment } from '../../../harness/compare/environment.ts';
import type { Program } from '../../../model/program.ts';

export interface RanPrograms {
  environment: Environment;
  programs: readonly { program: Program; transcript: ComparableTranscript }[];
}

/** A lane as it is after its run. */
export function laneOf(name: string, { environment, programs }: RanPrograms): LaneDigests {
  const { profile } = environment;
  return {
    name,
    profile,
    programs: programs.map(({ program }) => program),
    digests: new Map(
      programs.map(({ program, transcript }, index) => [index, digestOf(profile, program, transcript)]),
    ),
    async *recorded(wanted) {
      for (const [index, { transcript }] of programs.entries()) {
        if (wanted.has(index)) yield { index, transcript, environment };
      }
    },
  };
}
