import { Architecture } from './architecture.ts';
import {
  type Accelerator,
  MACHINE_DEFAULTS,
  type Machine,
  type MachineType,
  type PhysicalRegion,
} from './machine.ts';

/** RAM of `virt` starts at 1 GiB; below are its devices. */
const RAM_BASE = 0x4000_0000;

export class Aarch64 extends Architecture {
  readonly name = 'aarch64';
  readonly qemu = 'qemu-system-aarch64';
  readonly hostArch = 'arm64';
  readonly debian = 'arm64';
  readonly serialConsole = 'ttyAMA0';
  readonly machineTypes = ['virt'] as const;

  override machineOption(type: MachineType): string {
    return `${type},gic-version=3`;
  }

  override cpu(accelerator: Accelerator): string {
    // The architected pointer-authentication hash is slow to emulate; any other is as good for a test.
    return accelerator === 'tcg' ? 'max,pauth-impdef=on' : super.cpu(accelerator);
  }

  override transport(machine: Machine): 'mmio' | 'pci' {
    return machine.transport ?? 'mmio';
  }

  override reservedRegion(machine: Machine): PhysicalRegion | undefined {
    return this.topRegion(machine, RAM_BASE, machine.memoryMiB ?? MACHINE_DEFAULTS.memoryMiB);
  }

  /** There is no memmap= here; a limit on all memory leaves the top unused. */
  protected override reserveWords(machine: Machine, _region: PhysicalRegion): string[] {
    const memoryMiB = machine.memoryMiB ?? MACHINE_DEFAULTS.memoryMiB;
    return [`mem=${memoryMiB - (machine.reserveTopMiB ?? 0)}M`];
  }
}
