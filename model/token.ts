import type { RegionId } from './program.ts';

/** {@link pageToken} of model/program.ts as a number (exact: below 2^46), since words of frames are numbers. */
export function tokenNumber(step: number, region: RegionId, page: number): number {
  return (step + 1) * 2 ** 32 + (region + 1) * 2 ** 16 + (page + 1);
}
