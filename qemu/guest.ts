import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { ExitStatus, HmmdiffError, infrastructureError } from '../harness/errors.ts';
import { architectureOf } from './architectures.ts';
import { Calibration } from './calibration.ts';
import { Console, type ConsoleLine } from './console.ts';
import { type GuestExit, guestExit } from './guest-exit.ts';
import type { Machine } from './machine.ts';
import { BoundProcess, FIRST_CHANNEL_FD } from './process.ts';
import { QmpClient, type QmpEvent } from './qmp.ts';
import { type Splat, SplatScanner } from './splats.ts';

/** What init says on the console (qemu/guest/init). */
export const MARKERS = {
  init: /hmmdiff: init$/,
  /** A connection to the guest's port 22 will be taken; the rest of init may still be under way. */
  listening: /hmmdiff: listening$/,
  ready: /hmmdiff: ready$/,
} as const;

export interface GuestOptions {
  /** Path of the file that QEMU keeps the console in; overwritten. */
  consoleFile: string;
  /** Aborting kills the guest. */
  signal?: AbortSignal | undefined;
  /** Shared by the guests of a run, so that later limits know of earlier boots. @default one of its own */
  calibration?: Calibration;
  /** The line that tells that the guest has booted. @default `MARKERS.ready` */
  readyPattern?: RegExp;
  /**
   * Milliseconds without a console line before it is ready that count as a boot hang, on the reference host.
   * @default 8000
   */
  bootSilence?: number;
  /** Milliseconds to be ready in, however much it says, on the reference host. @default 60000 */
  bootLimit?: number;
  /** How much slower than a plain kernel this one may boot, where no boot has been seen yet. @default 1 */
  bootAllowance?: number;
}

interface GuestEvents {
  line: [ConsoleLine];
  /** A report's telling line has come; its title and lines may still grow. */
  'splat-begin': [Splat];
  /** A report is whole. */
  splat: [Splat];
  qmp: [QmpEvent];
  exit: [GuestExit];
}

/** A report counts as whole after so many milliseconds without a console line, on the reference host. */
const QUIET = 700;
/** However slow the host is, a report is handed on before anyone takes it for lost. */
const QUIET_MOST = 1800;
/** What QEMU gets to end by itself after a `quit`. */
const QUIT_LIMIT = 3000;

/** A running machine: its process, its control channel, its console and what its kernel reports. */
export class Guest extends EventEmitter<GuestEvents> implements AsyncDisposable {
  readonly machine: Machine;
  readonly console: Console;
  readonly consoleFile: string;
  /** Settles when QEMU is gone, with the reason; never rejects. All console lines and splats are there by then. */
  readonly exited: Promise<GuestExit>;
  /**
   * Resolves at the ready line. Rejects with HmmdiffError: `guest-panic` (exit status 1), `boot-hang` (1, or 3 when
   * the kernel never said a word), `guest-exited` (3), or with the abort reason.
   */
  readonly ready: Promise<ConsoleLine>;

  readonly #process: BoundProcess;
  readonly #qmp: QmpClient;
  readonly #calibration: Calibration;
  readonly #splats: Splat[] = [];
  readonly #scanner: SplatScanner;
  #shutdownEvent: QmpEvent | undefined;
  #quietTimer: NodeJS.Timeout | undefined;

