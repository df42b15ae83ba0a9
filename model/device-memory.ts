/** A device's memory taken away, and made scarce: HMM_DMIRROR_RELEASE and HMM_DMIRROR_FLAGS (lib/test_hmm.c). */
import { evictDevice } from './migrate.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { DeviceFlags, DeviceMinor } from './program.ts';
import type { DeviceFile, Process, State } from './state.ts';

/**
 * dmirror_device_remove_chunks(): every page of the minor, of all processes, goes to RAM, and the chunks go. The next
 * allocation makes a new one and hands out its last page.
 */
export function removeChunks(state: State, minor: DeviceMinor): Expected {
  evictDevice(state, minor);
  const device = state.devices[minor]!;
  device.free = [];
  device.fresh = null;
  device.freeHuge = [];
  device.freshHuge = null;
  device.chunks = 0;
  device.generation++;
  return succeed('dmirror_device_remove_chunks', { cpages: 0, faults: 0 });
}

/** FLAGS replaces all flags of the file. They are given as npages, which must not be 0. */
export function setFlags(state: State, process: Process, minor: DeviceMinor, flags: DeviceFlags): Expected {
  const file = process.devices[minor]?.file;
  if (!file) return failWith('EBADF', 'ioctl');
  const rule = 'dmirror_fops_unlocked_ioctl';
  if (flags === 'none') return failWith('EINVAL', `${rule} (npages)`);
  if (state.profile.unknownCommands.includes('flags')) return failWith('EINVAL', `${rule} (command)`);
  file.failAlloc = flags === 'fail-alloc';
  return succeed(rule, { cpages: 0, faults: 0 });
}

/** HMM_DMIRROR_FLAG_FAIL_ALLOC: whether this allocation fails; only one does. */
export function allocationFails(file: DeviceFile): boolean {
  const fails = file.failAlloc;
  file.failAlloc = false;
  return fails;
}
