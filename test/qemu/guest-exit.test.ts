import { describe, expect, it } from 'vitest';
import { guestExit } from '../../qemu/guest-exit.ts';
import type { ProcessExit } from '../../qemu/process.ts';
import type { QmpEvent } from '../../qemu/qmp.ts';
import type { Splat } from '../../qemu/splats.ts';

const ended: ProcessExit = { code: 0, signal: undefined, stderr: '', killed: false };
const panic: Splat = {
  kind: 'panic',
  title: 'kernel panic: x',
  lines: [],
  firstLine: 1,
  lastLine: 1,
  panicked: true,
};

function shutdown(reason: string): QmpEvent {
  return { event: 'SHUTDOWN', data: { guest: reason.startsWith('guest'), reason }, time: 0 };
}

describe('guestExit', () => {
  it('tells a reset after a panic from one without', () => {
    expect(guestExit(ended, shutdown('guest-reset'), [panic]).kind).toBe('panic');
    expect(guestExit(ended, shutdown('guest-reset'), [{ ...panic, panicked: false }]).kind).toBe('reset');
  });

  it('tells who ended QEMU', () => {
    expect(guestExit(ended, shutdown('guest-shutdown'), []).kind).toBe('shutdown');
    expect(guestExit(ended, shutdown('host-qmp-quit'), []).kind).toBe('quit');
    expect(guestExit(ended, shutdown('host-signal'), []).kind).toBe('signalled');
    const killed: ProcessExit = { ...ended, code: undefined, signal: 'SIGKILL', killed: true };
    expect(guestExit(killed, undefined, []).kind).toBe('killed');
  });

  it('calls it a crash when nobody here killed it, with its last words', () => {
    const aborted: ProcessExit = { code: undefined, signal: 'SIGABRT', stderr: 'assert\n', killed: false };
    expect(guestExit(aborted, undefined, [])).toMatchObject({
      kind: 'crashed',
      text: 'QEMU died of signal SIGABRT: assert',
    });
    expect(guestExit({ ...ended, code: 1 }, undefined, []).text).toBe('QEMU died of exit code 1');
  });
});
