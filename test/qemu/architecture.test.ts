import { describe, expect, it } from 'vitest';
import { architectureOf } from '../../qemu/architectures.ts';
import type { Machine, Wiring } from '../../qemu/machine.ts';

const x86: Machine = { arch: 'x86_64', kernel: '/k/vmlinux', initrd: '/k/initrd', accelerator: 'tcg' };
const arm: Machine = { arch: 'aarch64', kernel: '/k/Image', initrd: '/k/initrd', accelerator: 'tcg' };
const wiring: Wiring = { qmpFd: 3, consoleFile: '/run/console', portFds: [4, 5] };

/** The value that follows each occurrence of an option. */
function valuesOf(argv: string[], option: string): string[] {
  return argv.flatMap((word, index) => (word === option ? [argv[index + 1] as string] : []));
}

function argvOf(machine: Machine): string[] {
  return architectureOf(machine.arch).argv(machine, wiring);
}

describe('the command line of QEMU', () => {
  it('is the fastest x86_64 machine by default', () => {
    expect(argvOf(x86).join(' ')).toMatchInlineSnapshot(
      `"-nodefaults -no-user-config -no-reboot -display none -machine microvm,acpi=off,rtc=on -accel tcg,thread=multi -cpu max -smp 2 -m 2048M -kernel /k/vmlinux -initrd /k/initrd -append console=ttyS0 printk.time=1 hostname=hmmdiff panic=-1 reboot=t oops=panic no_timer_check tsc=unstable -chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control -chardev file,id=console,path=/run/console,append=on -serial chardev:console"`,
    );
  });

  it('takes the TSC of a real processor for its clock, and not that of an emulated one', () => {
    const wordsWith = (accelerator: Machine['accelerator']) =>
      valuesOf(argvOf({ ...x86, accelerator }), '-append')[0]?.split(' ');
    expect(wordsWith('tcg')).toContain('tsc=unstable');
    expect(wordsWith('kvm')).not.toContain('tsc=unstable');
  });

  it('is virt on aarch64', () => {
    const argv = argvOf(arm);
    expect(valuesOf(argv, '-machine')).toEqual(['virt,gic-version=3']);
    expect(valuesOf(argv, '-append')[0]).toContain('console=ttyAMA0');
  });

  it('attaches virtio devices over mmio to microvm and virt, over PCI to q35', () => {
    const devices = (machine: Machine) =>
      valuesOf(argvOf({ ...machine, ssh: true, ports: ['agent'] }), '-device').map(
        (device) => device.split(',')[0],
      );
    expect(devices(x86)).toEqual(['virtio-net-device', 'virtio-serial-device', 'virtserialport']);
    expect(devices(arm)).toEqual(['virtio-net-device', 'virtio-serial-device', 'virtserialport']);
    expect(devices({ ...arm, transport: 'pci' })).toContain('virtio-net-pci');
    expect(devices({ ...x86, type: 'q35' })).toEqual([
      'virtio-net-pci',
      'virtio-serial-pci',
      'virtserialport',
    ]);
  });

  it('lets in ssh from this host only, and nothing out', () => {
    expect(valuesOf(argvOf({ ...x86, ssh: true }), '-netdev')).toEqual([
      'user,id=net0,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22',
    ]);
    expect(argvOf(x86)).not.toContain('-netdev');
  });

  it('gives each port a descriptor of its own', () => {
    const argv = argvOf({ ...x86, ports: ['agent', 'trace'] });
    expect(valuesOf(argv, '-chardev')).toEqual(
      expect.arrayContaining(['socket,id=port0,fd=4', 'socket,id=port1,fd=5']),
    );
    expect(valuesOf(argv, '-device')).toContain('virtserialport,chardev=port1,name=trace');
  });

  it('keeps commas of a path out of the option syntax', () => {
    const argv = architectureOf('x86_64').argv(x86, { ...wiring, consoleFile: '/a,b' });
    expect(valuesOf(argv, '-chardev')).toContain('file,id=console,path=/a,,b,append=on');
  });

  it('puts what the caller adds last', () => {
    const argv = argvOf({ ...arm, append: ['norandmaps'], dtb: '/k/dtb', extraArguments: ['-S'] });
    expect(valuesOf(argv, '-append')[0]).toMatch(/ norandmaps$/);
    expect(argv.slice(-3)).toEqual(['-dtb', '/k/dtb', '-S']);
  });

  it('refuses a board of another architecture', () => {
    expect(() => argvOf({ ...arm, type: 'q35' })).toThrow('aarch64 has no machine type "q35"; it has virt');
  });
});

describe('reserved memory', () => {
  it('is the top of RAM on x86_64, by memmap=', () => {
    const machine: Machine = { ...x86, reserveTopMiB: 512 };
    expect(architectureOf('x86_64').reservedRegion(machine)).toEqual({
      start: 0x6000_0000,
      size: 0x2000_0000,
    });
    expect(architectureOf('x86_64').commandLine(machine)).toContain(' memmap=512M$0x60000000');
  });

  it('stays below the hole of x86_64 when RAM goes beyond it', () => {
    const machine: Machine = { ...x86, memoryMiB: 8192, reserveTopMiB: 512 };
    expect(architectureOf('x86_64').reservedRegion(machine)?.start).toBe(0x6000_0000);
  });

  it('is the top of RAM on aarch64, by mem=', () => {
    const machine: Machine = { ...arm, reserveTopMiB: 512 };
    expect(architectureOf('aarch64').reservedRegion(machine)).toEqual({
      start: 0xa000_0000,
      size: 0x2000_0000,
    });
    expect(architectureOf('aarch64').commandLine(machine)).toContain(' mem=1536M');
  });

  it('cannot be all memory', () => {
    expect(() => argvOf({ ...x86, memoryMiB: 512, reserveTopMiB: 512 })).toThrow(
      'cannot reserve 512 MiB of 512 MiB',
    );
  });
});
