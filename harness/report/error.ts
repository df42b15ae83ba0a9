import pc from 'picocolors';
import { ExitStatus, HmmdiffError } from '../errors.ts';

/** Prints an error on stderr, on one screen, and returns the exit status that it calls for. */
export function reportError(error: unknown, stream: NodeJS.WritableStream = process.stderr): ExitStatus {
  if (error instanceof HmmdiffError) {
    stream.write(`${pc.red('error')} ${error.message}\n`);
    if (error.hint) stream.write(`${pc.bold('→')} ${error.hint}\n`);
    return error.exitStatus;
  }
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code === 'ENOSPC') {
    stream.write(`${pc.red('error')} the disk is full: ${(error as Error).message}\n`);
    stream.write(`${pc.bold('→')} Free some space, or run "hmmdiff clean".\n`);
    return ExitStatus.infrastructure;
  }
  stream.write(`${pc.red('error')} hmmdiff itself failed; this is a bug in it:\n`);
  stream.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return ExitStatus.infrastructure;
}
