import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BoundProcess, FIRST_CHANNEL_FD } from '../../qemu/process.ts';
import { QmpClient } from '../../qemu/qmp.ts';

/** A QEMU without a machine: all of its control protocol and nothing else, within milliseconds. */
let qemu: BoundProcess;
let qmp: QmpClient;

beforeEach(async () => {
  const argv = `-machine none -nodefaults -display none -chardev socket,id=qmp,fd=${FIRST_CHANNEL_FD}`;
  qemu = await BoundProcess.start(
    'qemu-system-x86_64',
    [...argv.split(' '), '-mon', 'chardev=qmp,mode=control'],
    1,
  );
  qmp = await QmpClient.connect(qemu.channels[0] as Duplex);
});

afterEach(async () => {
  qemu.kill();
  await qemu.exited;
});

describe('QmpClient', () => {
  it('runs commands and matches answers to them', async () => {
    const [status, version] = await Promise.all([qmp.execute('query-status'), qmp.execute('query-version')]);
    expect(status).toMatchObject({ running: true, status: 'running' });
    expect(version).toHaveProperty('qemu.major');
  });

  it('reports what QEMU refuses, in its words', async () => {
    await expect(qmp.execute('no-such-command')).rejects.toMatchObject({
      code: 'qmp-command',
      message: 'QEMU refused "no-such-command": The command no-such-command has not been found',
    });
  });

  it('tells events', async () => {
    const stopped = qmp.untilEvent('STOP');
    const resumed = qmp.untilEvent('RESUME');
    await qmp.execute('stop');
    await qmp.execute('cont');
    expect((await resumed).time).toBeGreaterThanOrEqual((await stopped).time);
  });

  it('speaks to the human monitor', async () => {
    expect(await qmp.monitor('info status')).toMatch(/VM status: running/);
  });

  it('ends QEMU with quit, which says why', async () => {
    const shutdown = qmp.untilEvent('SHUTDOWN');
    await qmp.execute('quit');
    expect((await shutdown).data).toEqual({ guest: false, reason: 'host-qmp-quit' });
    expect(await qemu.exited).toMatchObject({ code: 0, killed: false });
  });

  it('fails what waits when QEMU dies', async () => {
    const waiting = expect(qmp.untilEvent('SHUTDOWN')).rejects.toMatchObject({ code: 'qmp-closed' });
    qemu.kill();
    await waiting;
    await expect(qmp.execute('query-status')).rejects.toMatchObject({ code: 'qmp-closed' });
    expect(qmp.closed).toBe(true);
  });
});
