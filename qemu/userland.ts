import { join } from 'node:path';
import { architectureOf } from './architectures.ts';
import { libraryEntries } from './elf.ts';
import type { InitramfsEntry } from './initramfs.ts';
import type { Arch } from './machine.ts';

/** Unpacks Debian packages of an architecture and answers the directory that holds their files. */
export type FetchDebianPackages = (arch: 'amd64' | 'arm64', packages: string[]) => Promise<string>;

/** The packages that the userland is made of; ask for them in the suite of your choice. */
export const USERLAND_PACKAGES = [
  'busybox-static',
  'dropbear-bin',
  'libc6',
  'libcrypt1',
  'libgmp10',
  'libtomcrypt1',
  'libtommath1',
  'zlib1g',
];

const TRIPLETS: Record<Arch, string> = { x86_64: 'x86_64-linux-gnu', aarch64: 'aarch64-linux-gnu' };

/** A busybox of another architecture cannot be asked for its applets; these are what init and test scripts use. */
const APPLETS = (
  'arch ash awk base64 basename cat chmod chown chroot cmp cp cut date dd df diff dirname dmesg du echo env expr ' +
  'false find free getopt grep gunzip gzip head hexdump hostname id ifconfig init insmod install ip kill killall ' +
  'less ln ls lsmod md5sum mkdir mkfifo mknod mktemp modinfo more mount mv nc netstat nice nohup od pgrep pidof ' +
  'ping pkill poweroff printenv printf ps pwd readlink realpath reboot renice reset rm rmdir rmmod route sed seq ' +
  'setsid sh sha256sum sleep sort split stat strings stty swapoff swapon sync sysctl tac tail tar tee test time ' +
  'timeout top touch tr true truncate tty umount uname uniq unshare uptime usleep vi watch wc which whoami xargs ' +
  'xxd yes zcat'
).split(' ');

const FSTAB = [
  'sysfs /sys sysfs',
  'devpts /dev/pts devpts',
  'tmpfs /dev/shm tmpfs',
  'tmpfs /tmp tmpfs',
  'tmpfs /run tmpfs',
  'debugfs /sys/kernel/debug debugfs',
  'tracefs /sys/kernel/tracing tracefs',
]
  .map((mount) => `${mount} defaults 0 0\n`)
  .join('');

/**
 * What every guest holds: busybox, dropbear with its libraries, `/init` (qemu/guest/init) and the files of /etc that
 * they ask for. Keys are not in it (see `sessionKeyEntries`), so that its archive can be kept between runs.
 *
 * @throws HmmdiffError `library-missing`, `elf-unreadable`, and whatever `fetch` throws
 */
export async function userlandEntries(arch: Arch, fetch: FetchDebianPackages): Promise<InitramfsEntry[]> {
  const root = await fetch(architectureOf(arch).debian, USERLAND_PACKAGES);
  const dropbear = join(root, 'usr/sbin/dropbear');
  return [
    ...['/proc', '/proc-for-init', '/sys', '/run', '/var/log'].map((path) => ({
      type: 'directory' as const,
      path,
    })),
    { type: 'directory', path: '/tmp', mode: 0o1777 },
    { type: 'directory', path: '/root', mode: 0o700 },
    // The kernel opens the console, and init writes its first marker, before devtmpfs is mounted.
    { type: 'device', path: '/dev/console', kind: 'c', major: 5, minor: 1 },
    { type: 'device', path: '/dev/kmsg', kind: 'c', major: 1, minor: 11 },
    { type: 'device', path: '/dev/null', kind: 'c', major: 1, minor: 3, mode: 0o666 },
    { type: 'file', path: '/init', source: join(import.meta.dirname, 'guest/init'), mode: 0o755 },
    { type: 'file', path: '/bin/busybox', source: join(root, 'usr/bin/busybox'), mode: 0o755 },
    ...APPLETS.map((applet) => ({ type: 'symlink' as const, path: `/bin/${applet}`, target: 'busybox' })),
    { type: 'file', path: '/bin/dropbear', source: dropbear, mode: 0o755 },
    ...(await libraryEntries([dropbear], root, TRIPLETS[arch])),
    { type: 'file', path: '/etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { type: 'file', path: '/etc/group', content: 'root:x:0:\n' },
    { type: 'file', path: '/etc/shells', content: '/bin/sh\n' },
    { type: 'file', path: '/etc/hosts', content: '127.0.0.1 localhost\n' },
    { type: 'file', path: '/etc/fstab', content: FSTAB },
    { type: 'file', path: '/etc/inittab', content: '# Nothing to start: /init has done it.\n' },
  ];
}
