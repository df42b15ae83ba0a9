import { Command } from 'commander';
import { installPackages } from '../doctor/install.ts';
import { checkRequirements, type Finding, missingPackages } from '../doctor/requirements.ts';
import { ExitStatus } from '../errors.ts';
import { colorsFor } from '../report/colors.ts';

export function doctorCommand(signal: AbortSignal): Command {
  return new Command('doctor')
    .description('check what this host has for building kernels and running guests')
    .option('--install', 'install the missing Debian packages; prints first what it will install')
    .option('--quiet', 'print nothing when all is there')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 all there; 3 something is missing.

Examples:
  hmmdiff doctor
  hmmdiff doctor --install`,
    )
    .action(async (options: { install?: boolean; quiet?: boolean; json?: boolean }) => {
      let findings = await checkRequirements();
      const packages = missingPackages(findings);
      if (options.install && packages.length > 0) {
        process.stderr.write(`Installing: ${packages.join(' ')}\n`);
        try {
          await installPackages(packages, signal);
        } catch (error) {
          // What only saves time must not keep anyone from working.
          if (signal.aborted || isIncomplete(findings)) throw error;
          process.stderr.write(`${(error as Error).message}; going on without\n`);
        }
        findings = await checkRequirements();
      }
      if (options.json) {
        process.stdout.write(
          `${JSON.stringify(findings.map(({ requirement, missing }) => ({ ...requirement, missing })))}\n`,
        );
      } else if (!options.quiet || missingPackages(findings).length > 0) printFindings(findings);
      process.exitCode = isIncomplete(findings) ? ExitStatus.infrastructure : ExitStatus.ok;
    });
}

/** Whether something is missing that hmmdiff cannot do without. */
function isIncomplete(findings: readonly Finding[]): boolean {
  return findings.some(({ requirement, missing }) => missing.length > 0 && !requirement.optional);
}

function printFindings(findings: readonly Finding[]): void {
  const paint = colorsFor(process.stdout);
  for (const { requirement, missing } of findings) {
    const mark =
      missing.length === 0
        ? paint.green('ok     ')
        : requirement.optional
          ? paint.yellow('slower ')
          : paint.red('missing');
    const what = missing.length === 0 ? '' : `: ${missing.join(', ')} (${requirement.packages.join(' ')})`;
    process.stdout.write(`${mark} ${requirement.purpose}${what}\n`);
  }
  if (missingPackages(findings).length > 0)
    process.stdout.write('\n"hmmdiff doctor --install" installs what is missing.\n');
}
