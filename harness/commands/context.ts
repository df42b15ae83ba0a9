import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { RunEvents } from '../events.ts';
import { type Arch, architectures, parseArch } from '../kernels/arch.ts';
import type { SourceContext } from '../kernels/source.ts';
import { cachePaths } from '../paths.ts';
import { showProgress } from '../report/progress.ts';

/** Runs a command's work with an event stream that is shown on stderr. */
export async function withProgress<T>(
  signal: AbortSignal,
  work: (context: SourceContext & { signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const events = new RunEvents(signal);
  const stop = showProgress(events);
  try {
    return await work({ cache: cachePaths(), events, signal });
  } finally {
    stop();
  }
}

/** The options that say which kernels. */
export interface KernelOptions {
  kernel: string[];
  series?: string;
  arch: string[];
  config: string[];
}

export function addKernelOptions(command: Command): Command {
  return command
    .option(
      '--kernel <name|dir>',
      'kernel of kernels.yaml, NAME+SERIES, or a kernel tree; can be repeated (default: the default of kernels.yaml)',
      collect,
      [],
    )
    .option('--series <name|dir>', 'apply this series first')
    .option(
      '--arch <arch>',
      `architecture, can be repeated (default: ${architectures.join(' and ')})`,
      collect,
      [],
    )
    .option('--config <fragment>', 'add a config fragment, can be repeated (debug, or a file)', collect, []);
}

/** The architectures that `--arch` names, each once. */
export function chosenArchs(options: { arch: readonly string[] }): readonly Arch[] {
  return options.arch.length > 0 ? [...new Set(options.arch.map(parseArch))] : architectures;
}

/** Default of `--jobs`. */
export const defaultJobs = availableParallelism();

/** Parser of options that count something. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number of at least 1 is needed.');
  return value;
}

export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** Parser of options that each give one word of the kernel command line. */
export function collectWords(text: string, previous: string[]): string[] {
  if (!/^[!-~]+$/.test(text)) {
    throw new InvalidArgumentError('one word of printable ASCII is needed; repeat the option for more.');
  }
  return [...previous, text];
}

/** Parser of options that may be 0. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is needed.');
  return value;
}
