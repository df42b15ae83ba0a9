/**
 * Transcripts of real guests (test/fixtures/transcripts/NAME.bin, as the agent sent them), with the programs and what
 * they ran on (NAME.json).
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Environment } from '../../../harness/compare/environment.ts';
import { AgentStream } from '../../../harness/programs/agent-stream.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { listPages } from '../../../harness/programs/page-runs.ts';
import type { RecordedTranscript } from '../../../harness/programs/transcript.ts';
import type { ProgramTranscript } from '../../../model/observation.ts';
import { makeProfile } from '../../../model/profile.ts';
import type { Program } from '../../../model/program.ts';

const RunSchema = z.object({
  profile: z.object({
    kernel: z.enum(['7.3', '6.12']),
    design: z.enum(['pfn', 'offset']),
    arch: z.enum(['x86_64', 'aarch64']),
    softDirty: z.boolean(),
  }),
  chunks: z.array(z.object({ minor: z.number(), first: z.coerce.bigint(), end: z.coerce.bigint() })),
  programs: z.array(z.string()),
});

export interface Run {
  environment: Environment;
  programs: { program: Program; transcript: RecordedTranscript }[];
}

export function loadRun(name: string): Run {
  const file = (suffix: string) => new URL(`../../fixtures/transcripts/${name}.${suffix}`, import.meta.url);
  const run = RunSchema.parse(JSON.parse(readFileSync(file('json'), 'utf8')));
  const [, ...answers] = new AgentStream().push(readFileSync(file('bin')));
  const programs = answers.map((message, index) => {
    if (message.type !== 'transcript') throw new Error(`answer ${index} is a ${message.type}`);
    return { program: parseProgram(name, run.programs[index]!), transcript: message.transcript };
  });
  if (programs.length !== run.programs.length) throw new Error(`${name} has ${programs.length} answers`);
  return {
    environment: { profile: makeProfile(run.profile), chunks: run.chunks, coherentChunks: [] },
    programs,
  };
}

/** The same with each page as an object of its own, which can be changed. */
export function withListedPages<T extends ProgramTranscript>(transcript: T): T {
  const steps = transcript.steps.map((step) => ({
    ...step,
    regions: step.regions.map((region) => ({ ...region, pages: listPages(region.pages) })),
  }));
  return { ...transcript, steps };
}
