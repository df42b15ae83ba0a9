import { Command } from 'commander';
import { type Arch, architectures, parseArch } from '../kernels/arch.ts';
import { buildKernel } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { resolveKernel } from '../kernels/resolve.ts';
import { collect, defaultJobs, positiveInteger, withProgress } from './context.ts';

interface BuildCommandOptions {
  kernel?: string;
  series?: string;
  arch: string[];
  config: string[];
  jobs: number;
  json?: boolean;
}

export function buildCommand(signal: AbortSignal): Command {
  return new Command('build')
    .description('fetch and build a kernel under test with its guest programs')
    .option(
      '--kernel <name|dir>',
      'kernel of kernels.yaml, or a kernel tree (default: the default of kernels.yaml)',
    )
    .option('--series <name|dir>', 'apply this series first')
    .option(
      '--arch <arch>',
      `architecture, can be repeated (default: ${architectures.join(' and ')})`,
      collect,
      [],
    )
    .option('--config <fragment>', 'add a config fragment, can be repeated (debug, or a file)', collect, [])
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
      const archs: readonly Arch[] = options.arch.length > 0 ? options.arch.map(parseArch) : architectures;
      await withProgress(signal, async (context) => {
        const { tree } = await resolveKernel(options.kernel, options.series, context);
        for (const arch of archs) {
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
