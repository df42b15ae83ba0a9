/** Guest architectures, by the kernel's `uname -m`. */
export const ARCHITECTURES = ['x86_64', 'aarch64'] as const;
export type Arch = (typeof ARCHITECTURES)[number];

/** `kvm`: the host's processor runs the guest; `tcg`: QEMU translates its instructions. */
export type Accelerator = 'kvm' | 'tcg';

/** QEMU's name of the board. x86_64 knows `microvm` (the default) and `q35`, aarch64 knows `virt`. */
export type MachineType = 'microvm' | 'q35' | 'virt';

/** How virtio devices are attached. `microvm` is always mmio, `q35` always pci, `virt` can do both. */
export type Transport = 'mmio' | 'pci';

/** Everything that decides what the guest is; two equal descriptions give equal QEMU command lines. */
export interface Machine {
  arch: Arch;
  /** Path of the kernel: an ELF `vmlinux` with a PVH entry on x86_64, an `Image` on aarch64. */
  kernel: string;
  /** Path of the initramfs; see initramfs.ts. */
  initrd: string;
  accelerator: Accelerator;
  /** @default the fastest that works: `microvm` on x86_64, `virt` on aarch64 */
  type?: MachineType;
  /** Only `virt` leaves a choice. @default `mmio` */
  transport?: Transport;
  /** QEMU's processor model. @default `max` with tcg, `host` with kvm */
  cpu?: string;
  /** @default 2 */
  cpus?: number;
  /** Size of the guest's RAM in MiB. @default 2048 */
  memoryMiB?: number;
  /**
   * MiB at the top of RAM (x86_64: of RAM below 2 GiB) that the kernel is told not to use, so that a driver can
   * claim them. `reservedRegion` says where they are. @default 0
   */
  reserveTopMiB?: number;
  /** Further words of the kernel command line. */
  append?: readonly string[];
  /** Names of virtio-serial ports; each is a stream on the host (`Guest.port`) and a character device in the guest. */
  ports?: readonly string[];
  /** Gives the guest a network card of which only port 22 can be reached, from 127.0.0.1. @default false */
  ssh?: boolean;
  /** Path of a device tree that replaces the one that QEMU makes (aarch64). */
  dtb?: string;
  /** Further words of the QEMU command line, such as `['-gdb', 'tcp:127.0.0.1:1234', '-S']`. */
  extraArguments?: readonly string[];
}

/** A range of guest-physical addresses, in bytes. */
export interface PhysicalRegion {
  start: number;
  size: number;
}

/**
 * What joins QEMU to hmmdiff. The file descriptors are inherited: each is one end of a connected socket pair whose other end hmmdiff holds.
 * Unlike sockets with a path they need no name, no cleaning up, and no one else can connect to them.
 */
export interface Wiring {
  qmpFd: number;
  /** A file that is there; QEMU itself appends what the guest prints, so it is whole even if hmmdiff is killed. */
  consoleFile: string;
  /** One descriptor per entry of `Machine.ports`, in the same order. */
  portFds: readonly number[];
}

export const MACHINE_DEFAULTS = { cpus: 2, memoryMiB: 2048 } as const;
