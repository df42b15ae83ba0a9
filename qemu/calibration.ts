import type { Accelerator, Arch } from './machine.ts';

/**
 * Milliseconds from QEMU's start to the first line of init where TRIALS were made: 2 cores, QEMU 7.2, a minimal
 * 7.3 kernel. Only ratios to them are used.
 */
const REFERENCE: Record<Accelerator, Record<Arch, number>> = {
  tcg: { x86_64: 1300, aarch64: 900 },
  kvm: { x86_64: 400, aarch64: 400 },
};

/** Until a guest has booted: an allowance for hosts that are slower. */
const UNKNOWN = 4;

/**
 * How slow this host is with guests, so that a time limit means the same work everywhere. Limits are written as for
 * the reference host and scaled by what booting took here; a host's speed drifts, so the slowest boot counts.
 */
export class Calibration {
  readonly #factors = new Map<string, number>();

  /** Notes that a boot took `milliseconds` from QEMU's start to init's first line. */
  observeBoot(arch: Arch, accelerator: Accelerator, milliseconds: number): void {
    const key = `${arch}/${accelerator}`;
    const factor = Math.max(1, milliseconds / REFERENCE[accelerator][arch]);
    this.#factors.set(key, Math.max(this.#factors.get(key) ?? 1, factor));
  }

  /**
   * At least 1: a fast host does not shorten limits, which are there for hangs.
   *
   * @param allowance how much slower than a plain kernel this one may be, where no boot has told yet
   */
  factor(arch: Arch, accelerator: Accelerator, allowance = 1): number {
    return this.#factors.get(`${arch}/${accelerator}`) ?? UNKNOWN * allowance;
  }

  /** A time limit of the reference host, in milliseconds, as it is for this one. */
  scale(arch: Arch, accelerator: Accelerator, milliseconds: number): number {
    return Math.round(milliseconds * this.factor(arch, accelerator));
  }
}
