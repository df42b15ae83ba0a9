import { join, relative, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ExitStatus } from '../errors.ts';
import { SMAPS_EVERY } from '../programs/encode.ts';
import {
  DEFAULT_OPERATIONS,
  EXHAUSTIVE_OPERATIONS,
  type ExhaustiveOperation,
} from '../programs/exhaustive.ts';
import { formatVerdict } from '../report/table.ts';
import type { Verdict } from '../report/verdict.ts';
import type { Suite } from '../run/lane-plan.ts';
import { hasPlan, type Plan, readPlan, TRANSITIONS } from '../run/plan.ts';
import { runAll } from '../run/run.ts';
import { parseScenario, scenarios } from '../session/scenarios.ts';
import {
  addKernelOptions,
  chosenArchs,
  collectWords,
  count,
  defaultJobs,
  type KernelOptions,
  positiveInteger,
  withProgress,
} from './context.ts';

interface RunCommandOptions extends KernelOptions {
  suite: Suite | 'all';
  transitions: Plan['transitions'];
  programs: number;
  concurrent: number;
  steps: number;
  seed: number;
  accel: 'auto' | 'kvm' | 'tcg';
  jobs: number;
  scenario: string;
  append: string[];
  out?: string;
  benchmarks?: boolean;
  against?: boolean;
  shrink: number;
  smapsEvery: number;
  exhaustive?: number;
  pages: number;
  devices: number;
  processes: number;
  operations: ExhaustiveOperation[];
  resume?: string;
  json?: boolean;
}

