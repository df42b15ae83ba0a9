/**
 * Transcripts of real guests (test/fixtures/transcripts/NAME.bin, as the agent sent them), with the programs and what
 * they ran on (NAME.json).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compare } from '../../../harness/compare/compare.ts';
import type { Environment } from '../../../harness/compare/environment.ts';
import { AgentStream } from '../../../harness/programs/agent-stream.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import type { RecordedTranscript } from '../../../harness/programs/transcript.ts';
import { makeProfile } from '../../../model/profile.ts';
import type { Program } from '../../../model/program.ts';
import { mutations } from './mutate.ts';

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

interface Run {
  environment: Environment;
  programs: { program: Program; transcript: RecordedTranscript }[];
}

function load(name: string): Run {
  const file = (suffix: string) => new URL(`../../fixtures/transcripts/${name}.${suffix}`, import.meta.url);
  const run = RunSchema.parse(JSON.parse(readFileSync(file('json'), 'utf8')));
  const [, ...answers] = new AgentStream().push(readFileSync(file('bin')));
  const programs = answers.map((message, index) => {
    if (message.type !== 'transcript') throw new Error(`answer ${index} is a ${message.type}`);
    return { program: parseProgram(name, run.programs[index]!), transcript: message.transcript };
  });
  expect(programs).toHaveLength(run.programs.length);
  return { environment: { profile: makeProfile(run.profile), chunks: run.chunks }, programs };
}

const names = ['run-pfn-x86_64', 'run-pfn-aarch64', 'run-offset-x86_64'];

describe.each(names)('the recorded run %s', (name) => {
  const { environment, programs } = load(name);

  it('is what the model predicts', () => {
    for (const { program, transcript } of programs) {
      const { divergences, steps } = compare(program, transcript, environment);
      expect(divergences, program.name).toEqual([]);
      expect(steps).toBe(program.steps.length);
    }
  });

  it('diverges by what is read with the wrong kernel in mind', () => {
    const { kernel, design, arch, softDirty } = environment.profile;
    const other = makeProfile({ kernel, design: design === 'pfn' ? 'offset' : 'pfn', arch, softDirty });
    const fields = programs.flatMap(({ program, transcript }) =>
      compare(program, transcript, { ...environment, profile: other }).divergences.map(({ field }) => field),
    );
    expect(fields).toContain('pagemap.kind');
    expect(fields).toContain('trace.kind');
  });

  it('diverges wherever one thing in it is changed', () => {
    // Every page of this program is seen more than once, so that its number is bound.
    // The fields of the recording that say how the agent fared are not the kernel's; PG_lru and PG_active may be free.
    // RssFile and RssShmem change with the agent's own text and transcript.
    const isNoChange =
      /^(strayEvents|stuck)|kpageflags bit [56]$|words (lengthened|shortened)$|(file|shmem) plus 1$/;
    const { program, transcript } = programs.find(
      ({ program }) => program.name === 'shared-page-migrates-for-all',
    )!;
    const unnoticed: string[] = [];
    for (const { name, transcript: changed } of mutations(transcript)) {
      if (isNoChange.test(name)) continue;
      if (compare(program, changed, environment).divergences.length === 0) unnoticed.push(name);
    }
    expect(unnoticed).toEqual([]);
  });
});
