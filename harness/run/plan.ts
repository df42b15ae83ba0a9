/** What a run is to do: plan.json in its folder. */
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { inputError } from '../errors.ts';
import { architectures } from '../kernels/arch.ts';
import { EXHAUSTIVE_OPERATIONS } from '../programs/exhaustive.ts';
import { version } from '../version.ts';

export const TRANSITIONS = ['none', 'small', 'all'] as const;

const count = z.int().nonnegative();

export const planSchema = z.strictObject({
  format: z.literal(1),
  hmmdiff: z.string(),
  /** As resolveKernels takes them. */
  kernels: z.array(z.string()),
  series: z.string().optional(),
  archs: z.array(z.enum(architectures)),
  suites: z.array(z.enum(['hmm-tests', 'programs', 'lifecycle'])),
  /** Programs of harness/programs/transitions to run, beside the library: those of small regions, or all. */
  transitions: z.enum(TRANSITIONS),
  /** How many programs to generate, beside those. */
  programs: count,
  /** How many programs with steps together to generate, beside those. */
  concurrent: count,
  /** How many steps a generated program has, about. */
  steps: z.int().positive(),
  seed: z.int(),
  /** All programs over an alphabet, instead of library and generated ones. */
  exhaustive: z
    .strictObject({
      length: z.int().positive(),
      pages: z.int().positive(),
      devices: z.int().positive(),
      processes: z.int().positive(),
      operations: z.array(z.enum(EXHAUSTIVE_OPERATIONS)).min(1),
    })
    .optional(),
  accel: z.enum(['auto', 'kvm', 'tcg']),
  scenario: z.enum(['default', 'full-address-space']),
  /** Further words of every guest's kernel command line. */
  append: z.array(z.string()),
  /** Config fragments beyond the usual. */
  fragments: z.array(z.string()),
  /** Let hmm-tests run its benchmarks. */
  benchmarks: z.boolean(),
  /** Steps of a program from one smaps to the next. */
  smapsEvery: z.int().positive(),
  /** Compare what the lanes showed with each other, too. */
  against: z.boolean(),
  /** Findings of each lane's programs to shrink at most. */
  shrink: count,
});

export type Plan = Omit<z.output<typeof planSchema>, 'format' | 'hmmdiff'>;

/** The plan alone, of options that have more. */
export function planOf(options: Plan): Plan {
  const {
    format: _format,
    hmmdiff: _hmmdiff,
    ...plan
  } = planSchema.strip().parse({
    ...options,
    format: 1,
    hmmdiff: version,
  });
  return plan;
}

export async function writePlan(folder: string, plan: Plan): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeWhole(join(folder, 'plan.json'), { format: 1, hmmdiff: version, ...plan });
}

/** Whether a run has begun there. */
export function hasPlan(folder: string): Promise<boolean> {
  return access(join(folder, 'plan.json')).then(
    () => true,
    () => false,
  );
}

/** @throws HmmdiffError `resume` for a folder whose run this version of hmmdiff cannot go on with */
export async function readPlan(folder: string): Promise<Plan> {
  const file = join(folder, 'plan.json');
  try {
    return planOf(planSchema.parse(JSON.parse(await readFile(file, 'utf8'))));
  } catch (cause) {
    throw inputError('resume', `${file} is no plan of this version of hmmdiff`, {
      cause,
      hint: 'Give the folder of an earlier "hmmdiff run".',
    });
  }
}

/** Writes a file that is whole under its final name. */
export async function writeWhole(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.partial`, `${JSON.stringify(value, null, 2)}\n`);
  await rename(`${file}.partial`, file);
}
