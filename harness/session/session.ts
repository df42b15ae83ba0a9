import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadOutcome } from '../../model/system.ts';
import type { AcceleratorProbe } from '../../qemu/accel.ts';
import { architectureOf } from '../../qemu/architectures.ts';
import type { Calibration } from '../../qemu/calibration.ts';
import { Guest, MARKERS } from '../../qemu/guest.ts';
import { createSessionKeys, type SessionKeys } from '../../qemu/keys.ts';
import type { Accelerator, Machine } from '../../qemu/machine.ts';
import { SshSession } from '../../qemu/ssh.ts';
import type { SystemObservation } from '../compare/system.ts';
import { infrastructureError } from '../errors.ts';
import type { KernelBuild } from '../kernels/build.ts';
import { parseConfig } from '../kernels/fragment.ts';
import { type AgentHello, parseHello } from '../programs/agent-stream.ts';
import { ChunkReader, type DeviceMemory } from './chunks.ts';
import { writeSessionImage } from './image.ts';

export interface SessionOptions {
  build: KernelBuild;
  /** From baseImage(). */
  image: string;
  accelerator: Accelerator;
  /** Folder for the console and the guest's own image. */
  folder: string;
  /** Names the guest's files within `folder`. */
  name: string;
  /** Changes to the machine that lanes have by default. */
  machine?: Partial<Machine>;
  /** Further words of the kernel command line, after all others. */
  append?: readonly string[];
  /** Load test_hmm with coherent devices. @default true */
  coherent?: boolean;
  calibration: Calibration;
  /** Milliseconds that booting may take, on the reference host; for a guest that waits for a debugger. */
  bootLimit?: number;
  /** Called when QEMU runs, before the guest has booted. */
  onStart?: (guest: Guest) => void;
  signal?: AbortSignal | undefined;
}

/** A dying kernel takes its time to print; QEMU ends with it. */
const LOSS_LIMIT_MS = 2000;
const MIB = 2 ** 20;
/** Two coherent devices with one chunk each (lib/test_hmm.c, DEVMEM_CHUNK_SIZE). */
const COHERENT_MIB = 512;

/** An emulated aarch64 kernel with KASAN and lockdep says nothing for half a minute at its start. */
const CHECKED_ALLOWANCE = 4;
const CHECKS = ['CONFIG_KASAN', 'CONFIG_PROVE_LOCKING'];

/** Whether the kernel has checks built in that make it several times slower. */
async function checksItself(build: KernelBuild): Promise<boolean> {
  const config = parseConfig(await readFile(build.config, 'utf8'));
  return CHECKS.some((symbol) => config.get(symbol) === 'y');
}

/** The machine of a lane, but for what only a session knows (its image). */
export function laneMachine(
  build: KernelBuild,
  options: { coherent?: boolean; machine?: Partial<Machine>; append?: readonly string[] } = {},
): Omit<Machine, 'accelerator' | 'initrd'> {
  const { coherent = true, machine = {}, append = [] } = options;
  const described = {
    arch: build.arch,
    kernel: build.image,
    ssh: true,
    ...(coherent ? { reserveTopMiB: COHERENT_MIB } : {}),
    ...machine,
  };
  // Where the region lies depends on neither image nor accelerator.
  const region = architectureOf(build.arch).reservedRegion({ ...described, initrd: '', accelerator: 'tcg' });
  // Minor 2 takes spm_addr_dev1, minor 3 spm_addr_dev0 (dmirror_allocate_chunk).
  const parameters = region
    ? `,spm_addr_dev0=0x${region.start.toString(16)},spm_addr_dev1=0x${(region.start + (COHERENT_MIB / 2) * MIB).toString(16)}`
    : '';
  return {
    ...described,
    append: [
      `hmmdiff.insmod=test_hmm${parameters}`,
      // A test process that the kernel cannot end shall be reported while somebody still waits for it.
      'sysctl.kernel.hung_task_timeout_secs=30',
      ...(machine.append ?? []),
      ...append,
    ],
  };
}

/** Chooses the accelerator for a lane by booting its kernel with it (AcceleratorProbe). */
export async function chooseAccelerator(
  probe: AcceleratorProbe,
  wanted: Accelerator | 'auto',
  build: KernelBuild,
  image: string,
  signal?: AbortSignal,
): Promise<{ accelerator: Accelerator; reason: string }> {
  if (wanted !== 'auto') return { accelerator: wanted, reason: `asked for with --accel ${wanted}` };
  return probe.choose({ ...laneMachine(build), initrd: image }, signal);
}

/** A booted guest with an ssh session and an agent that answers. */
export class Session implements AsyncDisposable {
  /** Console lines that `memory` has looked at, and what they say. */
  #read = 0;
  readonly #chunks = new ChunkReader();
  #marks = 0;

  private constructor(
    readonly guest: Guest,
    readonly ssh: SshSession,
    readonly hello: AgentHello,
    /** Milliseconds from the start of QEMU to the agent's first answer. */
    readonly readyMs: number,
    readonly imageFile: string,
  ) {}

