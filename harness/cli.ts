import { Command, CommanderError } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { buildCommand } from './commands/build.ts';
import { cleanCommand } from './commands/clean.ts';
import { doctorCommand } from './commands/doctor.ts';
import { reproCommand } from './commands/repro.ts';
import { runCommand } from './commands/run.ts';
import { shellCommand } from './commands/shell.ts';
import { showCommand } from './commands/show.ts';
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

for (const make of [
  runCommand,
  showCommand,
  reproCommand,
  doctorCommand,
  buildCommand,
  shellCommand,
  cleanCommand,
  benchCommand,
]) {
  program.addCommand(make(abort.signal).exitOverride());
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
