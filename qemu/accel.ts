import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HmmdiffError } from '../harness/errors.ts';
import { architectureOf } from './architectures.ts';
import { Guest, MARKERS } from './guest.ts';
import type { Accelerator, Machine } from './machine.ts';

/** What guests of a kernel run on, and why, in words for the verdict. */
export interface AcceleratorChoice {
  accelerator: Accelerator;
  reason: string;
}

/** A guest under KVM is at init in well under a second; one that takes so long is being emulated badly. */
const KVM_BOOT_LIMIT = 8000;

const KVM_DEVICE = '/dev/kvm';

/**
 * Chooses accelerators by starting guests, and remembers the outcome per architecture for a run. That /dev/kvm is
 * there, and even that a virtual machine can be made, does not mean that a guest runs: nested and filtered KVMs
 * refuse a register, or stop in the middle of boot with QEMU still alive.
 */
export class AcceleratorProbe {
  readonly #choices = new Map<string, Promise<AcceleratorChoice>>();

  /**
   * @param machine the guest to be, but for its accelerator; it is booted as far as init
   * @throws whatever `signal` aborts with; a KVM that fails is an answer, not an error
   */
  choose(machine: Omit<Machine, 'accelerator'>, signal?: AbortSignal): Promise<AcceleratorChoice> {
    const key = `${machine.arch}/${architectureOf(machine.arch).machineType({ ...machine, accelerator: 'kvm' })}`;
    const known = this.#choices.get(key);
    if (known) return known;
    const choice = probe(machine, signal);
    this.#choices.set(key, choice);
    // A probe that was aborted has found out nothing.
    choice.catch(() => this.#choices.delete(key));
    return choice;
  }
}

async function probe(
  machine: Omit<Machine, 'accelerator'>,
  signal: AbortSignal | undefined,
): Promise<AcceleratorChoice> {
  const { name, hostArch } = architectureOf(machine.arch);
  if (process.arch !== hostArch) {
    return tcg(`the host is no ${name} machine`);
  }
  const refused = await access(KVM_DEVICE, constants.R_OK | constants.W_OK).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
  if (refused !== undefined) {
    return tcg(refused === 'ENOENT' ? `there is no ${KVM_DEVICE}` : `${KVM_DEVICE}: ${refused}`);
  }
  const failure = await bootWithKvm(machine, signal);
  return failure === undefined
    ? { accelerator: 'kvm', reason: 'a guest booted with KVM' }
    : tcg(`${KVM_DEVICE} is there, but no guest boots with it: ${failure}`);
}

function tcg(reason: string): AcceleratorChoice {
  return { accelerator: 'tcg', reason };
}

/** Answers why no guest came as far as init, or `undefined` if one did. */
async function bootWithKvm(
  machine: Omit<Machine, 'accelerator'>,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-kvm-'));
  const limit = AbortSignal.timeout(KVM_BOOT_LIMIT);
  try {
    await using guest = await Guest.start(
      { ...machine, accelerator: 'kvm' },
      {
        consoleFile: join(folder, 'console'),
        readyPattern: MARKERS.init,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      },
    );
    await guest.ready;
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.aborted) return `it was not at init after ${KVM_BOOT_LIMIT / 1000} s`;
    if (error instanceof HmmdiffError) return firstLine(error.message);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}
