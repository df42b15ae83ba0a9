import { Guest } from '../../../qemu/guest.ts';
import type { Machine } from '../../../qemu/machine.ts';

/** Stands for an hmmdiff that is killed: boots the machine of its first argument, says so, and waits. */
const [machine, consoleFile] = process.argv.slice(2) as [string, string];
const guest = await Guest.start(JSON.parse(machine) as Machine, { consoleFile });
await guest.ready;
process.stdout.write('ready\n');
await guest.exited;
