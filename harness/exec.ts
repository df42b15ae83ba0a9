import { ExecaError, execa, type Options } from 'execa';
import { infrastructureError } from './errors.ts';

export interface CommandResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export type CommandOptions = Pick<Options, 'cwd' | 'env' | 'input' | 'reject' | 'maxBuffer'> & {
  signal?: AbortSignal | undefined;
  /** What to do when the command fails. */
  hint?: string | undefined;
};

/**
 * Runs a command to its end and returns what it printed. Stops it on abort (SIGTERM, then SIGKILL after 5 s).
 *
 * @throws HmmdiffError `code` (exit status 3) with the command and the last lines of its output, unless `reject` is
 * false; a command that cannot be started at all is always thrown.
 */
export async function run(
  code: string,
  command: string,
  args: readonly string[],
  { signal, hint, reject, ...options }: CommandOptions = {},
): Promise<CommandResult> {
  try {
    const { stdout, stderr } = await execa(command, args, {
      ...options,
      ...(options.input === undefined ? { stdin: 'ignore' } : {}),
      cancelSignal: signal,
    });
    return { stdout: String(stdout), stderr: String(stderr), exitCode: 0 };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof ExecaError)) throw error;
    const { stdout, stderr, exitCode } = error;
    if (reject === false && exitCode !== undefined) {
      return { stdout: String(stdout), stderr: String(stderr), exitCode };
    }
    throw infrastructureError(code, `${error.shortMessage}${tail(error)}`, {
      hint,
      cause: error,
    });
  }
}

function tail(error: ExecaError): string {
  const lines = String(error.stderr || error.stdout || '')
    .trimEnd()
    .split('\n');
  return lines[0] === '' ? '' : `\n${lines.slice(-15).join('\n')}`;
}
