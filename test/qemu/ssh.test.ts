import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createSessionKeys } from '../../qemu/keys.ts';
import { SshSession } from '../../qemu/ssh.ts';

it('says once that there is no session when QEMU dies under the handshake, which resets the connection', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.resetAndDestroy());
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // An error that nobody listens for would fail this run of vitest, and end hmmdiff with a stack.
  await expect(SshSession.connect({ port, keys: createSessionKeys() })).rejects.toMatchObject({
    code: 'ssh-connect',
    exitStatus: 3,
  });
});
