import { ExitStatus, HmmdiffError } from '../errors.ts';
import { colorsFor } from './colors.ts';

/** Prints an error on stderr, on one screen, and returns the exit status that it calls for. */
export function reportError(error: unknown, stream: NodeJS.WriteStream = process.stderr): ExitStatus {
  const paint = colorsFor(stream);
  if (error instanceof HmmdiffError) {
    stream.write(`${paint.red('error')} ${error.message}\n`);
    if (error.hint) stream.write(`${paint.bold('→')} ${error.hint}\n`);
    return error.exitStatus;
  }
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code === 'ENOSPC') {
    stream.write(`${paint.red('error')} the disk is full: ${(error as Error).message}\n`);
    stream.write(`${paint.bold('→')} Free some space, or run "hmmdiff clean".\n`);
    return ExitStatus.infrastructure;
  }
  stream.write(`${paint.red('error')} hmmdiff itself failed; this is a bug in it:\n`);
  stream.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return ExitStatus.infrastructure;
}
