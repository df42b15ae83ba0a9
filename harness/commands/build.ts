import { Command } from 'commander';
import { ExitStatus } from '../errors.ts';
import { buildKernel } from '../kernels/build.ts';
import { compileCheck } from '../kernels/compile-check.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { resolveKernels } from '../kernels/resolve.ts';
import type { SourceContext, SourceTree } from '../kernels/source.ts';
import {
  addKernelOptions,
  chosenArchs,
  defaultJobs,
  type KernelOptions,
  positiveInteger,
  withProgress,
} from './context.ts';

interface BuildCommandOptions extends KernelOptions {
  jobs: number;
  compileCheck?: boolean;
  json?: boolean;
}

export function buildCommand(signal: AbortSignal): Command {
  return addKernelOptions(new Command('build'))
    .description('fetch and build a kernel under test with its guest programs')
    .option('--jobs <n>', 'parallel compilations', positiveInteger, defaultJobs)
    .option(
      '--compile-check',
      'only compile the users of device-private memory that no guest can run (compile-check.yaml)',
    )
    .option('--json', 'print the builds as JSON')
    .addHelpText(
      'after',
      `
Examples:
  hmmdiff build
  hmmdiff build --kernel debian-6.12 --arch aarch64
  hmmdiff build --kernel ~/linux --config debug
  hmmdiff build --series offset --compile-check`,
    )
    .action(async (options: BuildCommandOptions) => {
      await withProgress(signal, async (context) => {
        for (const { tree } of await resolveKernels(
          { kernels: options.kernel, series: options.series },
          context,
        )) {
          await (options.compileCheck ? checkOne(tree, options, context) : buildOne(tree, options, context));
        }
      });
    });
}

async function buildOne(
  tree: SourceTree,
  options: BuildCommandOptions,
  context: SourceContext,
): Promise<void> {
  for (const arch of chosenArchs(options)) {
    const build = await buildKernel(tree, arch, {
      ...context,
      jobs: options.jobs,
      fragments: options.config,
    });
    const programs = await buildGuestPrograms(build, context);
    const { image, vmlinux, module, config, key } = build;
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ arch, origin: tree.origin, key, image, vmlinux, module, config, ...programs })}\n`
        : `${arch}\t${image}\n`,
    );
  }
}

async function checkOne(
  tree: SourceTree,
  options: BuildCommandOptions,
  context: SourceContext,
): Promise<void> {
  for (const result of await compileCheck(tree, { ...context, jobs: options.jobs })) {
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ origin: tree.origin, ...result })}\n`
        : `${result.status.padEnd(8)} ${result.object}\n${result.output}`,
    );
    if (result.status === 'failed' || result.status === 'warnings') process.exitCode = ExitStatus.finding;
  }
}
