import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import { inputError } from '../errors.ts';
import { parseArch } from '../kernels/arch.ts';
import { buildKernel } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { resolveKernel } from '../kernels/resolve.ts';
import { baseImage } from '../session/image.ts';
import { chooseAccelerator, Session } from '../session/session.ts';
import { collect, collectWords, defaultJobs, positiveInteger, withProgress } from './context.ts';

interface ShellOptions {
  kernel?: string;
  series?: string;
  config: string[];
  append: string[];
  accel: 'auto' | 'kvm' | 'tcg';
  jobs: number;
  gdb?: boolean;
  command?: string;
}

/** A day or so, and still within what setTimeout can count after it was scaled. */
const DEBUGGER_LIMIT_MS = 1e8;

export function shellCommand(signal: AbortSignal): Command {
  return new Command('shell')
    .description('a shell in a guest, with test_hmm loaded')
    .argument('<arch>', 'x86_64 or aarch64')
    .option('--kernel <name|dir>', 'kernel of kernels.yaml, or a kernel tree')
    .option('--series <name|dir>', 'apply this series first')
    .option('--config <fragment>', 'add a config fragment, can be repeated', collect, [])
    .option('--append <word>', 'a word for the kernel command line, can be repeated', collectWords, [])
    .option('--accel <accelerator>', 'auto, kvm or tcg', 'auto')
    .option('--jobs <n>', 'parallel compilations', positiveInteger, defaultJobs)
    .option('--gdb', 'stop before the first instruction and wait for a debugger')
    .option('-c, --command <command>', 'run this instead of an interactive shell')
    .addHelpText(
      'after',
      `
Examples:
  hmmdiff shell aarch64
  hmmdiff shell x86_64 -c 'cat /proc/iomem'
  hmmdiff shell x86_64 --gdb --kernel ~/linux`,
    )
    .action(async (archName: string, options: ShellOptions) => {
      const arch = parseArch(archName);
      if (!['auto', 'kvm', 'tcg'].includes(options.accel)) {
        throw inputError('accel', `--accel ${options.accel}: auto, kvm or tcg`);
      }
      const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-shell-'));
      try {
        await using session = await withProgress(signal, async (context) => {
          const { tree } = await resolveKernel(options.kernel, options.series, context);
          const build = await buildKernel(tree, arch, {
            ...context,
            jobs: options.jobs,
            fragments: options.config,
          });
          const image = await baseImage(build, await buildGuestPrograms(build, context), context);
          const { accelerator } = await chooseAccelerator(
            new AcceleratorProbe(),
            options.accel,
            build,
            image,
            signal,
          );
          const socket = join(folder, 'gdb');
          return Session.start({
            build,
            image,
            accelerator,
            folder,
            name: 'guest',
            append: options.append,
            calibration: new Calibration(),
            signal,
            ...(options.gdb
              ? {
                  bootLimit: DEBUGGER_LIMIT_MS,
                  // Breakpoints need the addresses of vmlinux.
                  machine: {
                    extraArguments: ['-gdb', `unix:${socket},server=on,wait=off`, '-S'],
                    append: ['nokaslr'],
                  },
                  onStart: () =>
                    context.events.note(
                      `the guest waits for: gdb ${build.vmlinux} -ex 'target remote ${socket}' -ex continue`,
                    ),
                }
              : {}),
          });
        });
        process.exitCode =
          options.command === undefined
            ? await interactive(session)
            : await runCommand(session, options.command, signal);
        await session.stop();
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
}

async function runCommand(session: Session, command: string, signal: AbortSignal): Promise<number> {
  const { stdout, stderr, code } = await session.ssh.exec(command, { signal });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  return code ?? 128;
}

/** Joins our terminal and the guest's until its shell ends. */
async function interactive(session: Session): Promise<number> {
  const { stdin, stdout } = process;
  const size = () => ({ rows: stdout.rows ?? 24, cols: stdout.columns ?? 80 });
  const channel = await session.ssh.shell({ term: process.env.TERM ?? 'vt100', ...size() });
  const resize = () => channel.setWindow(size().rows, size().cols, 0, 0);
  let status = 0;
  channel.on('exit', (code: number | null) => {
    status = code ?? 128;
  });
  const closed = once(channel, 'close');
  if (stdin.isTTY) stdin.setRawMode(true);
  stdout.on('resize', resize);
  try {
    stdin.pipe(channel);
    channel.pipe(stdout, { end: false });
    channel.stderr.pipe(process.stderr, { end: false });
    await closed;
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.unpipe(channel);
    stdin.pause();
    stdout.off('resize', resize);
  }
  return status;
}
