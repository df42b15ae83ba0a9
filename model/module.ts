/** Unloading test_hmm and loading it anew (delete_module(2), finit_module(2); hmm_dmirror_exit and hmm_dmirror_init). */
import { CHUNK_PAGES } from './device-allocator.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { State } from './state.ts';

/**
 * A file that is open holds the module. Without one no page is left on a device, and each device is as it was at first:
 * with one chunk, where it was then, of which nothing has been handed out.
 */
export function reload(state: State): Expected {
  if (state.processes.some((process) => process?.devices.some((descriptor) => descriptor !== null))) {
    return failWith('EAGAIN', 'try_stop_module');
  }
  for (const device of state.devices) {
    device.free = [];
    device.fresh = CHUNK_PAGES - 1;
    device.freeHuge = [];
    device.freshHuge = null;
    device.chunks = 1;
    device.generation++;
    device.loadedGeneration = device.generation;
  }
  return succeed('hmm_dmirror_init');
}
