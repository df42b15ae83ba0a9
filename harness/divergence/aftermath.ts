/** What of the kernel's reports tells nothing of the state that the kernel is in from then on. */
import type { Splat } from '../../qemu/splats.ts';
import type { Fingerprint } from './fingerprint.ts';

/**
 * Reports about a process that is gone, with all that it had (kernel/fork.c check_mm). They are printed each time,
 * and programs behind them run as on a machine that has just booted.
 */
const OF_THE_GONE = /^BUG: (?:Bad rss-counter state|non-zero pgtables_bytes)\b/;

/** Whether what a guest shows behind this report is worth something. */
export function leavesGuestUsable({ title }: Pick<Splat, 'title'>): boolean {
  return OF_THE_GONE.test(title);
}

/** Whether each run that shows it costs a boot. */
export function endsGuest({ kind, seen }: Fingerprint): boolean {
  return kind === 'lost' || (kind === 'splat' && !leavesGuestUsable({ title: seen }));
}
