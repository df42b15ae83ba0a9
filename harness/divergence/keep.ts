/** The folder of a finding: everything about one bug, to be handed to somebody else. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { inputError } from '../errors.ts';
import { printProgram } from '../programs/print.ts';
import {
  describeFingerprint,
  type Fingerprint,
  fingerprintSchema,
  identify,
  mostTelling,
} from './fingerprint.ts';
import { writeHandOver } from './hand-over.ts';
import type { Investigation, Suspicion } from './investigate.ts';
import type { Trial } from './trials.ts';

const count = z.int().nonnegative();
const rate = z.strictObject({ shown: count, runs: count });

const divergence = z.strictObject({
  step: count,
  process: count.optional(),
  region: count.optional(),
  page: count.optional(),
  field: z.string(),
  expected: z.string(),
  seen: z.string(),
  rule: z.string(),
});

/** What a finding was seen on; enough to run it again. */
const subject = z.strictObject({
  /** As `--kernel` and `--series` took them. */
  kernel: z.string(),
  version: z.string(),
  origin: z.string(),
  series: z.string().nullable(),
  config: z.array(z.string()),
  append: z.array(z.string()),
  scenario: z.string(),
});

export const smallestSchema = z.strictObject({
  file: z.string(),
  steps: count,
  rate,
  /** On machines that had just booted. */
  coldRate: rate,
  /** No part of it can be left out. */
  minimal: z.boolean(),
  /** Smaller programs that were run. */
  tried: count,
});

/** finding.json in the folder of a finding. */
export const findingSchema = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  fingerprint: fingerprintSchema,
  subject,
  /** Names of all programs of the lane that showed it. */
  programs: z.array(z.string()),
  /** The program that was shrunk: its steps, and how often it showed it when run again. */
  original: z.strictObject({ file: z.string(), steps: count, rate }),
  /** The smallest program that was found; null when the original did not show it again. */
  smallest: smallestSchema.nullable(),
  seconds: z.number(),
  /** Of the smallest program, in the step that shows it; of the run, where no trial has shown it again. */
  divergences: z.array(divergence),
  /** What the kernel reported meanwhile. */
  splats: z.array(z.strictObject({ title: z.string(), lines: z.array(z.string()) })),
  /** Why the guest was lost. */
  lost: z.string().nullable(),
});

export type Finding = z.output<typeof findingSchema>;
export type Subject = Finding['subject'];

/** Writes the folder of a finding below `parent`, and answers its path. */
export async function keepFinding(
  parent: string,
  subject: Subject,
  suspicion: Suspicion,
  investigation: Investigation,
  profile: Profile,
): Promise<{ folder: string; finding: Finding }> {
  const { fingerprint, original, originalRate, program, trial } = investigation;
  const id = identify(fingerprint);
  const folder = join(parent, `${id}-${fingerprint.operation}-${fingerprint.field}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'original.yaml'), printProgram(original));
  const shrunk = originalRate.shown > 0;
  const smallest = nameAfter(program, id, fingerprint, trial);
  if (shrunk) await writeFile(join(folder, 'smallest.yaml'), printProgram(smallest));
  const finding: Finding = findingSchema.parse({
    format: 1,
    id,
    fingerprint,
    subject,
    programs: suspicion.programs.map(({ name }) => name),
    original: { file: 'original.yaml', steps: original.steps.length, rate: originalRate },
    smallest: shrunk
      ? {
          file: 'smallest.yaml',
          steps: program.steps.length,
          rate: investigation.rate,
          coldRate: investigation.coldRate,
          minimal: investigation.minimal,
          tried: investigation.tried,
        }
      : null,
    seconds: Math.round(investigation.seconds * 100) / 100,
    divergences: [...(trial?.result?.comparison.divergences ?? suspicion.divergences ?? [])],
    splats: (trial?.splats ?? []).map(({ title, lines }) => ({ title, lines })),
    lost: trial?.lost ?? null,
  } satisfies Finding);
  await writeFile(join(folder, 'finding.json'), `${JSON.stringify(finding, null, 2)}\n`);
  if (shrunk && trial) await writeHandOver(folder, finding, smallest, trial, profile);
  return { folder, finding };
}

/** @throws HmmdiffError `finding` for a folder without a finding.json that can be read */
export async function readFinding(folder: string): Promise<Finding> {
  const file = join(folder, 'finding.json');
  try {
    return findingSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw inputError('finding', `${file} is no finding of this version of hmmdiff`, { cause });
  }
}

function nameAfter(
  program: Program,
  id: string,
  fingerprint: Fingerprint,
  trial: Trial | undefined,
): Program {
  const shown = mostTelling(trial?.result?.comparison.divergences ?? []);
  return { ...program, name: `finding-${id}`, about: `Shows ${describeFingerprint(fingerprint, shown)}.` };
}
