import { generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';
import type { InitramfsEntry } from './initramfs.ts';

const ED25519 = 'ssh-ed25519';

/** The keys of one run: one that lets hmmdiff in, and one that proves the guest to be the one it started. */
export interface SessionKeys {
  /** hmmdiff's private key, in OpenSSH's form. */
  clientPrivateKey: string;
  /** The line for the guest's authorized_keys. */
  clientPublicLine: string;
  /** The guest's private host key, in dropbear's form. */
  hostKeyFile: Buffer;
  /** The guest's public host key as it appears in the ssh handshake. */
  hostPublicBlob: Buffer;
}

/** Makes a fresh pair of ed25519 key pairs; they live in memory and in the guest's initramfs only. */
export function createSessionKeys(): SessionKeys {
  const client = createClientKey();
  const { seed, publicKey } = createHostKey();
  return {
    clientPrivateKey: client.private,
    clientPublicLine: client.public,
    // dropbear's key files are the ssh wire form of the type's name and the secret, here seed and public key.
    hostKeyFile: Buffer.concat([sshString(ED25519), sshString(Buffer.concat([seed, publicKey]))]),
    hostPublicBlob: Buffer.concat([sshString(ED25519), sshString(publicKey)]),
  };
}

/**
 * ssh2 drops leading zero bytes of a public key (lib/keygen.js, parseDERs), and then refuses the pair it has made: one
 * in 128. Another is drawn instead.
 */
function createClientKey(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'hmmdiff' });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/**
 * Both keys in DER, of which they are the last 32 bytes (RFC 8410, 4 and 7). They are exported with their making: export()
 * holds a lock that node 20 takes again when a garbage collection meanwhile ends the job that made the key.
 */
function createHostKey(): { seed: Buffer; publicKey: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  return { seed: privateKey.subarray(-32), publicKey: publicKey.subarray(-32) };
}

/** Entries for the guest; put them into an archive of their own, behind the one of the userland. */
export function sessionKeyEntries(keys: SessionKeys): InitramfsEntry[] {
  return [
    { type: 'directory', path: '/root', mode: 0o700 },
    { type: 'directory', path: '/root/.ssh', mode: 0o700 },
    { type: 'file', path: '/root/.ssh/authorized_keys', content: `${keys.clientPublicLine}\n`, mode: 0o600 },
    { type: 'directory', path: '/etc/dropbear', mode: 0o700 },
    { type: 'file', path: '/etc/dropbear/host_key', content: keys.hostKeyFile, mode: 0o600 },
  ];
}

/** RFC 4251's "string": a length of 4 bytes, most significant first, and the bytes. */
function sshString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
