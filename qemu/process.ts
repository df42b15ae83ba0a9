import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { infrastructureError } from '../harness/errors.ts';

/** How a process ended. `stderr` is the last part of what it said there. */
export interface ProcessExit {
  code: number | undefined;
  signal: NodeJS.Signals | undefined;
  stderr: string;
  /** Whether `kill` was called before it ended. */
  killed: boolean;
}

/** The first descriptor of `BoundProcess.channels` as the child sees it. */
export const FIRST_CHANNEL_FD = 3;

const STDERR_KEPT = 16 * 1024;

/**
 * Runs in place of the program between fork and exec. setpriv has armed the parent-death signal by then; had the
 * parent died before that, nobody would send it, but then the parent is another one now.
 */
const GUARD = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"';

/**
 * A child that ends when this process ends, however that comes about: the kernel kills it, after a SIGKILL or a
 * crash of ours too. It has a session of its own, so that a Ctrl-C in the terminal reaches hmmdiff alone, which then
 * ends it in order.
 */
export class BoundProcess {
  readonly pid: number;
  /** Host ends of socket pairs; number `i` is the child's file descriptor `FIRST_CHANNEL_FD + i`. */
  readonly channels: readonly Duplex[];
  /** Settles when the process is gone and its stderr is read to the end; never rejects. */
  readonly exited: Promise<ProcessExit>;
  #stderr = Buffer.alloc(0);
  #killed = false;

  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid as number;
    // Node types every extra descriptor as readable or writable; a 'pipe' is a socket, which is both.
    this.channels = child.stdio.slice(FIRST_CHANNEL_FD) as Duplex[];
    // The child closing its end is told by `exited`; a reset on a channel adds nothing to it.
    for (const channel of this.channels) channel.on('error', () => {});
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-STDERR_KEPT);
    });
    this.exited = this.#untilGone();
  }

  /**
   * @param program a path, or a name that is looked up on PATH
   * @param channels how many connected socket pairs to make
   * @throws HmmdiffError `program-missing` if setpriv or the program is not there
   */
  static async start(program: string, argv: readonly string[], channels: number): Promise<BoundProcess> {
    const [setpriv, path] = await Promise.all([findProgram('setpriv'), findProgram(program)]);
    const child = spawn(
      setpriv,
      ['--pdeathsig', 'KILL', '/bin/sh', '-c', GUARD, 'hmmdiff', String(process.pid), path, ...argv],
      {
        stdio: ['ignore', 'ignore', 'pipe', ...new Array<'pipe'>(channels).fill('pipe')],
        detached: true,
      },
    );
    if (child.pid === undefined) {
      const [cause] = await once(child, 'error');
      throw infrastructureError('program-not-started', `cannot run ${setpriv}`, { cause });
    }
    return new BoundProcess(child);
  }

  /** The last 16 KiB of what the process has said on stderr so far. */
  get stderr(): string {
    return this.#stderr.toString('utf8');
  }

  /** Sends SIGKILL; harmless when the process is gone already. */
  kill(): void {
    // Node sends nothing to a child it has reaped, so a reused process id is never hit.
    if (this.#child.kill('SIGKILL')) this.#killed = true;
  }

  async #untilGone(): Promise<ProcessExit> {
    const child = this.#child;
    const stderr = child.stderr;
    const [[code, signal]] = await Promise.all([
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
      stderr === null || stderr.closed ? undefined : once(stderr, 'close'),
    ]);
    return {
      code: code ?? undefined,
      signal: signal ?? undefined,
      stderr: this.stderr,
      killed: this.#killed,
    };
  }
}

/**
 * The path of an executable on PATH.
 *
 * @throws HmmdiffError `program-missing`
 */
export async function findProgram(program: string): Promise<string> {
  const candidates = program.includes('/')
    ? [program]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
  for (const candidate of candidates) {
    const executable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return candidate;
  }
  throw infrastructureError('program-missing', `${program} is not installed, or not on PATH`, {
    hint: 'hmmdiff doctor --install',
  });
}
