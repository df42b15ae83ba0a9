import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KernelBuild } from '../../harness/kernels/build.ts';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import { Guest, type GuestOptions, MARKERS } from '../../qemu/guest.ts';
import { type InitramfsEntry, newcArchive } from '../../qemu/initramfs.ts';
import { createSessionKeys, type SessionKeys, sessionKeyEntries } from '../../qemu/keys.ts';
import { ARCHITECTURES, type Arch, type Machine } from '../../qemu/machine.ts';
import { SshSession } from '../../qemu/ssh.ts';
import { defaultKernel, userlandArchive } from './support/kernels.ts';

const kernels = {} as Record<Arch, KernelBuild>;
const userlands = {} as Record<Arch, Buffer>;
const calibration = new Calibration();

let folder: string;
let guests: Guest[];
let keys: SessionKeys;

beforeAll(async () => {
  for (const arch of ARCHITECTURES) {
    kernels[arch] = await defaultKernel(arch);
    userlands[arch] = await userlandArchive(arch, [
      { type: 'file', path: '/lib/modules/test_hmm.ko', source: kernels[arch].module },
    ]);
  }
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hmmdiff-guest-'));
  guests = [];
  keys = createSessionKeys();
});

afterEach(async () => {
  for (const guest of guests) await guest.kill();
  await rm(folder, { recursive: true, force: true });
});

async function machineOf(
  arch: Arch,
  changes: Partial<Machine> = {},
  more: InitramfsEntry[] = [],
): Promise<Machine> {
  const initrd = join(folder, 'initrd');
  const last = await newcArchive([...sessionKeyEntries(keys), ...more]);
  await writeFile(initrd, Buffer.concat([userlands[arch], last]));
  return { arch, kernel: kernels[arch].image, initrd, accelerator: 'tcg', ssh: true, ...changes };
}

/** A program that takes the place of init. */
function initScript(...commands: string[]): InitramfsEntry {
  const content = ['#!/bin/busybox sh', ...commands, ''].join('\n');
  return { type: 'file', path: '/other-init', content, mode: 0o755 };
}

async function start(machine: Machine, options: Partial<GuestOptions> = {}): Promise<Guest> {
  const guest = await Guest.start(machine, { consoleFile: join(folder, 'console'), calibration, ...options });
  guests.push(guest);
  return guest;
}

async function connect(guest: Guest, options: { keys?: SessionKeys; silenceLimit?: number } = {}) {
  return SshSession.connect({ port: await guest.sshPort(), keys, ...options });
}

