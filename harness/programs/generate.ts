/**
 * Random programs. What fast-check makes and shrinks is a list of wishes, which are numbers only; a walk through the
 * model turns each into a step that is possible and safe where the program stands, or drops it. So every shrunk
 * program is safe as well.
 */
import fc from 'fast-check';
import { apply } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { markObserved } from '../../model/observe.ts';
import { pmdStart } from '../../model/page-table.ts';
import { makeProfile, type Profile } from '../../model/profile.ts';
import {
  ADVICE,
  type Advice,
  BACKINGS,
  type Backing,
  canBeBackedBy,
  DEVICE_FLAGS,
  type DeviceFlags,
  type DeviceMinor,
  FLAWS,
  type Flaw,
  isHugeRegion,
  MAX_PROCESSES,
  type OrdinaryStep,
  type PageRange,
  PMD_PAGES,
  type ProcessId,
  type Program,
  type Protection,
  REMAP_FLAWS,
  type Region,
  type RemapFlaw,
  type RemapKind,
  type Step,
  USERFAULT_KINDS,
  type UserfaultKind,
} from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import type { Process, State } from '../../model/state.ts';

export interface GenerateOptions {
  /** Decides what is safe. @default 7.3, design pfn, x86_64 */
  profile?: Profile;
  /** Steps that a program has about. @default 40 */
  steps?: number;
  /** How often each operation is wished for. @default {@link WEIGHTS} */
  weights?: Readonly<Record<OrdinaryStep['op'], number>>;
  /** Share of programs with a huge region, 0..1. @default 0.02: a step of one costs as much as a small program */
  huge?: number;
  /** Share of programs with regions that map files, 0..1; none has a huge region as well. @default 0.15 */
  files?: number;
  /** Share of programs with a coherent device, 0..1. @default 0.15 */
  coherent?: number;
}

export const WEIGHTS: Readonly<Record<OrdinaryStep['op'], number>> = {
  mmap: 4,
  munmap: 5,
  mremap: 5,
  mlock: 2,
  munlock: 1,
  'uffd-open': 0,
  'uffd-register': 0,
  'uffd-unregister': 0,
  'uffd-protect': 0,
  'uffd-unprotect': 0,
  'uffd-zeropage': 0,
  'uffd-copy': 0,
  ksmd: 0,
  mprotect: 5,
  madvise: 6,
  'clear-refs': 1,
  pin: 2,
  unpin: 1,
  reload: 1,
  swapon: 0,
  swapoff: 0,
  'cpu-read': 12,
  'cpu-write': 16,
  fork: 5,
  exit: 3,
  open: 7,
  close: 3,
  read: 11,
  'read-unlocked': 2,
  write: 11,
  'migrate-to-dev': 20,
  'migrate-to-sys': 9,
  snapshot: 2,
  exclusive: 6,
  'check-exclusive': 2,
  flags: 4,
  release: 1,
};

export type Devices = readonly [DeviceMinor, DeviceMinor];

/** What some programs are about, so that others are no thinner for it: the share of them, and what is wished for more. */
export interface Theme {
  /** Of all programs, in percent. */
  share: number;
  weights: Readonly<Partial<Record<OrdinaryStep['op'], number>>>;
  /** Behind the first mmap. */
  begin: readonly Step[];
}

export const THEMES: readonly Theme[] = [
  {
    share: 10,
    weights: {
      'uffd-open': 2,
      'uffd-register': 7,
      'uffd-unregister': 4,
      'uffd-protect': 10,
      'uffd-unprotect': 4,
      'uffd-zeropage': 3,
      'uffd-copy': 5,
    },
    begin: [],
  },
  // Dear: ksmd takes some 10 ms for each step. Pages of zeroes that a pin brought are those that are alike.
  { share: 2, weights: { ksmd: 12, madvise: 20, pin: 3, unpin: 14, mlock: 0 }, begin: [] },
  {
    share: 10,
    weights: { swapon: 2, swapoff: 2, madvise: 30 },
    begin: [{ op: 'swapon', by: 0 }],
  },
];

