import { BoundProcess } from '../../../qemu/process.ts';

/**
 * Stands for hmmdiff in tests of how it may end: starts the program of its arguments, prints the process id, and waits.
 */
const [program, ...argv] = process.argv.slice(2);
const child = await BoundProcess.start(program as string, argv, 1);
process.on('SIGINT', () => process.stdout.write('interrupted\n'));
process.stdout.write(`${child.pid}\n`);
await child.exited;
