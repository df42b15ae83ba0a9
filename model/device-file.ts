/** open(2) and close(2) of /dev/hmm_dmirrorN (lib/test_hmm.c, dmirror_fops_open and dmirror_fops_release). */
import { evictDevice } from './migrate.ts';
import { register, unregister } from './notifier.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { DeviceMinor } from './program.ts';
import { type DeviceFile, emptyTables, type Process, type State } from './state.ts';

/** The file mirrors the mm of the process that opens it. */
export function open(state: State, process: Process, minor: DeviceMinor): Expected {
  const file: DeviceFile = { minor, mm: process.mm, references: 1, failAlloc: false, pt: emptyTables(state) };
  register(file);
  process.devices[minor] = { file, own: true, number: lowestDescriptor(process) };
  return succeed('dmirror_fops_open');
}

export function close(state: State, process: Process, minor: DeviceMinor): Expected {
  const descriptor = process.devices[minor];
  if (!descriptor) return failWith('EBADF', 'close');
  process.devices[minor] = null;
  closeDescriptor(state, descriptor.file);
  return succeed('dmirror_fops_release');
}

/** The last close of a file evicts all pages of its minor, of all processes. */
export function closeDescriptor(state: State, file: DeviceFile): void {
  file.references--;
  if (file.references > 0) return;
  unregister(file);
  evictDevice(state, file.minor);
}

/** get_unused_fd_flags(): the lowest free number. What the agent opens for itself is numbered above all of these. */
function lowestDescriptor(process: Process): number {
  const used = new Set(process.devices.map((descriptor) => descriptor?.number));
  let number = 0;
  while (used.has(number)) number++;
  return number;
}
