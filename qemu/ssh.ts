import { EventEmitter } from 'node:events';
import { createReadStream } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import ssh2, { type ClientChannel } from 'ssh2';
import { type HmmdiffError, infrastructureError } from '../harness/errors.ts';
import type { SessionKeys } from './keys.ts';

export interface SshOptions {
  /** TCP port on 127.0.0.1 that QEMU forwards to the guest's port 22. */
  port: number;
  keys: SessionKeys;
  signal?: AbortSignal | undefined;
  /** Milliseconds for the whole handshake. @default 20000 */
  connectLimit?: number;
  /** Milliseconds without any answer after which the connection counts as lost. @default 15000 */
  silenceLimit?: number;
}

/** How a remote command ended: by `exit` with a code, or by a signal such as `KILL`. */
export interface RemoteExit {
  code: number | undefined;
  signal: string | undefined;
}

/** A command that runs in the guest. */
export interface RemoteProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Settles when the command has ended and both outputs were read to their ends. Rejects with HmmdiffError
   * `ssh-lost` if the connection goes first.
   */
  readonly exited: Promise<RemoteExit>;
  /** Asks the ssh server to signal it; `KILL` by default. */
  kill(signal?: string): void;
}

export interface ExecResult extends RemoteExit {
  stdout: string;
  stderr: string;
}

interface SshEvents {
  /** The connection went without `close` having been called. */
  lost: [HmmdiffError];
}

/** A session in the guest over the forwarded port. */
export class SshSession extends EventEmitter<SshEvents> {
  readonly #client: ssh2.Client;
  readonly #running = new Set<(error: HmmdiffError) => void>();
  #closing = false;
  #lost: HmmdiffError | undefined;