/** What is wished for at one point of a program. Numbers are taken modulo what there is to choose from. */
export interface Wish {
  op: OrdinaryStep['op'];
  process: number;
  /** Which of the program's two. */
  device: number;
  region: number;
  first: number;
  count: number;
  protection: Protection;
  kind: UserfaultKind;
  flaw: Flaw | undefined;
  flags: DeviceFlags;
  advice: Advice;
  how: RemapKind;
  remapFlaw: RemapFlaw | undefined;
  /** Where mremap goes to: a region, and a page of it. */
  target: number;
  length: number;
}

/** @returns `count` programs; the same for the same seed and options */
export function generatePrograms(seed: number, count: number, options: GenerateOptions = {}): Program[] {
  const programs = fc.sample(programArbitrary(options), { seed, numRuns: count });
  return programs.map((program, index) => ({ ...program, name: `generated-${seed}-${index}` }));
}

/** The longest range that is wished for. */
const LONGEST = 64;

/** Programs of about `options.steps` steps on about 16 pages, or on a huge region. */
export function programArbitrary(options: GenerateOptions = {}): fc.Arbitrary<Program> {
  const profile = options.profile ?? makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
  const length = options.steps ?? 40;
  const weights = options.weights ?? WEIGHTS;
  const about = (theme: Theme) => {
    // Some wishes are dropped.
    const wishes = fc.array(wishArbitrary({ ...weights, ...theme.weights }), {
      minLength: Math.ceil(length / 2),
      maxLength: length * 2,
      size: 'max',
    });
    const files = theme.begin.length > 0 ? 0 : (options.files ?? 0.15);
    return fc
      .record({
        regions: regionsArbitrary(options.huge ?? 0.02, files),
        devices: devicesArbitrary(options.coherent ?? 0.15),
        wishes,
      })
      .map(({ regions, devices, wishes }) => buildProgram(profile, regions, devices, wishes, theme.begin));
  };
  const themes = options.weights ? [] : THEMES;
  const rest = 100 - themes.reduce((sum, { share }) => sum + share, 0);
  return fc.oneof(
    { arbitrary: about({ share: rest, weights: {}, begin: [] }), weight: rest },
    ...themes.map((theme) => ({ arbitrary: about(theme), weight: theme.share })),
  );
}

/** The two devices of a program: the first is open from the start. */
export function devicesArbitrary(share: number): fc.Arbitrary<Devices> {
  const coherent = fc.constantFrom<Devices>([2, 0], [2, 3], [3, 1], [0, 2]);
  const weight = Math.round(share * 100);
  return fc.oneof(
    { arbitrary: fc.constant<Devices>([0, 1]), weight: 100 - weight },
    { arbitrary: coherent, weight },
  );
}

/** Small regions, all anonymous or not, or a huge one and a small one. */
export function regionsArbitrary(share: number, files: number): fc.Arbitrary<Region[]> {
  const backing = fc.oneof(
    { arbitrary: fc.constant<Backing>('anonymous'), weight: 2 },
    { arbitrary: fc.constantFrom<Backing>('private-hugetlb', 'shared-hugetlb'), weight: 1 },
  );
  const huge = fc
    .record({
      pmds: fc.integer({ min: 1, max: 2 }),
      pages: fc.integer({ min: 1, max: 6 }),
      backing: files > 0 ? backing : fc.constant<Backing>('anonymous'),
    })
    .map(({ pmds, pages, backing }) => [
      backedBy({ name: 'h', pages: pmds * PMD_PAGES }, backing),
      { name: 'a', pages },
    ]);
  const weight = Math.round(share * 100);
  const ofFiles = Math.round(files * (100 - weight));
  return fc.oneof(
    { arbitrary: smallRegionsArbitrary(), weight: 100 - weight - ofFiles },
    { arbitrary: fileRegionsArbitrary(), weight: ofFiles },
    { arbitrary: huge, weight },
  );
}

