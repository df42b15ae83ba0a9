import { Architecture } from './architecture.ts';
import { MACHINE_DEFAULTS, type Machine, type MachineType, type PhysicalRegion } from './machine.ts';

const MIB = 1024 * 1024;

/** `microvm` by default: no firmware tables, no PCI, the shortest way to init. */
export class X86_64 extends Architecture {
  readonly name = 'x86_64';
  readonly qemu = 'qemu-system-x86_64';
  readonly hostArch = 'x64';
  readonly debian = 'amd64';
  readonly serialConsole = 'ttyS0';
  readonly machineTypes = ['microvm', 'q35'] as const;

  override machineOption(type: MachineType): string {
    // Without ACPI, microvm names its virtio devices on the kernel command line by itself.
    return type === 'microvm' ? 'microvm,acpi=off,rtc=on' : type;
  }

  override transport(machine: Machine): 'mmio' | 'pci' {
    return this.machineType(machine) === 'microvm' ? 'mmio' : 'pci';
  }

  /**
   * What an emulated processor needs on a busy host. A timer may not tick during the kernel's short test of it, which
   * then panics. And the kernel measures its TSC against a timer that goes on while QEMU does not: a clock 40 times too
   * fast was seen, with which every time limit in the guest passed at once (arch/x86/kernel/tsc.c,
   * pit_calibrate_tsc()). Without the TSC the clock counts ticks, which can be late but not early.
   */
  protected override extraWords(machine: Machine): string[] {
    return ['no_timer_check', ...(machine.accelerator === 'tcg' ? ['tsc=unstable'] : [])];
  }

  /** Taken below 2 GiB: whatever the board and the size of its memory, RAM there has no hole. */
  override reservedRegion(machine: Machine): PhysicalRegion | undefined {
    return this.topRegion(machine, 0, Math.min(machine.memoryMiB ?? MACHINE_DEFAULTS.memoryMiB, 2048));
  }

  protected override reserveWords(_machine: Machine, region: PhysicalRegion): string[] {
    return [`memmap=${region.size / MIB}M$0x${region.start.toString(16)}`];
  }
}
