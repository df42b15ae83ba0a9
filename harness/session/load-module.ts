import type { Console } from '../../qemu/console.ts';
import type { SshSession } from '../../qemu/ssh.ts';
import { type DeviceMemory, deviceMemory } from './chunks.ts';

/** What loading test_hmm needs of a session. */
export interface ModuleHost {
  ssh: Pick<SshSession, 'exec'>;
  guest: { console: Pick<Console, 'lines' | 'untilLine'> };
}

export interface ModuleLoad {
  /** insmod's words when it failed. */
  failure: string | undefined;
  /** What the kernel reported of its device memory during this load. */
  memory: DeviceMemory;
}

/**
 * Loads test_hmm once more and reads what the kernel says of it. The console comes another way than insmod's answer and
 * may be behind it, even with what was printed before: a line before and a line after the load mark its part.
 *
 * @param name tells this load from all others of the guest
 * @param parameters of the module, as insmod takes them
 * @throws HmmdiffError `ssh-lost`; ConsoleWaitError when the guest is gone; the signal's reason when it aborts
 */
export async function loadTestHmm(
  { ssh, guest }: ModuleHost,
  name: string,
  parameters: string,
  signal?: AbortSignal,
): Promise<ModuleLoad> {
  const { console } = guest;
  const begin = `hmmdiff: ${name} begins`;
  const end = `hmmdiff: ${name} ended`;
  const { stdout, stderr, code } = await ssh.exec(
    [
      `echo '<1>${begin}' >/dev/kmsg`,
      `insmod /lib/modules/test_hmm.ko ${parameters}`,
      'status=$?',
      `echo '<1>${end}' >/dev/kmsg`,
      'exit $status',
    ].join('\n'),
    { signal },
  );
  await console.untilLine(new RegExp(`${end}$`), { signal });
  const texts = console.lines.map(({ text }) => text);
  const part = texts.slice(
    texts.findIndex((text) => text.endsWith(begin)),
    texts.findIndex((text) => text.endsWith(end)),
  );
  return {
    failure: code === 0 ? undefined : `${stdout}${stderr}`.trim() || `status ${code}`,
    memory: deviceMemory(part),
  };
}