/** The first maps a file, which is what most steps are about. */
function fileRegionsArbitrary(): fc.Arbitrary<Region[]> {
  const small = BACKINGS.filter((backing) => canBeBackedBy(1, backing));
  return fc
    .record({
      regions: smallRegionsArbitrary(),
      first: fc.constantFrom(...small.slice(1)),
      others: fc.array(fc.constantFrom(...small), { minLength: 2, maxLength: 2 }),
    })
    .map(({ regions, first, others }) =>
      regions.map((region, index) => backedBy(region, [first, ...others][index]!)),
    );
}

function backedBy(region: Region, backing: Backing): Region {
  return backing === 'anonymous' ? region : { ...region, backing };
}

/** The second size has a fault of the device cross the border of its 32-page pieces. */
function smallRegionsArbitrary(): fc.Arbitrary<Region[]> {
  const pages = fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 11 },
    { arbitrary: fc.integer({ min: 33, max: 40 }), weight: 1 },
  );
  return fc
    .array(pages, { minLength: 1, maxLength: 3 })
    .map((sizes) => sizes.map((pages, index) => ({ name: 'abc'[index]!, pages })));
}

export function wishArbitrary(weights: Readonly<Record<OrdinaryStep['op'], number>>): fc.Arbitrary<Wish> {
  const op = fc.oneof(
    ...(Object.keys(weights) as OrdinaryStep['op'][]).map((name) => ({
      arbitrary: fc.constant(name),
      weight: weights[name],
    })),
  );
  const protection = fc.oneof(
    { arbitrary: fc.constant<Protection>('read-write'), weight: 8 },
    { arbitrary: fc.constant<Protection>('read'), weight: 1 },
    { arbitrary: fc.constant<Protection>('none'), weight: 1 },
  );
  const flaw = fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 24 },
    { arbitrary: fc.constantFrom(...FLAWS), weight: 1 },
  );
  const flags = fc.oneof(
    { arbitrary: fc.constant<DeviceFlags>('fail-alloc'), weight: 6 },
    { arbitrary: fc.constantFrom(...DEVICE_FLAGS), weight: 1 },
  );
  const how = fc.oneof(
    { arbitrary: fc.constant<RemapKind>('move'), weight: 6 },
    { arbitrary: fc.constant<RemapKind>('keep'), weight: 3 },
    { arbitrary: fc.constant<RemapKind>('resize'), weight: 2 },
  );
  const remapFlaw = fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 30 },
    { arbitrary: fc.constantFrom(...REMAP_FLAWS), weight: 1 },
  );
  const small = fc.nat({ max: 63 });
  // Most ranges are short; the longest reach to the end of any region.
  const count = fc.oneof(
    { arbitrary: fc.constant(1), weight: 3 },
    { arbitrary: fc.integer({ min: 2, max: 5 }), weight: 4 },
    { arbitrary: fc.constant(LONGEST), weight: 2 },
  );
  return fc.record({
    op,
    process: small,
    device: fc.nat({ max: 1 }),
    region: small,
    first: small,
    count,
    protection,
    kind: fc.constantFrom(...USERFAULT_KINDS),
    flaw,
    flags,
    advice: fc.constantFrom(...ADVICE),
    how,
    remapFlaw,
    target: small,
    length: fc.nat({ max: 9 }),
  });
}

/** Region 0 is mapped and a device open from the start, so that few wishes are in vain. */
function buildProgram(
  profile: Profile,
  regions: Region[],
  wanted: Devices,
  wishes: readonly Wish[],
  begin: readonly Step[],
): Program {
  // Coherent memory has no huge pages (model/safe.ts).
  const devices: Devices = regions.some(({ pages }) => isHugeRegion(pages)) ? [0, 1] : wanted;
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
  const isHuge = isHugeRegion(regions[0]!.pages) && regions[0]!.backing === undefined;
  if (isHuge && wishes.length % 4 > 0) {
    take({ op: 'madvise', by: 0, at: { region: 0, first: 0, count: regions[0]!.pages }, advice: 'hugepage' });
  }
  for (const wish of wishes) take(grant(state, devices, towardsSwap(state, wish)));
  return { name: 'generated', regions, steps };
}

