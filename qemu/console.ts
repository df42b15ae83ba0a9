import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { LineSplitter } from './lines.ts';

/** One line of the serial console. */
export interface ConsoleLine {
  /** Counted from 1, as in the console file. */
  number: number;
  text: string;
  /** Milliseconds since QEMU was started, by the host's clock. */
  at: number;
  /** Whether QEMU ended before the line did. */
  partial: boolean;
}

interface ConsoleEvents {
  line: [ConsoleLine];
  end: [];
}

/** How a wait for a console line ended without one. */
export class ConsoleWaitError extends Error {
  override readonly name = 'ConsoleWaitError';
  constructor(
    readonly reason: 'ended' | 'limit',
    message: string,
  ) {
    super(message);
  }
}

/**
 * The guest's serial console as it comes in, line by line. The copy on disk is QEMU's own work (see `Wiring`); this
 * only watches. All lines stay in memory: a console of a whole run is a few hundred KiB.
 */
export class Console extends EventEmitter<ConsoleEvents> {
  readonly #stream: Duplex;
  readonly #splitter = new LineSplitter();
  readonly #lines: ConsoleLine[] = [];
  readonly #startedAt: number;
  #ended = false;

  /** @param startedAt `performance.now()` when QEMU was started */
  constructor(stream: Duplex, startedAt: number) {
    super();
    // A suite may wait for many lines at once; that is no leak.
    this.setMaxListeners(0);
    this.#stream = stream;
    this.#startedAt = startedAt;
    stream.on('data', (chunk: Buffer) => {
      for (const line of this.#splitter.push(chunk)) this.#add(line, false);
    });
    stream.once('end', () => this.#end());
    stream.once('close', () => this.#end());
  }

  get lines(): readonly ConsoleLine[] {
    return this.#lines;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Types text on the console. */
  write(text: string): void {
    this.#stream.write(text);
  }

  /** The last `count` lines, as text. */
  tail(count: number): string[] {
    return this.#lines.slice(-count).map((line) => line.text);
  }

  /**
   * The first line that matches, whether printed already or yet to come.
   *
   * @param limit milliseconds to wait; without it, as long as QEMU lives
   * @throws ConsoleWaitError when the console ends or the limit passes; the signal's reason when it aborts
   */
  untilLine(pattern: RegExp, options: { limit?: number; signal?: AbortSignal } = {}): Promise<ConsoleLine> {
    const { limit, signal } = options;
    const printed = this.#lines.find((line) => pattern.test(line.text));
    if (printed) return Promise.resolve(printed);
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (action: () => void) => {
        this.off('line', onLine);
        this.off('end', onEnd);
        signal?.removeEventListener('abort', onAbort);
        clearTimeout(timer);
        action();
      };
      const fail = (reason: 'ended' | 'limit', message: string) =>
        settle(() => reject(new ConsoleWaitError(reason, message)));
      const onLine = (line: ConsoleLine) => {
        if (pattern.test(line.text)) settle(() => resolve(line));
      };
      const onEnd = () => fail('ended', `the console ended without a line that matches ${pattern}`);
      const onAbort = () => settle(() => reject(signal?.reason));
      this.on('line', onLine);
      this.on('end', onEnd);
      signal?.addEventListener('abort', onAbort);
      if (limit !== undefined) {
        timer = setTimeout(() => fail('limit', `no line matched ${pattern} within ${limit} ms`), limit);
      }
      if (signal?.aborted) onAbort();
      else if (this.#ended) onEnd();
    });
  }

  #add(text: string, partial: boolean): void {
    const line = {
      number: this.#lines.length + 1,
      text,
      at: performance.now() - this.#startedAt,
      partial,
    };
    this.#lines.push(line);
    this.emit('line', line);
  }

  #end(): void {
    if (this.#ended) return;
    const rest = this.#splitter.end();
    if (rest !== undefined) this.#add(rest, true);
    this.#ended = true;
    this.emit('end');
  }
}
