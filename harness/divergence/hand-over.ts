/** What of a finding is for people: the pages step by step, and a C program that shows it by itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { draw } from '../handover/draw.ts';
import { emitC } from '../handover/emit-c.ts';
import { html } from '../handover/html.ts';
import { symptomOf } from '../handover/symptom.ts';
import type { Finding } from './keep.ts';
import type { Trial } from './trials.ts';

/** Writes repro.c, and where the guest lived to tell, pages.txt and pages.html into a finding's folder. */
export async function writeHandOver(
  folder: string,
  finding: Finding,
  program: Program,
  trial: Trial,
  profile: Profile,
): Promise<void> {
  const { fingerprint, subject } = finding;
  const words = subject.append.length > 0 ? `, ${subject.append.join(' ')}` : '';
  const line = `${subject.origin}, ${fingerprint.arch}, design ${fingerprint.design}${words}`;
  const symptom = symptomOf(finding, program);
  // What the kernel said or died of, it may have come upon when it was asked for what the agent asks for.
  const observed = symptom.kind !== 'divergence';
  const source = emitC(program, symptom, { profile, foundOn: line, observed });
  await writeFile(join(folder, 'repro.c'), source);
  const { result, environment } = trial;
  if (!result?.transcript || !environment) return;
  const options = { environmentLine: line };
  await writeFile(join(folder, 'pages.txt'), draw(program, result.transcript, environment, options));
  await writeFile(join(folder, 'pages.html'), html(program, result.transcript, environment, options));
}
