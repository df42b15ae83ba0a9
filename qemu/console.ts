import { EventEmitter } from 'node:events';
import { type FSWatcher, readSync, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { infrastructureError } from '../harness/errors.ts';
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

/** Of all consoles: nothing of it is kept. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

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
 * The guest's serial console, line by line as it comes in. QEMU writes it straight into a file, so that what is there
 * survives us, and a slow reader never holds up the guest; here the file is followed by the system's change events.
 * (A socket does hold it up: each character is a packet, some 280 unread ones fill it, and QEMU then logs characters
 * twice.) All lines stay in memory: the console of a whole run is a few hundred KiB.
 */
export class Console extends EventEmitter<ConsoleEvents> {
  readonly #file: FileHandle;
  readonly #watcher: FSWatcher;
  readonly #splitter = new LineSplitter();
  readonly #lines: ConsoleLine[] = [];
  readonly #startedAt: number;
  #ended = false;

  private constructor(file: FileHandle, watcher: FSWatcher, startedAt: number) {
    super();
    // A suite may wait for many lines at once; that is no leak.
    this.setMaxListeners(0);
    this.#file = file;
    this.#watcher = watcher;
    this.#startedAt = startedAt;
    watcher.on('change', () => this.#read());
  }

  /**
   * Makes the file empty and follows it.
   *
   * @param startedAt `performance.now()` when QEMU was started
   * @throws HmmdiffError `console-file` if it cannot be made or watched
   */
  static async follow(path: string, startedAt: number): Promise<Console> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'w+');
      return new Console(file, watch(path), startedAt);
    } catch (cause) {
      await file?.close();
      throw infrastructureError('console-file', `cannot keep the console in ${path}`, { cause });
    }
  }

  get lines(): readonly ConsoleLine[] {
    return this.#lines;
  }

  get ended(): boolean {
    return this.#ended;
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
  untilLine(
    pattern: RegExp,
    options: { limit?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<ConsoleLine> {
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

  /** Reads what is left, a last line without an end too, and closes the file. Call it when QEMU is gone. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#watcher.close();
    this.#read();
    const rest = this.#splitter.end();
    if (rest !== undefined) this.#add(rest, true);
    await this.#file.close();
    this.#ended = true;
    this.emit('end');
  }

  /**
   * QEMU writes a character at a time, and each may be told as a change: what is in the page cache is read at once into one
   * buffer, since a round trip of the thread pool and a buffer for each cost more than all else that a run does with it.
   */
  #read(): void {
    for (;;) {
      const length = readSync(this.#file.fd, READ_BUFFER);
      if (length === 0) break;
      for (const line of this.#splitter.push(READ_BUFFER.subarray(0, length))) this.#add(line, false);
    }
  }
}
