import type { ProcessExit } from './process.ts';
import type { QmpEvent } from './qmp.ts';
import type { Splat } from './splats.ts';

/**
 * Why a guest is gone.
 * - `panic`: its kernel panicked and reset the machine.
 * - `reset`: it reset itself without a panic, as `reboot -f` does.
 * - `shutdown`: it powered itself off.
 * - `quit`: hmmdiff asked QEMU to end.
 * - `killed`: hmmdiff killed QEMU.
 * - `signalled`: somebody else told QEMU to end (SIGTERM, SIGINT or SIGHUP).
 * - `crashed`: QEMU died, by SIGKILL of somebody else too, such as the kernel's for lack of memory.
 */
export interface GuestExit {
  kind: 'panic' | 'reset' | 'shutdown' | 'quit' | 'killed' | 'signalled' | 'crashed';
  /** One sentence for people. */
  text: string;
  /** QEMU's exit code and signal, and the end of what it said on stderr. */
  code: number | undefined;
  signal: NodeJS.Signals | undefined;
  stderr: string;
}

export function guestExit(
  process: ProcessExit,
  shutdown: QmpEvent | undefined,
  splats: readonly Splat[],
): GuestExit {
  const { code, signal, stderr } = process;
  const kind = exitKind(process, shutdown, splats);
  return { kind, text: describe(kind, process), code, signal, stderr };
}

function exitKind(
  process: ProcessExit,
  shutdown: QmpEvent | undefined,
  splats: readonly Splat[],
): GuestExit['kind'] {
  if (process.code !== 0) return process.killed ? 'killed' : 'crashed';
  switch (shutdown?.data.reason) {
    case 'guest-reset':
      return splats.some((splat) => splat.panicked) ? 'panic' : 'reset';
    case 'guest-panic':
      return 'panic';
    case 'guest-shutdown':
      return 'shutdown';
    case 'host-signal':
      return 'signalled';
    default:
      return 'quit';
  }
}

function describe(kind: GuestExit['kind'], process: ProcessExit): string {
  switch (kind) {
    case 'panic':
      return 'its kernel panicked';
    case 'reset':
      return 'it reset itself';
    case 'shutdown':
      return 'it powered off';
    case 'quit':
      return 'QEMU was asked to end';
    case 'killed':
      return 'hmmdiff killed QEMU';
    case 'signalled':
      return 'somebody signalled QEMU to end';
    case 'crashed': {
      const how = process.signal ? `signal ${process.signal}` : `exit code ${process.code}`;
      const said = process.stderr.trim();
      return `QEMU died of ${how}${said ? `: ${said}` : ''}`;
    }
  }
}
