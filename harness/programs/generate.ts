/**
 * Random programs. What fast-check makes and shrinks is a list of wishes, which are numbers only; a walk through the
 * model turns each into a step that is possible and safe where the program stands, or drops it. So every shrunk
 * program is safe as well.
 */
import fc from 'fast-check';
import { apply } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { markObserved } from '../../model/observe.ts';
import { makeProfile, type Profile } from '../../model/profile.ts';
import {
  isHugeRegion,
  type OrdinaryStep,
  type Program,
  type Region,
  type Step,
} from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import { grant } from './grant.ts';
import { type Devices, devicesArbitrary, regionsArbitrary } from './regions.ts';
import { THEMES, type Theme, WEIGHTS } from './weights.ts';
import { type Wish, wishArbitrary } from './wishes.ts';

export interface GenerateOptions {
  /** Decides what is safe. @default 7.3, design pfn, x86_64 */
  profile?: Profile;
  /** Steps that a program has about. @default 40 */
  steps?: number;
  /** How often each operation is wished for. @default {@link WEIGHTS} */
  weights?: Readonly<Record<OrdinaryStep['op'], number>>;
  /** Share of programs with a huge region, 0..1. @default 0.02: a step of one costs as much as a small program */
  huge?: number;
  /** Share of programs with regions that map files, 0..1; none has a huge region as well. @default 0.15, or what a theme has (weights.ts) */
  files?: number;
  /** Share of programs with a coherent device, 0..1. @default 0.15 */
  coherent?: number;
}

/** @returns `count` programs; the same for the same seed and options */
export function generatePrograms(seed: number, count: number, options: GenerateOptions = {}): Program[] {
  const programs = fc.sample(programArbitrary(options), { seed, numRuns: count });
  return programs.map((program, index) => ({ ...program, name: `generated-${seed}-${index}` }));
}

/** Programs of about `options.steps` steps on about 16 pages, or on a huge region. */
export function programArbitrary(options: GenerateOptions = {}): fc.Arbitrary<Program> {
  const profile = options.profile ?? makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
  const length = options.steps ?? 40;
  const weights = options.weights ?? WEIGHTS;
  const coherent = options.coherent ?? 0.15;
  const about = (theme: Theme) => {
    // Some wishes are dropped.
    const wishes = fc.array(wishArbitrary({ ...weights, ...theme.weights }), {
      minLength: Math.ceil(length / 2),
      maxLength: length * 2,
      size: 'max',
    });
    const files = options.files ?? theme.files ?? 0.15;
    return fc
      .record({
        regions: regionsArbitrary(options.huge ?? 0.02, files),
        devices: devicesArbitrary(coherent),
        // There are few such programs.
        hugeDevices: devicesArbitrary(coherent && 0.35),
        wishes,
      })
      .map(({ regions, devices, hugeDevices, wishes }) => {
        const chosen = regions.some(isAnonymousHuge) ? hugeDevices : devices;
        return buildProgram(profile, regions, chosen, wishes, theme.begin);
      });
  };
  const themes = options.weights ? [] : THEMES;
  const rest = 100 - themes.reduce((sum, { share }) => sum + share, 0);
  return fc.oneof(
    { arbitrary: about({ share: rest, weights: {}, begin: [] }), weight: rest },
    ...themes.map((theme) => ({ arbitrary: about(theme), weight: theme.share })),
  );
}

/** Region 0 is mapped and a device open from the start, so that few wishes are in vain. */
function buildProgram(
  profile: Profile,
  regions: Region[],
  devices: Devices,
  wishes: readonly Wish[],
  begin: readonly Step[],
): Program {
  const state = initialState(profile, regions);
  const steps: Step[] = [];
  const take = (step: Step | undefined) => {
    if (!step) return;
    apply(state, step, steps.length);
    markObserved(state);
    steps.push(step);
  };
  take({ op: 'mmap', by: 0, region: 0, protection: 'read-write' });
  take({ op: 'open', by: 0, device: devices[0] });
  for (const step of begin) take(step);
  // Without the advice, only the device makes huge pages.
  if (isAnonymousHuge(regions[0]!) && wishes.length % 4 > 0) {
    take({ op: 'madvise', by: 0, at: { region: 0, first: 0, count: regions[0]!.pages }, advice: 'hugepage' });
  }
  for (const wish of wishes) take(grant(state, devices, towardsSwap(state, wish)));
  return { name: 'generated', regions, steps };
}

function isAnonymousHuge({ pages, backing }: Region): boolean {
  return isHugeRegion(pages) && backing === undefined;
}

/** With a swap device, most advice is to swap out; and a device that has gone comes back. */
function towardsSwap({ swap }: State, wish: Wish): Wish {
  if ((wish.op === 'swapon' || wish.op === 'swapoff') && wish.process > 4) {
    return { ...wish, op: swap ? 'swapoff' : 'swapon' };
  }
  return swap && wish.op === 'madvise' && wish.length < 7 ? { ...wish, advice: 'pageout' } : wish;
}
