/** Looks for programs that reach what nothing reaches yet; the same for the same seed. */
import { type Coverage, cover } from '../../model/coverage/coverage.ts';
import type { Profile } from '../../model/profile.ts';
import { devicesArbitrary, regionsArbitrary } from '../programs/regions.ts';
import { THEMES, WEIGHTS } from '../programs/weights.ts';
import { wishArbitrary } from '../programs/wishes.ts';
import { endless } from './endless.ts';
import type { Found } from './found.ts';
import { Roads } from './roads.ts';
import { rowsIn, rowsMissing } from './rows.ts';
import { targetsOf } from './targets.ts';
import { trim } from './trim.ts';
import { type WalkOptions, walk } from './walk.ts';

/** Steps that a walk takes. */
const LENGTH = 32;
/** A step of a huge region costs as much as a small program: at first, every so many walks are in one. */
const HUGE_EVERY = 6;
/** Walks in vain after which there is more to find in huge regions. */
const PATIENCE = 60;
/** Share of walks in regions that map files, of those in small regions. */
const FILES = 0.25;
/** Share of walks with coherent devices. */
const COHERENT = 0.25;

export interface SearchOptions {
  profile: Profile;
  /** Of the programs that there are; what is found is added. */
  coverage: Coverage;
  seed: number;
  /** Look for rows that are in no table, too. @default false */
  beyond?: boolean;
}

/** Endless: one walk each time it is asked. */
export function* search({
  profile,
  coverage,
  seed,
  beyond = false,
}: SearchOptions): Generator<Found | undefined, never> {
  const themes = [{}, ...THEMES.map(({ weights }) => weights)].map((weights) =>
    endless(wishArbitrary({ ...WEIGHTS, ...weights }), seed),
  );
  const roads = new Roads(profile);
  const small = endless(regionsArbitrary(0, FILES), seed);
  const huge = endless(regionsArbitrary(1, 1), seed);
  const devices = endless(devicesArbitrary(COHERENT), seed);
  let inVain = 0;
  for (let walks = 1; ; walks++) {
    const isHuge = inVain > PATIENCE ? walks % 3 > 0 : walks % HUGE_EVERY === 0;
    const regions = isHuge ? huge() : small();
    const wishes = themes[(walks >> 1) % themes.length]!;
    const found = step({ profile, coverage, beyond }, { regions, devices: devices(), wishes, roads });
    inVain = found ? 0 : inVain + 1;
    yield found;
  }
}

function step(
  { profile, coverage, beyond }: Required<Omit<SearchOptions, 'seed'>>,
  start: Pick<WalkOptions, 'regions' | 'devices' | 'wishes' | 'roads'>,
): Found | undefined {
  const reached = new Set(rowsIn(coverage));
  const missing = new Set(rowsMissing(coverage, profile));
  const { program, reached: rows } = walk({
    ...start,
    profile,
    length: LENGTH,
    isWanted: (row) => (beyond ? !reached.has(row) : missing.has(row)),
    targets: targetsOf(coverage, profile),
  });
  if (rows.size === 0) return undefined;
  const trimmed = trim(program, [{ profile, rows }]);
  cover(coverage, trimmed, profile);
  return { program: trimmed, rows: [...rows] };
}
