import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { type HmmdiffError, infrastructureError } from '../harness/errors.ts';
import { LineSplitter } from './lines.ts';

/** An event that QEMU sent, such as `SHUTDOWN` with `{guest: true, reason: 'guest-reset'}`. */
export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
  /** Host time, seconds since 1970. */
  time: number;
}

interface QmpEvents {
  event: [QmpEvent];
  close: [];
}

/** What QMP may send; exactly one of the fields that tell the kinds apart is there. */
interface QmpMessage {
  QMP?: unknown;
  event?: string;
  data?: Record<string, unknown>;
  timestamp?: { seconds: number; microseconds: number };
  id?: number;
  return?: unknown;
  error?: { class: string; desc: string };
}

interface Pending {
  command: string;
  resolve(value: unknown): void;
  reject(error: HmmdiffError): void;
}

/** A client of the QEMU Machine Protocol (docs/interop/qmp-spec in QEMU) on a connected stream. */
export class QmpClient extends EventEmitter<QmpEvents> {
  readonly #stream: Duplex;
  readonly #lines = new LineSplitter();
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closed = false;

  private constructor(stream: Duplex) {
    super();
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      for (const line of this.#lines.push(chunk)) this.#receive(line);
    });
    stream.on('error', () => {});
    stream.once('close', () => this.#close());
    stream.once('end', () => this.#close());
  }

  /**
   * Waits for the greeting and leaves negotiation mode.
   *
   * @throws HmmdiffError `qmp-closed` if the stream ends before that, as when QEMU refuses its arguments
   */
  static async connect(stream: Duplex): Promise<QmpClient> {
    const client = new QmpClient(stream);
    await client.execute('qmp_capabilities');
    return client;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Runs a command and answers what it returns.
   *
   * @throws HmmdiffError `qmp-command` if QEMU reports an error, `qmp-closed` if QEMU ends before it answers
   */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#closed) return Promise.reject(closedError(command));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { command, resolve, reject });
      this.#stream.write(
        `${JSON.stringify({ execute: command, id, ...(args ? { arguments: args } : {}) })}\n`,
      );
    });
  }

  /** Runs a command of the human monitor, for what QMP has no command of its own; answers its text. */
  async monitor(commandLine: string): Promise<string> {
    return (await this.execute('human-monitor-command', { 'command-line': commandLine })) as string;
  }

  /**
   * The next event of that name.
   *
   * @throws HmmdiffError `qmp-closed` if QEMU ends before it comes
   */
  untilEvent(name: string): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        this.off('event', onEvent);
        this.off('close', onClose);
        action();
      };
      const onEvent = (event: QmpEvent) => {
        if (event.event === name) settle(() => resolve(event));
      };
      const onClose = () => settle(() => reject(closedError(`waiting for the event ${name}`)));
      this.on('event', onEvent);
      this.on('close', onClose);
      if (this.#closed) onClose();
    });
  }

  #receive(line: string): void {
    if (line.trim() === '') return;
    const message = JSON.parse(line) as QmpMessage;
    if (message.event !== undefined) {
      const { seconds, microseconds } = message.timestamp ?? { seconds: 0, microseconds: 0 };
      this.emit('event', {
        event: message.event,
        data: message.data ?? {},
        time: seconds + microseconds / 1e6,
      });
      return;
    }
    const pending = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (pending === undefined || message.id === undefined) return;
    this.#pending.delete(message.id);
    if (message.error) {
      pending.reject(
        infrastructureError('qmp-command', `QEMU refused "${pending.command}": ${message.error.desc}`),
      );
    } else {
      pending.resolve(message.return);
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { command, reject } of this.#pending.values()) reject(closedError(command));
    this.#pending.clear();
    this.emit('close');
  }
}

function closedError(what: string): HmmdiffError {
  return infrastructureError('qmp-closed', `QEMU closed its control channel (${what})`);
}