/** With a swap device, most advice is to swap out; and a device that has gone comes back. */
function towardsSwap({ swap }: State, wish: Wish): Wish {
  if ((wish.op === 'swapon' || wish.op === 'swapoff') && wish.process > 4) {
    return { ...wish, op: swap ? 'swapoff' : 'swapon' };
  }
  return swap && wish.op === 'madvise' && wish.length < 7 ? { ...wish, advice: 'pageout' } : wish;
}

/** The step that comes nearest to the wish and is possible and safe; undefined when there is none. */
export function grant(state: State, devices: Devices, wish: Wish): Step | undefined {
  const living = state.processes.filter((process) => process !== null);
  const process = living[wish.process % living.length]!;
  const region = wish.region % state.regions.length;
  const candidates = stepsFor(state, devices, wish, process, living.length, rangeFor(state, region, wish));
  return candidates.find((step) => hazardOf(state, step) === undefined);
}

function rangeFor(state: State, region: number, { first, count }: Wish): PageRange {
  const pages = state.regions[region]!;
  if (isHugeRegion(pages)) return hugeRange(region, pages, first, count);
  const start = count >= pages ? 0 : first % pages;
  return { region, first: start, count: Math.min(count, pages - start) };
}

/** Short ranges at the beginning, about the borders of PMDs, and anywhere; all of a PMD, or all behind a page. */
function hugeRange(region: number, pages: number, first: number, count: number): PageRange {
  const border = (1 + (first % (pages / PMD_PAGES))) * PMD_PAGES;
  if (count === LONGEST) {
    if (first < 40) return { region, first: border - PMD_PAGES, count: PMD_PAGES };
    if (first < 52) return { region, first: 0, count: pages };
    return { region, first: first * 7, count: pages - first * 7 };
  }
  const start = first < 24 ? first : first < 40 ? border - (first % 4) - 1 : first * 8;
  return { region, first: start, count: Math.min(count, pages - start) };
}

/** The PMDs that a range of a huge region touches: nothing less collapses. */
function wholePmds(state: State, at: PageRange): PageRange {
  if (!isHugeRegion(state.regions[at.region]!)) return at;
  const first = pmdStart(at.first);
  const end = pmdStart(at.first + at.count - 1) + PMD_PAGES;
  return { ...at, first, count: end - first };
}

