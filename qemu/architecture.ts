import { inputError } from '../harness/errors.ts';
import {
  type Accelerator,
  type Arch,
  MACHINE_DEFAULTS,
  type Machine,
  type MachineType,
  type PhysicalRegion,
  type Transport,
  type Wiring,
} from './machine.ts';

const MIB = 1024 * 1024;

/** What differs between architectures, one subclass each; the frame that they share is here. */
export abstract class Architecture {
  abstract readonly name: Arch;
  /** Name of the QEMU program, looked up on PATH. */
  abstract readonly qemu: string;
  /** `process.arch` of the hosts on which KVM can run this guest. */
  abstract readonly hostArch: NodeJS.Architecture;
  /** Debian's name of the architecture. */
  abstract readonly debian: 'amd64' | 'arm64';
  /** The kernel's name of the first serial port. */
  abstract readonly serialConsole: string;
  /** Board types, the default first. */
  abstract readonly machineTypes: readonly MachineType[];

  /** Value of `-machine`. */
  abstract machineOption(type: MachineType): string;
  abstract transport(machine: Machine): Transport;
  /** Where `reserveTopMiB` ends up in the guest's physical address space. */
  abstract reservedRegion(machine: Machine): PhysicalRegion | undefined;
  /** Words of the kernel command line that keep the kernel out of `reservedRegion`. */
  protected abstract reserveWords(machine: Machine, region: PhysicalRegion): string[];

  cpu(accelerator: Accelerator): string {
    return accelerator === 'kvm' ? 'host' : 'max';
  }

  machineType(machine: Machine): MachineType {
    const type = machine.type ?? (this.machineTypes[0] as MachineType);
    if (!this.machineTypes.includes(type)) {
      throw inputError(
        'machine-type',
        `${this.name} has no machine type "${type}"; it has ${this.machineTypes.join(', ')}`,
      );
    }
    return type;
  }

  /**
   * The kernel command line. `panic=-1 reboot=t` with QEMU's `-no-reboot` ends QEMU at once after a panic, and
   * `oops=panic` does so after an oops, which would otherwise leave a task hanging with locks held. Time stamps
   * tell a line of the kernel from one that a program printed on the console.
   */
  commandLine(machine: Machine): string {
    const region = this.reservedRegion(machine);
    return [
      `console=${this.serialConsole}`,
      'printk.time=1',
      'hostname=hmmdiff',
      'panic=-1',
      'reboot=t',
      'oops=panic',
      ...this.extraWords(machine),
      ...(region ? this.reserveWords(machine, region) : []),
      ...(machine.append ?? []),
    ].join(' ');
  }

  /**
   * The whole QEMU command line without the program's name.
   *
   * @throws HmmdiffError `machine-type` if the architecture has no such board
   */
  argv(machine: Machine, wiring: Wiring): string[] {
    const bus = this.transport(machine) === 'pci' ? 'pci' : 'device';
    const argv = [
      '-nodefaults',
      '-no-user-config',
      '-no-reboot',
      ...['-display', 'none'],
      ...['-machine', this.machineOption(this.machineType(machine))],
      ...['-accel', machine.accelerator === 'tcg' ? 'tcg,thread=multi' : 'kvm'],
      ...['-cpu', machine.cpu ?? this.cpu(machine.accelerator)],
      ...['-smp', String(machine.cpus ?? MACHINE_DEFAULTS.cpus)],
      ...['-m', `${machine.memoryMiB ?? MACHINE_DEFAULTS.memoryMiB}M`],
      ...['-kernel', machine.kernel],
      ...['-initrd', machine.initrd],
      ...['-append', this.commandLine(machine)],
      ...['-chardev', `socket,id=qmp,fd=${wiring.qmpFd}`, '-mon', 'chardev=qmp,mode=control'],
      ...['-chardev', `file,id=console,path=${escapeOption(wiring.consoleFile)},append=on`],
      ...['-serial', 'chardev:console'],
    ];
    if (machine.ssh) {
      argv.push(
        ...['-netdev', 'user,id=net0,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22'],
        ...['-device', `virtio-net-${bus},netdev=net0${bus === 'pci' ? ',romfile=' : ''}`],
      );
    }
    if (machine.ports?.length) {
      argv.push('-device', `virtio-serial-${bus}`);
      for (const [index, name] of machine.ports.entries()) {
        argv.push('-chardev', `socket,id=port${index},fd=${wiring.portFds[index]}`);
        argv.push('-device', `virtserialport,chardev=port${index},name=${escapeOption(name)}`);
      }
    }
    if (machine.dtb !== undefined) argv.push('-dtb', machine.dtb);
    argv.push(...(machine.extraArguments ?? []));
    return argv;
  }

  protected extraWords(_machine: Machine): string[] {
    return [];
  }

  /** The last `reserveTopMiB` below `endMiB` of a RAM that starts at `base`. */
  protected topRegion(machine: Machine, base: number, endMiB: number): PhysicalRegion | undefined {
    const reserve = machine.reserveTopMiB ?? 0;
    if (reserve === 0) return undefined;
    if (reserve >= endMiB) {
      throw inputError('machine-memory', `cannot reserve ${reserve} MiB of ${endMiB} MiB of guest memory`);
    }
    return { start: base + (endMiB - reserve) * MIB, size: reserve * MIB };
  }
}

/** In QEMU's option syntax a comma ends a value, a doubled one stands for itself. */
export function escapeOption(value: string): string {
  return value.replaceAll(',', ',,');
}
