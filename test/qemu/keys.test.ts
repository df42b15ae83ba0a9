import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { createSessionKeys, sessionKeyEntries } from '../../qemu/keys.ts';

describe('createSessionKeys', () => {
  it('makes a client key that ssh2 reads, and whose public part is the authorized one', () => {
    const keys = createSessionKeys();
    const parsed = ssh2.utils.parseKey(keys.clientPrivateKey);
    if (parsed instanceof Error) throw parsed;
    expect(keys.clientPublicLine).toContain(parsed.getPublicSSH().toString('base64'));
  });

  it('makes no key that ssh2 itself refuses, which one in 128 of its own is', () => {
    const parsed = Array.from({ length: 2000 }, () =>
      ssh2.utils.parseKey(createSessionKeys().clientPrivateKey),
    );
    expect(parsed.filter((key) => key instanceof Error)).toEqual([]);
  });

  it('makes a host key that dropbear reads, and knows its public part', async ({ skip }) => {
    const keys = createSessionKeys();
    const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-keys-'));
    try {
      const file = join(folder, 'host_key');
      await writeFile(file, keys.hostKeyFile, { mode: 0o600 });
      const { stdout, code } = await execa('dropbearkey', ['-y', '-f', file], { reject: false });
      // The guest's own dropbear reads it in test/e2e; the host need not have one.
      if (code === 'ENOENT') skip('dropbear-bin is not installed');
      expect(stdout).toContain(`ssh-ed25519 ${keys.hostPublicBlob.toString('base64')}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('makes other keys each time', () => {
    expect(createSessionKeys().hostPublicBlob).not.toEqual(createSessionKeys().hostPublicBlob);
  });

  it('lets nobody but root read them in the guest', () => {
    const modes = sessionKeyEntries(createSessionKeys()).map((entry) => 'mode' in entry && entry.mode);
    expect(modes).toEqual([0o700, 0o700, 0o600, 0o700, 0o600]);
  });
});