  private constructor(client: ssh2.Client) {
    super();
    this.#client = client;
    let cause: unknown;
    client.on('error', (error) => {
      cause = error;
    });
    client.once('close', () => this.#end(cause));
  }

  /**
   * Connects. The guest listens when its console says so (`Guest.ready`); nothing is tried twice here.
   *
   * @throws HmmdiffError `ssh-host-key` if another key answers, `ssh-connect` for anything else
   */
  static connect(options: SshOptions): Promise<SshSession> {
    const { port, keys, signal, connectLimit = 20_000, silenceLimit = 15_000 } = options;
    const client = new ssh2.Client();
    // It may have a second one to tell when the first has ended the attempt: a reset, and that no header came.
    client.on('error', () => {});
    let otherKey = false;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        client.destroy();
        reject(signal?.reason);
      };
      const onError = (cause: unknown) => {
        signal?.removeEventListener('abort', onAbort);
        reject(
          otherKey
            ? infrastructureError('ssh-host-key', 'the guest answered with a host key that is not its own')
            : infrastructureError('ssh-connect', `no ssh session with the guest on 127.0.0.1:${port}`, {
                cause,
              }),
        );
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      client.once('error', onError);
      client.once('ready', () => {
        client.off('error', onError);
        signal?.removeEventListener('abort', onAbort);
        resolve(new SshSession(client));
      });
      if (signal?.aborted) {
        onAbort();
        return;
      }
      const sock = coalescingConnection(port);
      try {
        client.connect({
          sock,
          username: 'root',
          privateKey: keys.clientPrivateKey,
          // No question first which methods there are: every answer of an emulated processor takes time.
          authHandler: ['publickey'],
          hostVerifier: (key: Buffer) => {
            otherKey = !key.equals(keys.hostPublicBlob);
            return !otherKey;
          },
          // One choice each: nothing to negotiate, and the cheapest to compute for an emulated processor.
          algorithms: {
            kex: ['curve25519-sha256'],
            serverHostKey: ['ssh-ed25519'],
            cipher: ['chacha20-poly1305@openssh.com'],
            compress: ['none'],
          },
          readyTimeout: connectLimit,
          keepaliveInterval: Math.max(1, silenceLimit / 3),
          keepaliveCountMax: 3,
        });
      } catch (cause) {
        // ssh2 throws what it cannot use before it listens to the socket, whose end nobody would hear.
        sock.on('error', () => {}).destroy();
        onError(cause);
      }
    });
  }

  /** Starts a command, given to the guest's `/bin/sh -c`. @throws HmmdiffError `ssh-lost` */
  spawn(command: string): Promise<RemoteProcess> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#running.add(reject);
      this.#client.exec(command, (error, channel) => {
        this.#running.delete(reject);
        // All within this callback: the command's exit may stand in the same packet as its start.
        if (error) reject(this.#lost ?? lostError(error));
        else resolve(this.#remoteProcess(channel));
      });
    });
  }

  /** Starts a login shell on a terminal of the guest. @throws HmmdiffError `ssh-lost` */
  shell(window: { term: string; rows: number; cols: number }): Promise<ClientChannel> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#running.add(reject);
      this.#client.shell({ ...window, height: 0, width: 0 }, (error, channel) => {
        this.#running.delete(reject);
        if (error) reject(this.#lost ?? lostError(error));
        else resolve(channel);
      });
    });
  }

  /**
   * Runs a command to its end and answers what it said. A code other than 0 is an answer, not an error.
   *
   * @throws HmmdiffError `ssh-lost`; the signal's reason when it aborts, after the command was told to end
   */
  async exec(
    command: string,
    options: { input?: string | Uint8Array; signal?: AbortSignal | undefined } = {},
  ): Promise<ExecResult> {
    const { input, signal } = options;
    signal?.throwIfAborted();
    const process = await this.spawn(command);
    process.stdin.end(input);
    const result = Promise.all([process.exited, text(process.stdout), text(process.stderr)]);
    const [exit, stdout, stderr] = await (signal ? unlessAborted(signal, result, process) : result);
    return { ...exit, stdout, stderr };
  }

  /**
   * Copies a file of the host into the guest.
   *
   * @throws HmmdiffError `ssh-upload` if the guest could not write it, `ssh-lost`
   */
  async upload(source: string, target: string, mode = 0o644): Promise<void> {
    const quoted = shellQuote(target);
    const process = await this.spawn(`cat > ${quoted} && chmod ${mode.toString(8)} ${quoted}`);
    process.stdout.resume();
    const [exit, stderr] = await Promise.all([
      process.exited,
      text(process.stderr),
      // When the guest cannot write, its cat is gone before all is sent; its exit code tells.
      pipeline(createReadStream(source), process.stdin).catch(() => {}),
    ]);
    if (exit.code !== 0) throw infrastructureError('ssh-upload', `cannot write ${target}: ${stderr.trim()}`);
  }

  close(): void {
    this.#closing = true;
    this.#client.end();
  }

  #remoteProcess(channel: ClientChannel): RemoteProcess {
    const exited = this.#untilExit(channel);
    // Whoever streams only may look at it late, or not at all.
    exited.catch(() => {});
    return {
      stdin: channel.stdin,
      stdout: channel.stdout,
      stderr: channel.stderr,
      exited,
      kill: (signal = 'KILL') => sendSignal(channel, signal),
    };
  }

  #untilExit(channel: ClientChannel): Promise<RemoteExit> {
    return new Promise((resolve, reject) => {
      let exit: RemoteExit | undefined;
      this.#running.add(reject);
      channel.once('exit', (code: number | null, signal?: string) => {
        exit = { code: code ?? undefined, signal: signal?.replace(/^SIG/, '') };
      });
      // 'close' comes after both output streams have ended, so nothing that was said is missed.
      channel.once('close', () => {
        this.#running.delete(reject);
        if (exit) resolve(exit);
        else reject(this.#lost ?? lostError(undefined));
      });
    });
  }

  #end(cause: unknown): void {
    this.#lost = lostError(cause);
    for (const reject of this.#running) reject(this.#lost);
    this.#running.clear();
    if (!this.#closing) this.emit('lost', this.#lost);
  }
}

/**
 * A connection that sends what is written in one turn of the event loop as one segment. QEMU's user network follows
 * Nagle's algorithm: a small segment waits until the guest has acknowledged the one before, which the guest puts off
 * for 40 ms.
 */
function coalescingConnection(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  // Not a subclass: connect() puts Socket's own write() back.
  socket.write = (...args: unknown[]) => {
    if (socket.writableCorked === 0) {
      socket.cork();
      setImmediate(() => socket.uncork());
    }
    return write(...args);
  };
  return socket;
}

/** `text` as one word of a shell command. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function lostError(cause: unknown): HmmdiffError {
  return infrastructureError('ssh-lost', 'the ssh connection to the guest was lost', { cause });
}

/** What of ssh2's channels is not in its types. */
interface ChannelInside {
  outgoing: { id: number; state: 'open' | 'eof' | 'closing' | 'closed' };
  _client: { _protocol: { signal(channel: number, name: string): void } };
}

/**
 * The channel's own method does nothing once stdin has ended, when a command is most likely to be stuck. The protocol
 * allows it as long as the channel is open (RFC 4254, 5.3 and 6.9).
 */
function sendSignal(channel: ClientChannel, name: string): void {
  const { outgoing, _client } = channel as unknown as ChannelInside;
  if (outgoing.state === 'open' || outgoing.state === 'eof') _client._protocol.signal(outgoing.id, name);
}

/** Ends the command when the signal aborts, and waits for it no longer. */
async function unlessAborted<T>(signal: AbortSignal, result: Promise<T>, process: RemoteProcess): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      process.kill();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}