/** Candidates, the best first. */
function stepsFor(
  state: State,
  devices: Devices,
  wish: Wish,
  process: Process,
  living: number,
  at: PageRange,
): Step[] {
  const { op, protection } = wish;
  const [device, other] = wish.device === 0 ? devices : [devices[1], devices[0]];
  const flaw = wish.flaw && { flaw: wish.flaw };
  const by = process.id;
  switch (op) {
    case 'mmap':
      return [{ op, by, region: at.region, protection }];
    case 'madvise':
      return [
        { op, by, at: wish.advice === 'collapse' ? wholePmds(state, at) : at, advice: wish.advice },
        { op, by, at: wholeRegion(state, at), advice: 'dontneed' },
      ];
    case 'clear-refs':
    case 'ksmd':
    case 'unpin':
    case 'reload':
    case 'swapon':
    case 'swapoff':
      return [{ op, by }];
    case 'mprotect':
      return [
        { op, by, at, protection },
        { op, by, at: wholeRegion(state, at), protection },
      ];
    case 'mremap':
      return remaps(state, wish, by, at);
    case 'uffd-open':
      return process.mm.userfault ? [] : [userfaultfd(by, wish.first)];
    case 'uffd-register':
      return process.mm.userfault ? [{ op, by, at, kind: wish.kind }] : [];
    case 'uffd-copy':
      return process.mm.userfault ? [{ op, by, at, protect: wish.first % 3 === 0 }] : [];
    case 'uffd-unregister':
    case 'uffd-protect':
    case 'uffd-unprotect':
    case 'uffd-zeropage':
      return process.mm.userfault ? [{ op, by, at }] : [];
    case 'munmap':
      return [
        { op, by, at },
        { op, by, at: wholeRegion(state, at) },
      ];
    case 'mlock':
    case 'munlock':
    case 'pin':
    case 'cpu-read':
    case 'cpu-write':
      return [{ op, by, at }];
    case 'fork':
      return state.processes.length < MAX_PROCESSES ? [{ op, by, child: state.processes.length }] : [];
    case 'exit':
      return living > 1 ? [{ op, by }] : [];
    case 'open':
      return [device, other]
        .filter((minor) => !process.devices[minor])
        .map((minor) => ({ op, by, device: minor }));
    case 'close':
      return process.devices[device] ? [{ op, by, device }] : [];
    case 'flags':
      return process.devices[device] ? [{ op, by, device, flags: wish.flags }] : [];
    case 'release':
      // Dear: the agent makes the memory of both devices anew after the program.
      return process.devices[device] && wish.process % 8 === 0 ? [{ op, by, device, at, ...flaw }] : [];
    default: {
      const single: PageRange = { ...at, count: 1 };
      return [device, other]
        .filter((minor) => process.devices[minor])
        .flatMap((minor): Step[] => [
          { op, by, device: minor, at, ...flaw },
          { op, by, device: minor, at: single },
        ]);
    }
  }
}

/** What can be had where a part cannot. */
function wholeRegion(state: State, { region }: PageRange): PageRange {
  return { region, first: 0, count: state.regions[region]! };
}

/**
 * Moves to another region and within one, that fit and that do not; most keep their size. In huge regions most keep their
 * place in the PMD.
 */
function remaps(state: State, wish: Wish, by: ProcessId, at: PageRange): Step[] {
  const { how, remapFlaw: flaw, target, length } = wish;
  const room = state.regions[at.region]! - at.first;
  if (how === 'resize') {
    return [{ op: 'mremap', by, at, to: { ...at, count: Math.min(room, target % (at.count + 3)) }, how }];
  }
  const region = (target >> 2) % state.regions.length;
  return [region, at.region].map((region): Step => {
    const pages = state.regions[region]!;
    // Within a region, there is room for both in most cases.
    const most = region === at.region && target > 7 ? Math.max(1, pages >> 1) : pages;
    const from = { ...at, count: Math.min(at.count, most) };
    const count = Math.min(most, length > 0 || how === 'keep' ? from.count : 1 + (target % 4));
    let first = Math.min(pages - count, placeFor(state, wish, at, region));
    if (most < pages && overlap(first, count, from)) {
      first = from.first >= count ? from.first - count : Math.min(pages - count, from.first + from.count);
    }
    return { op: 'mremap', by, at: from, to: { region, first, count }, how, ...(flaw && { flaw }) };
  });
}

/** Refuses, answers, or refuses and protects what is not there. */
function userfaultfd(by: ProcessId, choice: number): Step {
  const mode = choice % 3 === 0 ? 'handler' : 'sigbus';
  return { op: 'uffd-open', by, mode, unpopulated: choice % 3 === 1 };
}

function overlap(first: number, count: number, other: PageRange): boolean {
  return first < other.first + other.count && other.first < first + count;
}

function placeFor(state: State, { target, length }: Wish, at: PageRange, region: number): number {
  const pages = state.regions[region]!;
  if (!isHugeRegion(pages)) return target % pages;
  const border = (target % (pages / PMD_PAGES)) * PMD_PAGES;
  return length < 7 ? border + (at.first % PMD_PAGES) : target * 8;
}
