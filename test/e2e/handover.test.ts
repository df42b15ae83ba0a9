/** Emitted C programs, built with the tree's own headers and run by the default kernel. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emitC } from '../../harness/handover/emit-c.ts';
import { isConcurrent } from '../../harness/handover/emit-concurrent.ts';
import type { Symptom } from '../../harness/handover/symptom.ts';
import { generateConcurrentPrograms } from '../../harness/programs/generate-concurrent.ts';
import { findHazard } from '../../harness/programs/hazards.ts';
import { loadLibrary } from '../../harness/programs/load.ts';
import { profileOf } from '../../harness/run/profile.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { ARCHITECTURES, type Arch } from '../../qemu/machine.ts';
import { everything } from '../harness/handover/everything.ts';
import { type EmittedProgram, runEmitted } from './support/emitted.ts';
import { defaultKernel } from './support/kernels.ts';
import { wrongConcurrentPrograms, wrongPrograms } from './support/wrong-programs.ts';

let folder: string;
let library: Program[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hmmdiff-handover-'));
  library = await loadLibrary();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Compiling and running them all takes five minutes an architecture: every this many are, or all on request. */
const EVERY = process.env.HMMDIFF_ALL_PROGRAMS ? 1 : 12;
/** In any case: programs with what went wrong in C once. What follows a reload looks for chunks behind it in the log. */
const ALWAYS: ReadonlySet<string> = new Set([
  'mlock-counts-mappings',
  'mlocked-pages-migrate',
  'pageout-of-shmem-without-swap',
  'pinned-page-is-kept-by-reclaim',
  'reload-makes-devices-anew',
]);
/** Every this many programs, the whole of one is also checked at its end as the agent would leave it. */
const OBSERVED_EVERY = 8;
/** Of programs with actors. */
const CONCURRENT_EVERY = process.env.HMMDIFF_ALL_PROGRAMS ? 1 : 4;
const GENERATED = process.env.HMMDIFF_ALL_PROGRAMS ? 40 : 4;

/** Of each library program all steps, and its last step without a look at anything before. */
function asExpected(profile: Profile): EmittedProgram[] {
  return library
    .filter((program) => !findHazard(program, profile))
    .filter((program) => !isConcurrent(program))
    .filter(({ name }, index) => index % EVERY === 0 || ALWAYS.has(name))
    .flatMap((program, index) => {
      const { length } = program.steps;
      const emit = (what: string, symptom: Symptom, observed = false): EmittedProgram => ({
        name: `${program.name}-${what}`,
        text: emitC(program, symptom, { profile, observed, checks: Number.POSITIVE_INFINITY }),
        status: 0,
      });
      const end = everything(program, profile, (step) => step === length);
      return [
        emit('all', everything(program, profile)),
        emit(
          'last',
          everything(program, profile, (step) => step === length - 1),
        ),
        ...(index % OBSERVED_EVERY === 0 ? [emit('observed', end, true)] : []),
      ];
    });
}

/** Runs of a program whose actors meet by chance. */
const ATTEMPTS = 5;

/** Programs with actors, looked at behind their last step. */
function togetherAsExpected(profile: Profile): EmittedProgram[] {
  const own = library.filter(isConcurrent).filter((_, index) => index % CONCURRENT_EVERY === 0);
  return [...own, ...generateConcurrentPrograms(3, GENERATED, { profile })]
    .filter((program) => !findHazard(program, profile))
    .map((program): EmittedProgram => {
      const last = program.steps.length - 1;
      const symptom = everything(program, profile, (step) => step === last);
      return {
        name: `${program.name}-together`,
        text: emitC(program, symptom, { profile, attempts: ATTEMPTS }),
        status: 0,
      };
    });
}

describe.each(ARCHITECTURES)('emitted programs on %s', (arch: Arch) => {
  it('succeed on a kernel that behaves, and fail by each expectation that is wrong', {
    timeout: 1_200_000,
  }, async () => {
    const kernel = await defaultKernel(arch);
    const profile = await profileOf(kernel, '7.3', 'pfn');
    const forked = library.find(({ name }) => name === 'shared-page-migrates-for-all')!;
    const raced = library.filter(isConcurrent);
    const programs = [
      ...asExpected(profile),
      ...wrongPrograms(forked, profile),
      ...togetherAsExpected(profile),
      ...wrongConcurrentPrograms(raced, profile),
    ];
    const { results, splats } = await runEmitted(kernel, programs, folder);
    // One of the programs writes it into the log.
    expect(splats.filter((title) => !title.includes('made up'))).toEqual([]);
    for (const { name, status, prints } of programs) {
      const { status: seen, text } = results.get(name)!;
      expect
        .soft(`${name}: status ${seen}\n${seen === status ? '' : text}`)
        .toBe(`${name}: status ${status}\n`);
      if (prints) expect.soft(text, name).toMatch(prints);
    }
  });
});