  /**
   * Boots a guest and talks to its agent.
   *
   * @throws HmmdiffError what Guest.start, Guest.ready and SshSession.connect throw
   */
  static async start(options: SessionOptions): Promise<Session> {
    const { build, folder, name, signal } = options;
    const keys = createSessionKeys();
    const imageFile = join(folder, `${name}.initrd`);
    await writeSessionImage(options.image, keys, imageFile);
    const started = performance.now();
    const guest = await Guest.start(
      { ...laneMachine(build, options), initrd: imageFile, accelerator: options.accelerator },
      {
        consoleFile: join(folder, `${name}.console`),
        calibration: options.calibration,
        bootAllowance: (await checksItself(build)) ? CHECKED_ALLOWANCE : 1,
        ...(options.bootLimit === undefined
          ? {}
          : { bootLimit: options.bootLimit, bootSilence: options.bootLimit }),
        ...(signal ? { signal } : {}),
      },
    );
    options.onStart?.(guest);
    try {
      const [, ssh] = await Promise.all([guest.ready, connect(guest, keys, signal)]);
      // The kernel has unpacked it, and the keys in it are of no use to anyone else.
      await rm(imageFile, { force: true });
      const hello = parseHello((await ssh.exec('agent hello')).stdout);
      return new Session(guest, ssh, hello, performance.now() - started, imageFile);
    } catch (error) {
      await guest.kill();
      await rm(imageFile, { force: true });
      throw error;
    }
  }

  /** test_hmm's memory as its messages tell; grows as the kernel adds chunks. */
  get memory(): DeviceMemory {
    const { lines } = this.guest.console;
    for (; this.#read < lines.length; this.#read++) this.#chunks.read(lines[this.#read]!.text);
    return this.#chunks.memory;
  }

  /** Returns when everything that the kernel has said so far is in `guest.console`. @throws HmmdiffError `ssh-lost` */
  async mark(): Promise<void> {
    const mark = `hmmdiff: mark ${++this.#marks}`;
    const line = this.guest.console.untilLine(new RegExp(`${mark}$`));
    line.catch(() => {});
    await this.ssh.exec(`echo '<5>${mark}' >/dev/kmsg`);
    await line;
  }

  /** How loading test_hmm ended; anything but a missing room for memory is given in insmod's words. */
  get load(): LoadOutcome | string {
    for (const { text } of this.guest.console.lines) {
      const failed = /hmmdiff: insmod test_hmm: failed: (.*)/.exec(text)?.[1];
      if (failed !== undefined) return /Cannot allocate memory$/.test(failed) ? 'ENOMEM' : failed;
    }
    return 'loads';
  }

  /** What test_hmm was loaded with, as insmod takes it. */
  async moduleParameters(): Promise<string> {
    const { stdout } = await this.ssh.exec('cat /proc/cmdline');
    const [, parameters = ''] = /hmmdiff\.insmod=test_hmm(\S*)/.exec(stdout) ?? [];
    return parameters.replaceAll(',', ' ').trim();
  }

  /** What the machine shows of device memory. */
  async system(): Promise<SystemObservation> {
    const { stdout } = await this.ssh.exec('cat /proc/iomem; echo; echo ----; cat /proc/zoneinfo');
    const [iomem = '', zoneinfo = ''] = stdout.split('\n----\n');
    return { iomem, zoneinfo };
  }

  /** /proc/vmstat, with what each processor has counted for itself. */
  async vmstat(): Promise<string> {
    return (await this.ssh.exec('echo 1 > /proc/sys/vm/stat_refresh; cat /proc/vmstat')).stdout;
  }

  /**
   * Why a run lost this guest: what its end tells, or `reason` when the machine still runs.
   *
   * @throws HmmdiffError `qemu-lost` (exit status 3) when it was not the kernel that ended it
   */
  async explainLoss(reason: string): Promise<string> {
    const exit = await this.guest.exitWithin(LOSS_LIMIT_MS * this.guest.slowness);
    if (!exit) return reason;
    if (exit.kind === 'crashed' || exit.kind === 'signalled' || exit.kind === 'killed') {
      throw infrastructureError('qemu-lost', `the ${this.guest.machine.arch} guest is gone: ${exit.text}`, {
        hint: `Its console: ${this.guest.consoleFile}`,
      });
    }
    const panic = this.guest.splats.findLast((splat) => splat.panicked);
    return panic ? `${exit.text}: ${panic.title}` : exit.text;
  }

  /** Ends the guest in order, and at once if it does not. */
  async stop(): Promise<void> {
    await this.guest.shutdown({ inGuest: () => this.ssh.exec('reboot -f') });
    this.ssh.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ssh.close();
    await this.guest.kill();
    await rm(this.imageFile, { force: true });
  }
}

/** Connects while init loads modules: with an emulated processor the handshake takes a good part of the boot. */
async function connect(guest: Guest, keys: SessionKeys, signal?: AbortSignal): Promise<SshSession> {
  const listening = guest.console.untilLine(MARKERS.listening);
  // A guest that ends before it listens is told by its `ready`.
  listening.catch(() => {});
  const [port] = await Promise.all([guest.sshPort(), Promise.race([listening, guest.ready])]);
  return SshSession.connect({
    port,
    keys,
    connectLimit: 20_000 * guest.slowness,
    silenceLimit: 15_000 * guest.slowness,
    ...(signal ? { signal } : {}),
  });
}
