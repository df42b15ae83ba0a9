import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import type { Divergence } from '../compare/tally.ts';
import { describeFingerprint, mostTelling } from '../divergence/fingerprint.ts';
import { type Finding, readFinding } from '../divergence/keep.ts';
import { inputError } from '../errors.ts';
import { formatFields, formatVerdict } from '../report/table.ts';
import { type Verdict, verdictSchema } from '../report/verdict.ts';

interface ShowOptions {
  details?: boolean;
  json?: boolean;
}

export function showCommand(): Command {
  return new Command('show')
    .description('what a run found, or all about one finding')
    .argument('<folder>', 'a run folder, or the folder of a finding')
    .argument('[id]', 'a finding of the run')
    .option(
      '--details',
      'of a run: what was compared field by field, and what of the model no program reached',
    )
    .option('--json', 'print the verdict or the finding as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 shown; 2 bad usage or input.

Examples:
  hmmdiff show hmmdiff-out/2026-11-21T10-00-00
  hmmdiff show hmmdiff-out/2026-11-21T10-00-00 --details
  hmmdiff show hmmdiff-out/2026-11-21T10-00-00 1a2b3c4d`,
    )
    .action(async (path: string, id: string | undefined, options: ShowOptions) => {
      const folder = resolve(path);
      const isFinding = (await stat(join(folder, 'finding.json')).catch(() => undefined)) !== undefined;
      if (isFinding || id !== undefined) {
        const place = isFinding ? folder : await findFinding(folder, id!);
        const finding = await readFinding(place);
        process.stdout.write(
          options.json ? `${JSON.stringify(finding)}\n` : await formatFinding(place, finding),
        );
        return;
      }
      const verdict = await readVerdict(folder);
      process.stdout.write(
        options.json ? `${JSON.stringify(verdict)}\n` : formatVerdict(verdict, folder, options.details),
      );
    });
}

/** @throws HmmdiffError `run-folder` */
async function readVerdict(folder: string): Promise<Verdict> {
  const file = join(folder, 'verdict.json');
  try {
    return verdictSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw inputError('run-folder', `${file} is no verdict of this version of hmmdiff`, {
      cause,
      hint: 'Give the folder that "hmmdiff run" names in its last line.',
    });
  }
}

async function findFinding(folder: string, id: string): Promise<string> {
  const all = (await readVerdict(folder)).lanes.flatMap(({ suites }) => suites.programs?.findings ?? []);
  const kept = all.filter((finding) => finding.folder !== null);
  const found = kept.find((finding) => finding.id === id);
  if (found) return join(folder, found.folder!);
  throw inputError('finding', `${folder} keeps no finding ${id}`, {
    hint: kept.length > 0 ? `It has: ${kept.map((finding) => finding.id).join(', ')}.` : 'It keeps none.',
  });
}

async function formatFinding(folder: string, finding: Finding): Promise<string> {
  const { subject, fingerprint, programs, original, smallest, splats, lost } = finding;
  const divergences = finding.divergences as Divergence[];
  const text = (file: string) => readFile(join(folder, file), 'utf8');
  const times = ({ shown, runs }: { shown: number; runs: number }) => `${shown} of ${runs} runs`;
  const lines = [
    `finding ${finding.id}: ${describeFingerprint(fingerprint, mostTelling(divergences))}`,
    `kernel   ${subject.origin}, ${fingerprint.arch}, design ${fingerprint.design}`,
    `programs ${programs.length}: ${programs.slice(0, 5).join(', ')}${programs.length > 5 ? ', …' : ''}`,
    `original ${original.steps} steps, shown again in ${times(original.rate)} (${join(folder, original.file)})`,
  ];
  if (smallest) {
    lines.push(
      `smallest ${smallest.steps} steps${smallest.minimal ? ', none of which can go' : ''}, shown in ${times(smallest.rate)}, ${times(smallest.coldRate)} on a machine that had just booted`,
    );
  }
  lines.push('', (await text((smallest ?? original).file)).trimEnd());
  for (const splat of splats) lines.push('', ...splat.lines);
  if (lost !== null) lines.push('', `guest lost: ${lost}`);
  const drawing = await text('pages.txt').catch(() => undefined);
  if (drawing !== undefined) lines.push('', drawing.trimEnd());
  else if (divergences.length > 0) lines.push('', 'in the run that found it:', ...formatFields(divergences));
  lines.push('', `again: hmmdiff repro ${folder}`);
  if (smallest) lines.push(`in C:  gcc -static -O2 -I LINUX/lib -o repro ${join(folder, 'repro.c')}`);
  return `${lines.join('\n')}\n`;
}