  private constructor(
    machine: Machine,
    options: GuestOptions,
    process: BoundProcess,
    console: Console,
    qmp: QmpClient,
  ) {
    super();
    this.setMaxListeners(0);
    this.machine = machine;
    this.consoleFile = options.consoleFile;
    this.console = console;
    this.#process = process;
    this.#qmp = qmp;
    this.#calibration = options.calibration ?? new Calibration();
    this.#scanner = new SplatScanner({
      begin: (splat) => {
        this.#splats.push(splat);
        this.emit('splat-begin', splat);
      },
      end: (splat) => this.emit('splat', splat),
    });
    // The console has been read since QEMU was started; what it said meanwhile is seen now.
    for (const line of console.lines) this.#onLine(line);
    console.on('line', (line) => this.#onLine(line));
    qmp.on('event', (event) => {
      if (event.event === 'SHUTDOWN') this.#shutdownEvent = event;
      this.emit('qmp', event);
    });
    this.exited = this.#untilExited();
    this.ready = this.#untilReady(options);
    // Whoever wants to know awaits it; a caller that does not must not be ended by it.
    this.ready.catch(() => {});
    const { signal } = options;
    if (signal) {
      const onAbort = () => this.#process.kill();
      signal.addEventListener('abort', onAbort, { once: true });
      void this.exited.then(() => signal.removeEventListener('abort', onAbort));
      if (signal.aborted) onAbort();
    }
  }

  /**
   * Starts QEMU; resolves once it answers on its control channel, while the guest boots.
   *
   * @throws HmmdiffError `program-missing` if QEMU is not installed, `qemu-start` if it refuses its arguments, with
   * its own words; `machine-type`, `machine-memory` for a machine that cannot be
   */
  static async start(machine: Machine, options: GuestOptions): Promise<Guest> {
    const architecture = architectureOf(machine.arch);
    const ports = machine.ports ?? [];
    const argv = architecture.argv(machine, {
      qmpFd: FIRST_CHANNEL_FD,
      consoleFile: options.consoleFile,
      portFds: ports.map((_, index) => FIRST_CHANNEL_FD + 1 + index),
    });
    options.signal?.throwIfAborted();
    const startedAt = performance.now();
    const console = await Console.follow(options.consoleFile, startedAt);
    const process = await BoundProcess.start(architecture.qemu, argv, 1 + ports.length).catch(
      async (error) => {
        await console.end();
        throw error;
      },
    );
    const onAbort = () => process.kill();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const qmp = await QmpClient.connect(process.channels[0] as Duplex);
      return new Guest(machine, options, process, console, qmp);
    } catch (cause) {
      process.kill();
      const { stderr } = await process.exited;
      await console.end();
      options.signal?.throwIfAborted();
      throw infrastructureError('qemu-start', `${architecture.qemu} did not start: ${stderr.trim()}`, {
        cause,
        hint: `the command was: ${architecture.qemu} ${argv.join(' ')}`,
      });
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  get qmp(): QmpClient {
    return this.#qmp;
  }

  /** All reports so far, in the order of their first lines; the last may be incomplete. */
  get splats(): readonly Splat[] {
    return this.#splats;
  }

  /** How much slower than the reference host this guest is; multiply time limits by it. */
  get slowness(): number {
    return this.#calibration.factor(this.machine.arch, this.machine.accelerator);
  }

  /** The host's end of a virtio-serial port of `Machine.ports`. Bytes that QEMU cannot deliver yet wait in it. */
  port(name: string): Duplex {
    const index = this.machine.ports?.indexOf(name) ?? -1;
    const channel = index < 0 ? undefined : this.#process.channels[1 + index];
    if (channel === undefined) throw new RangeError(`this machine has no port "${name}"`);
    return channel;
  }

  /**
   * The port on 127.0.0.1 that leads to the guest's port 22. QEMU chose it when it bound it, so it was free.
   *
   * @throws HmmdiffError `ssh-port` if the machine was described without `ssh`
   */
  async sshPort(): Promise<number> {
    const table = await this.#qmp.monitor('info usernet');
    const port = /TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b/.exec(table)?.[1];
    if (port === undefined) throw infrastructureError('ssh-port', 'QEMU forwards no port to this guest');
    return Number(port);
  }

  /**
   * Ends the guest in order: first `inGuest`, if given, such as running `reboot -f` over ssh, then QMP `quit`, then
   * SIGKILL; each gets a limited time.
   */
  async shutdown(options: { inGuest?: () => Promise<unknown>; limit?: number } = {}): Promise<GuestExit> {
    const { inGuest, limit = 2000 } = options;
    if (inGuest) {
      // The session that carries the request dies with the guest; only the exit tells.
      inGuest().catch(() => {});
      const exit = await this.exitWithin(limit * this.slowness);
      if (exit) return exit;
    }
    this.#qmp.execute('quit').catch(() => {});
    return (await this.exitWithin(QUIT_LIMIT * this.slowness)) ?? this.kill();
  }

  /** Ends QEMU at once. */
  kill(): Promise<GuestExit> {
    this.#process.kill();
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #onLine(line: ConsoleLine): void {
    this.emit('line', line);
    if (MARKERS.init.test(line.text)) {
      this.#calibration.observeBoot(this.machine.arch, this.machine.accelerator, line.at);
    }
    this.#scanner.push(line.text, line.number);
    clearTimeout(this.#quietTimer);
    if (this.#scanner.pending) {
      const quiet = Math.min(QUIET * this.slowness, QUIET_MOST);
      this.#quietTimer = setTimeout(() => this.#scanner.flush(), quiet);
    }
  }

  async #untilExited(): Promise<GuestExit> {
    const exit = await this.#process.exited;
    // The process is gone, but its last words may not have been read yet.
    await this.console.end();
    if (!this.#qmp.closed) await new Promise<void>((resolve) => this.#qmp.once('close', resolve));
    clearTimeout(this.#quietTimer);
    this.#scanner.flush();
    const guest = guestExit(exit, this.#shutdownEvent, this.#splats);
    this.emit('exit', guest);
    return guest;
  }

  #untilReady(options: GuestOptions): Promise<ConsoleLine> {
    const { signal, bootSilence = 8000, bootLimit = 60_000, readyPattern = MARKERS.ready } = options;
    const { arch, accelerator } = this.machine;
    const slowness = () => this.#calibration.factor(arch, accelerator, options.bootAllowance);
    return new Promise((resolve, reject) => {
      let silence: NodeJS.Timeout | undefined;
      const settle = (action: () => void) => {
        clearTimeout(silence);
        clearTimeout(whole);
        this.off('line', onLine);
        this.off('splat', onSplat);
        action();
      };
      const hang = (what: string) => settle(() => reject(this.#bootHang(what)));
      const watchSilence = () => {
        clearTimeout(silence);
        const limit = bootSilence * slowness();
        silence = setTimeout(() => hang(`nothing on the console for ${seconds(limit)}`), limit);
      };
      const limit = bootLimit * slowness();
      const whole = setTimeout(() => hang(`not ready within ${seconds(limit)}`), limit);
      const onLine = (line: ConsoleLine) => {
        if (readyPattern.test(line.text)) settle(() => resolve(line));
        else watchSilence();
      };
      const onSplat = (splat: Splat) => {
        if (splat.panicked) settle(() => reject(this.#panicBeforeReady(splat)));
      };
      this.on('line', onLine);
      this.on('splat', onSplat);
      watchSilence();
      for (const line of this.console.lines) {
        if (readyPattern.test(line.text)) onLine(line);
      }
      void this.exited.then((exit) =>
        settle(() => reject(signal?.aborted ? signal.reason : this.#endedBeforeReady(exit))),
      );
    });
  }

  #bootHang(what: string): HmmdiffError {
    const tail = this.console.lines.slice(-20);
    const splat: Splat = {
      kind: 'boot-hang',
      title: `boot hang: ${what}`,
      lines: tail.map((line) => line.text),
      firstLine: tail[0]?.number ?? 0,
      lastLine: tail.at(-1)?.number ?? 0,
      panicked: false,
    };
    this.#splats.push(splat);
    this.emit('splat-begin', splat);
    this.emit('splat', splat);
    return this.#bootError('boot-hang', `hung in boot: ${what}`);
  }

  #panicBeforeReady(splat: Splat): HmmdiffError {
    return this.#bootError('guest-panic', `panicked before it was ready: ${splat.title}`);
  }

  #endedBeforeReady(exit: GuestExit): HmmdiffError {
    const fatal = this.#splats.find((splat) => splat.panicked);
    if (fatal) return this.#panicBeforeReady(fatal);
    const code = exit.kind === 'crashed' ? 'qemu-crashed' : 'guest-exited';
    return infrastructureError(
      code,
      `the ${this.machine.arch} guest ended before it was ready: ${exit.text}`,
      {
        hint: `its console: ${this.consoleFile}`,
      },
    );
  }

  /** The kernel's fault, once it has said anything; before that, nobody knows whose. */
  #bootError(code: string, what: string): HmmdiffError {
    const status = this.console.lines.length > 0 ? ExitStatus.finding : ExitStatus.infrastructure;
    const last = this.console.tail(3).join('\n  ');
    return new HmmdiffError(
      code,
      status,
      `the ${this.machine.arch} guest ${what}${last ? `; last lines:\n  ${last}` : ''}`,
      { hint: `its console: ${this.consoleFile}` },
    );
  }

  /** Why it is gone, or undefined when it still runs after so many milliseconds. */
  async exitWithin(milliseconds: number): Promise<GuestExit | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), milliseconds);
    });
    try {
      return await Promise.race([this.exited, limit]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