export function runCommand(signal: AbortSignal): Command {
  return addKernelOptions(new Command('run'))
    .description('build kernels, boot guests, run the suites in them and compare with the model')
    .addOption(
      new Option('--suite <suite>', 'what to run')
        .choices(['hmm-tests', 'programs', 'lifecycle', 'all'])
        .default('all'),
    )
    .addOption(
      new Option(
        '--transitions <which>',
        "programs that reach the rest of the model's tables; those in huge regions are dear",
      )
        .choices(TRANSITIONS)
        .default('none'),
    )
    .option('--programs <n>', 'programs to generate beside those', count, 50)
    .option(
      '--concurrent <n>',
      'programs to generate whose processes and threads act at the same time',
      count,
      10,
    )
    .option('--steps <n>', 'steps of a generated program, about', positiveInteger, 16)
    .option('--seed <n>', 'seed of the generated programs', seed, 1)
    .option(
      '--exhaustive <k>',
      'instead: all programs of k steps over the alphabet that the next options describe',
      positiveInteger,
    )
    .option('--pages <n>', 'pages of the alphabet', positiveInteger, 2)
    .option('--devices <n>', 'private devices of the alphabet', positiveInteger, 1)
    .option('--processes <n>', 'processes of the alphabet', positiveInteger, 2)
    .option(
      '--operations <list>',
      `operations of the alphabet, of ${EXHAUSTIVE_OPERATIONS.join(', ')}`,
      operationList,
      [...DEFAULT_OPERATIONS],
    )
    .option('--scenario <name>', `machine to test on: ${Object.keys(scenarios).join(' or ')}`, 'default')
    .option('--append <word>', 'a word for the kernel command line, can be repeated', collectWords, [])
    .option('--benchmarks', 'let hmm-tests run its benchmarks, too: they check nothing and take 40 s')
    .addOption(
      new Option('--accel <accelerator>', 'auto starts a guest with KVM to see whether it works')
        .choices(['auto', 'kvm', 'tcg'])
        .default('auto'),
    )
    .option(
      '--smaps-every <n>',
      'steps of a program from one smaps to the next',
      positiveInteger,
      SMAPS_EVERY,
    )
    .option('--against', 'compare what the lanes showed with each other, too')
    .option('--shrink <n>', 'different findings of a lane to shrink at most, 0 for none', count, 5)
    .option('--jobs <n>', 'parallel compilations, and guests at a time', positiveInteger, defaultJobs)
    .option('--out <dir>', 'run folder (default: hmmdiff-out/TIME)')
    .option('--resume <dir>', 'go on with a run that was stopped, as its plan.json says')
    .option('--json', 'print the verdict as JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 no finding; 1 a failed test, a divergence or a splat; 2 bad usage or input; 3 the infrastructure failed.

Examples:
  hmmdiff run
  hmmdiff run --arch x86_64 --suite programs --programs 1000 --seed 7
  hmmdiff run --programs 5000 --steps 40
  hmmdiff run --suite programs --transitions all
  hmmdiff run --suite programs --programs 0 --concurrent 200
  hmmdiff run --kernel ~/linux --config debug
  hmmdiff run --series offset
  hmmdiff run --suite programs --against
  hmmdiff run --exhaustive 4
  hmmdiff run --resume hmmdiff-out/2026-11-21T10-00-00
  hmmdiff run --scenario full-address-space
  hmmdiff run --arch x86_64 --append transparent_hugepage=never
  hmmdiff run --kernel debian-7.3 --series ~/v7-patches --json > verdict.json`,
    )
    .action(async (options: RunCommandOptions) => {
      const { resume } = options;
      const out = resolve(
        resume ??
          options.out ??
          join('hmmdiff-out', new Date().toISOString().replaceAll(':', '-').slice(0, 19)),
      );
      const plan = resume === undefined ? planFrom(options) : await readPlan(out);
      const verdict = await withProgress(signal, (context) =>
        runAll({ ...plan, jobs: options.jobs, resume: resume !== undefined, out }, context),
      ).catch(async (error: unknown) => {
        if (signal.aborted && (await hasPlan(out))) {
          process.stderr.write(`What is done is kept. To go on: hmmdiff run --resume ${relative('', out)}\n`);
        }
        throw error;
      });
      process.stdout.write(
        options.json ? `${JSON.stringify(verdict)}\n` : `\n${formatVerdict(verdict, out)}`,
      );
      process.exitCode = exitStatus(verdict);
    });
}

function planFrom(options: RunCommandOptions): Plan {
  const { exhaustive: length, pages, devices, processes, operations } = options;
  return {
    kernels: options.kernel,
    ...(options.series === undefined ? {} : { series: options.series }),
    archs: [...chosenArchs(options)],
    suites:
      length !== undefined
        ? ['programs']
        : options.suite === 'all'
          ? ['programs', 'hmm-tests']
          : [options.suite],
    programs: options.programs,
    transitions: options.transitions,
    concurrent: options.concurrent,
    steps: options.steps,
    seed: options.seed,
    ...(length === undefined ? {} : { exhaustive: { length, pages, devices, processes, operations } }),
    accel: options.accel,
    scenario: parseScenario(options.scenario),
    append: options.append,
    fragments: options.config,
    benchmarks: options.benchmarks ?? false,
    smapsEvery: options.smapsEvery,
    against: options.against ?? false,
    shrink: options.shrink,
  };
}

/** Parser of `--operations`. */
function operationList(text: string): ExhaustiveOperation[] {
  return text.split(',').map((name) => {
    const known = EXHAUSTIVE_OPERATIONS.find((operation) => operation === name.trim());
    if (!known) throw new InvalidArgumentError(`operations are ${EXHAUSTIVE_OPERATIONS.join(', ')}.`);
    return known;
  });
}

/** A finding outweighs a lane that the infrastructure kept from its end. */
function exitStatus(verdict: Verdict): ExitStatus {
  if (verdict.lanes.some((lane) => lane.findings.length > 0)) return ExitStatus.finding;
  if (verdict.against?.some(({ differences }) => differences.length > 0)) return ExitStatus.finding;
  return verdict.lanes.some((lane) => lane.error) ? ExitStatus.infrastructure : ExitStatus.ok;
}

function seed(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || Math.abs(value) >= 2 ** 31) {
    throw new InvalidArgumentError('a whole number of at most 31 bits is needed.');
  }
  return value;
}