describe.each(ARCHITECTURES)('a guest of %s', (arch) => {
  it('boots to a session without a word of complaint, and ends in order', async () => {
    const guest = await start(
      await machineOf(arch, {
        ports: ['agent'],
        append: ['hmmdiff.insmod=test_hmm', 'hmmdiff.insmod=no_such_module,a=b'],
      }),
    );
    await guest.ready;
    const ssh = await connect(guest);

    const failing = await ssh.exec('echo out; echo err >&2; cat; exit 7', { input: 'typed' });
    expect(failing).toEqual({ code: 7, signal: undefined, stdout: 'out\ntyped', stderr: 'err\n' });
    expect((await ssh.exec('kill -KILL $$')).signal).toBe('KILL');
    expect((await ssh.exec('uname -m; hostname; lsmod')).stdout).toMatch(
      new RegExp(`^${arch}\nhmmdiff\n.*^test_hmm `, 'ms'),
    );

    await ssh.upload(kernels[arch].module, "/tmp/it's a module", 0o600);
    const copied = await ssh.exec(
      'ls -l /tmp; cmp "/tmp/it\'s a module" /lib/modules/test_hmm.ko && echo same',
    );
    expect(copied.stdout).toMatch(/-rw------- .*\nsame\n$/);
    await expect(ssh.upload(kernels[arch].module, '/proc/no')).rejects.toMatchObject({ code: 'ssh-upload' });

    const port = guest.port('agent');
    const answer = once(port, 'data');
    await ssh.exec('echo from the guest > /dev/virtio-ports/agent');
    expect(String(await answer)).toBe('from the guest\n');

    const console_ = await readFile(guest.consoleFile, 'utf8');
    expect(console_).toMatch(/hmmdiff: insmod test_hmm: ok/);
    expect(console_).toMatch(/hmmdiff: insmod no_such_module: failed: insmod: can't insert/);
    const exit = await guest.shutdown({ inGuest: () => ssh.exec('reboot -f') });
    expect(exit.kind).toBe('reset');
    expect(guest.splats).toEqual([]);
  });

  it('is refused when it answers with another host key', async () => {
    const guest = await start(await machineOf(arch));
    await guest.ready;
    const other = { ...keys, hostPublicBlob: createSessionKeys().hostPublicBlob };
    await expect(connect(guest, { keys: other })).rejects.toMatchObject({
      code: 'ssh-host-key',
      exitStatus: 3,
    });
    expect((await guest.shutdown()).kind).toBe('quit');
  });

  it('reports a panic within 2 s of its line', async () => {
    const machine = await machineOf(arch, { append: ['rdinit=/other-init'] }, [initScript('exit 3')]);
    const guest = await start(machine);
    const begun = new Promise<number>((resolve) => guest.once('splat-begin', () => resolve(Date.now())));
    await expect(guest.ready).rejects.toMatchObject({
      code: 'guest-panic',
      exitStatus: 1,
      message: expect.stringContaining('Attempted to kill init! exitcode=0x00000300'),
    });
    expect((await guest.exited).kind).toBe('panic');
    const { mtimeMs } = await stat(guest.consoleFile);
    expect((await begun) - mtimeMs).toBeLessThan(2000);
    expect(guest.splats).toMatchObject([{ kind: 'panic', panicked: true }]);
  });

  it('that says nothing more is a boot hang', async () => {
    const machine = await machineOf(arch, { append: ['rdinit=/other-init'] }, [
      initScript('echo "<1>hmmdiff: init" >/dev/kmsg', 'exec sleep 1000'),
    ]);
    const guest = await start(machine, { bootSilence: 1000 });
    await expect(guest.ready).rejects.toMatchObject({
      code: 'boot-hang',
      exitStatus: 1,
      message: expect.stringContaining('hmmdiff: init'),
    });
    expect(guest.splats).toMatchObject([{ kind: 'boot-hang' }]);
  });

  it('is gone after its parent was killed', async () => {
    const fifo = join(folder, 'alive');
    execFileSync('mkfifo', [fifo]);
    // QEMU holds it open for writing for as long as it lives.
    const machine = await machineOf(arch, {
      extraArguments: ['-chardev', `file,id=alive,path=${fifo}`],
    });
    const script = join(import.meta.dirname, 'support/guest-parent.ts');
    const parent = spawn(
      process.execPath,
      ['--import', 'tsx', script, JSON.stringify(machine), join(folder, 'console')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const qemuGone = once(createReadStream(fifo).resume(), 'end');
    const [ready] = await once(parent.stdout, 'data');
    expect(String(ready)).toBe('ready\n');
    parent.kill('SIGKILL');
    await qemuGone;
    expect(await readFile(join(folder, 'console'), 'utf8')).toMatch(MARKERS.init.source.replace('$', ''));
  });
});

describe('what can happen to a guest', () => {
  it('a lost ssh connection', async () => {
    const guest = await start(await machineOf('aarch64'));
    await guest.ready;
    const ssh = await connect(guest, { silenceLimit: 600 });
    const lost = once(ssh, 'lost');
    const running = expect(ssh.exec('sleep 1000')).rejects.toMatchObject({ code: 'ssh-lost' });
    await guest.qmp.execute('stop');
    expect((await lost)[0]).toMatchObject({ code: 'ssh-lost', exitStatus: 3 });
    await running;
    await expect(ssh.exec('true')).rejects.toMatchObject({ code: 'ssh-lost' });
  });

  it('a QEMU that somebody else killed', async () => {
    const guest = await start(await machineOf('aarch64'));
    process.kill(guest.pid, 'SIGKILL');
    await expect(guest.ready).rejects.toMatchObject({ code: 'qemu-crashed', exitStatus: 3 });
    expect(await guest.exited).toMatchObject({ kind: 'crashed', signal: 'SIGKILL' });
  });

  it('a run that is aborted', async () => {
    const abort = new AbortController();
    const guest = await start(await machineOf('aarch64'), { signal: abort.signal });
    const ready = expect(guest.ready).rejects.toThrow('Ctrl-C');
    await guest.console.untilLine(/Linux version/);
    abort.abort(new Error('Ctrl-C'));
    await ready;
    expect((await guest.exited).kind).toBe('killed');
  });

  it('a command that is aborted, while the session goes on', async () => {
    const guest = await start(await machineOf('aarch64'));
    await guest.ready;
    const ssh = await connect(guest);
    const abort = new AbortController();
    const running = expect(ssh.exec('echo $$ > /tmp/pid; exec sleep 1000', abort)).rejects.toThrow('enough');
    const started = await ssh.exec('until [ -s /tmp/pid ]; do usleep 10000; done; cat /tmp/pid');
    abort.abort(new Error('enough'));
    await running;
    const pid = started.stdout.trim();
    const gone = await ssh.exec(`while [ -e /proc/${pid} ]; do usleep 10000; done; echo gone`);
    expect(gone.stdout).toBe('gone\n');
  });

  it('a kernel that never says a word, which is nobody knows whose fault', async () => {
    const kernel = join(folder, 'no-kernel');
    await writeFile(kernel, Buffer.alloc(4096));
    const guest = await start(await machineOf('aarch64', { kernel }), { bootSilence: 500 });
    await expect(guest.ready).rejects.toMatchObject({ code: 'boot-hang', exitStatus: 3 });
  });

  it('a QEMU that cannot start', async () => {
    const machine = await machineOf('x86_64', { kernel: join(folder, 'missing') });
    await expect(start(machine)).rejects.toMatchObject({
      code: 'qemu-start',
      exitStatus: 3,
      message: expect.stringMatching(
        /qemu-system-x86_64 did not start: .*could not (?:open|load) .*missing/s,
      ),
      hint: expect.stringContaining('-machine microvm'),
    });
  });
});

describe('AcceleratorProbe', () => {
  it('chooses what a guest really boots on, and says why', async () => {
    const { accelerator: _, ...machine } = await machineOf('x86_64');
    const probe = new AcceleratorProbe();
    const choice = await probe.choose(machine);
    expect(choice.reason).toMatch(
      choice.accelerator === 'kvm' ? /^a guest booted with KVM$/ : /\/dev\/kvm|host is no/,
    );
    expect(await probe.choose(machine)).toBe(choice);
    const guest = await start({ ...machine, accelerator: choice.accelerator });
    await guest.ready;
  });

  it('emulates a foreign architecture without trying', async () => {
    const foreign: Arch = process.arch === 'x64' ? 'aarch64' : 'x86_64';
    const machine: Omit<Machine, 'accelerator'> = { arch: foreign, kernel: '/nowhere', initrd: '/nowhere' };
    expect(await new AcceleratorProbe().choose(machine)).toEqual({
      accelerator: 'tcg',
      reason: `the host is no ${foreign} machine`,
    });
  });
});
