import { cpuRead, cpuWrite, mmap, munmap } from './cpu.ts';
import { close, open } from './device-file.ts';
import { removeChunks, setFlags } from './device-memory.ts';
import { toDevice, toSystem } from './device-migrate.ts';
import { checkExclusive, exclusive } from './exclusive.ts';
import { refuse } from './ioctl.ts';
import { runKsmd } from './ksm.ts';
import { drainLru } from './lru.ts';
import { madvise } from './madvise.ts';
import { read, write } from './mirror.ts';
import { mlock, munlock } from './mlock.ts';
import { reload } from './module.ts';
import { mremap } from './mremap.ts';
import { type Expected, failWith } from './outcome.ts';
import { pin, unpin } from './pin.ts';
import { exit, fork } from './process.ts';
import type { DeviceStep, OrdinaryStep, ProcessId, Step, Together } from './program.ts';
import { mprotect } from './protect.ts';
import { snapshot } from './snapshot.ts';
import { clearSoftDirty } from './soft-dirty.ts';
import { type DeviceFile, type ExpectedEvent, processOf, type State } from './state.ts';
import { swapOff, swapOn } from './swap.ts';
import { type Ending, inTurn, together } from './together.ts';
import { movePages } from './userfault-move.ts';
import * as userfaultfd from './userfaultfd.ts';

/** What a step must yield at once. What can be observed after it is {@link observe}'s. */
export interface StepExpectation extends Expected {
  /** In the order of the ring buffer. */
  events: ExpectedEvent[];
}

/** Everything that can come of a `together` step of one round. @throws as {@link together} */
export function endingsOf(state: State, step: Together, index: number): Ending[] {
  return together(state, step, index, dispatch);
}

/**
 * Applies one step to `state`, in place. Of a `together` step the ending is taken in which one actor acts after the other,
 * once; the frames of the state are then others.
 *
 * @param index 0-based index of the step in its program, which the words that it writes depend on
 * @throws HazardError for a device access that oopses or warns on a real kernel (model/safe.ts)
 */
export function apply(state: State, step: Step, index: number): StepExpectation {
  if (step.op === 'together') {
    Object.assign(state, inTurn(state, step, index, dispatch).state);
    return TOGETHER;
  }
  state.events = [];
  state.messages = 0;
  const expected = dispatch(state, step, index);
  if (state.settles) drainLru(state);
  return { ...expected, messages: state.messages, events: state.events };
}

/**
 * The end of a program: the processes that are left end in ascending order.
 *
 * @returns the trace events of their ends
 */
export function applyEnd(state: State): ExpectedEvent[] {
  state.events = [];
  for (const process of state.processes) if (process) exit(state, process);
  if (state.settles) drainLru(state);
  return state.events;
}

/** What a `together` step yields beside what its parts do. */
export const TOGETHER: StepExpectation = {
  outcome: { kind: 'ok' },
  messages: 0,
  rule: 'together',
  events: [],
};

function dispatch(state: State, step: OrdinaryStep, index: number): Expected {
  const process = processOf(state, step.by);
  switch (step.op) {
    case 'mmap':
      return mmap(state, process, step.region, step.protection);
    case 'madvise':
      return madvise(state, process, step.at, step.advice);
    case 'pin':
      return pin(state, process, step.at);
    case 'unpin':
      return unpin(state, process);
    case 'swapon':
      return swapOn(state);
    case 'swapoff':
      return swapOff(state);
    case 'clear-refs':
      return clearSoftDirty(state, process);
    case 'reload':
      return reload(state);
    case 'mprotect':
      return mprotect(state, process, step.at, step.protection);
    case 'mlock':
      return mlock(state, process, step.at);
    case 'munlock':
      return munlock(state, process, step.at);
    case 'mremap':
      return mremap(state, process, step);
    case 'ksmd':
      return runKsmd(state);
    case 'uffd-open':
      return userfaultfd.open(process, step.mode, step.unpopulated);
    case 'uffd-register':
      return userfaultfd.register(state, process, step.at, step.kind);
    case 'uffd-unregister':
      return userfaultfd.unregister(state, process, step.at);
    case 'uffd-protect':
      return userfaultfd.writeProtect(state, process, step.at, 'protect');
    case 'uffd-unprotect':
      return userfaultfd.writeProtect(state, process, step.at, 'unprotect');
    case 'uffd-zeropage':
      return userfaultfd.zeroPage(state, process, step.at);
    case 'uffd-copy':
      return userfaultfd.copy(state, process, step.at, step.protect, index);
    case 'uffd-move':
      return movePages(state, process, step);
    case 'munmap':
      return munmap(state, process, step.at);
    case 'cpu-read':
      return cpuRead(state, process, step.at);
    case 'cpu-write':
      return cpuWrite(state, process, step.at, index);
    case 'fork':
      return fork(state, process, step.child);
    case 'exit':
      return exit(state, process);
    case 'open':
      return open(state, process, step.device);
    case 'close':
      return close(state, process, step.device);
    case 'flags':
      return setFlags(state, process, step.device, step.flags);
    default:
      return deviceStep(state, step, index);
  }
}

function deviceStep(state: State, step: DeviceStep, index: number): Expected {
  const file = fileOf(state, step.by, step.device);
  if (!file) return failWith('EBADF', 'ioctl');
  const { at, flaw } = step;
  const refused = refuse(state.profile, step.op, flaw);
  if (refused) return refused;
  switch (step.op) {
    case 'read':
      return read(state, file, at, { rule: 'dmirror_read', mayWait: false }, flaw);
    case 'read-unlocked':
      return read(state, file, at, { rule: 'dmirror_read_unlocked', mayWait: true }, flaw);
    case 'write':
      return write(state, file, at, index, flaw);
    case 'migrate-to-dev':
      return toDevice(state, file, at, flaw);
    case 'migrate-to-sys':
      return toSystem(state, file, at);
    case 'snapshot':
      return snapshot(file, at, flaw);
    case 'exclusive':
      return exclusive(state, file, at, flaw);
    case 'check-exclusive':
      return checkExclusive(file, at);
    case 'release':
      return removeChunks(state, file.minor);
  }
}

/** The file behind the descriptor that a process has for a minor. */
export function fileOf(state: State, process: ProcessId, device: number): DeviceFile | null {
  return processOf(state, process).devices[device]?.file ?? null;
}
