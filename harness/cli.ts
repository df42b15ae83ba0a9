import { Command, CommanderError } from 'commander';
import { ExitStatus } from './errors.ts';
import { reportError } from './report/error.ts';
import { version } from './version.ts';

/** Ctrl-C and SIGTERM: everything under way is told to stop; a second one does not wait. */
const abort = new AbortController();
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const) {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(128 + number);
    process.exitCode = 128 + number;
    process.stderr.write(`\n${signal}: stopping (again to stop at once)\n`);
    abort.abort(new DOMException(`stopped by ${signal}`, 'AbortError'));
  });
}

const program = new Command('hmmdiff')
  .description('Does device-private memory of a real Linux kernel behave as its design says?')
  .version(version)
  .showHelpAfterError('(hmmdiff --help lists commands and options)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Exit status: 0 all well; 1 the kernel or the model is at fault; 2 bad usage or input; 3 the infrastructure failed.

Examples:
  hmmdiff run                                stock Linux 7.3, both architectures
  hmmdiff run --kernel ~/linux --arch x86_64 your own tree
  hmmdiff shell aarch64                      look around in a guest`,
  );

/** By name. What a command needs is a second's work to load, so that it is loaded for the command that is asked for alone. */
const commands: Readonly<Record<string, () => Promise<(signal: AbortSignal) => Command>>> = {
  run: async () => (await import('./commands/run.ts')).runCommand,
  show: async () => (await import('./commands/show.ts')).showCommand,
  repro: async () => (await import('./commands/repro.ts')).reproCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  build: async () => (await import('./commands/build.ts')).buildCommand,
  shell: async () => (await import('./commands/shell.ts')).shellCommand,
  clean: async () => (await import('./commands/clean.ts')).cleanCommand,
  bench: async () => (await import('./commands/bench.ts')).benchCommand,
};
const asked = Object.entries(commands).filter(([name]) => name === process.argv[2]);
for (const [, load] of asked.length > 0 ? asked : Object.entries(commands)) {
  program.addCommand((await load())(abort.signal).exitOverride());
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? ExitStatus.ok : ExitStatus.usage;
  } else if (abort.signal.aborted) {
    // The status was set by the signal's handler.
  } else {
    process.exitCode = reportError(error);
  }
}
