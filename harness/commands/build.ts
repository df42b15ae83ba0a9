import { Command } from 'commander';
import { buildKernel } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { resolveKernels } from '../kernels/resolve.ts';
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
  json?: boolean;
}

export function buildCommand(signal: AbortSignal): Command {
  return addKernelOptions(new Command('build'))
    .description('fetch and build a kernel under test with its guest programs')
    .option('--jobs <n>', 'parallel compilations', positiveInteger, defaultJobs)
    .option('--json', 'print the builds as JSON')
    .addHelpText(
      'after',
      `
Examples:
  hmmdiff build
  hmmdiff build --kernel debian-6.12 --arch aarch64
  hmmdiff build --kernel ~/linux --config debug`,
    )
    .action(async (options: BuildCommandOptions) => {
      await withProgress(signal, async (context) => {
        const kernels = await resolveKernels({ kernels: options.kernel, series: options.series }, context);
        for (const [{ tree }, arch] of kernels.flatMap((kernel) =>
          chosenArchs(options).map((arch) => [kernel, arch] as const),
        )) {
          const build = await buildKernel(tree, arch, {
            ...context,
            jobs: options.jobs,
            fragments: options.config,
          });
          const programs = await buildGuestPrograms(build, context);
          if (options.json) {
            const { image, vmlinux, module, config, key } = build;
            console.log(
              JSON.stringify({ arch, origin: tree.origin, key, image, vmlinux, module, config, ...programs }),
            );
          } else console.log(`${arch}\t${build.image}`);
        }
      });
    });
}
