/**
 * Random programs with steps that actors make at the same time (`together`): some steps that prepare pages, a step
 * together, and steps that show what has come of it.
 */
import fc from 'fast-check';
import { makeProfile, type Profile } from '../../model/profile.ts';
import type { OrdinaryStep, PageRange, Part, Program, Step, Together } from '../../model/program.ts';
import { ANYTHING, APART, THEMES, type Theme, type Weights } from './concurrent-themes.ts';
import { findHazard } from './hazards.ts';
import { Lives } from './lives.ts';

export interface ConcurrentOptions {
  /** Decides what is safe. @default 7.3, design pfn, x86_64 */
  profile?: Profile;
}

/** Numbers are taken modulo what there is to choose from. */
interface Wish {
  theme: Theme;
  pages: number;
  written: number;
  devices: number;
  child: boolean;
  /** Device that the pages are on at first. */
  placed: number;
  long: boolean;
  actors: readonly PartWish[][];
  apart: number;
  rounds: number;
  after: number;
}

interface PartWish {
  op: Part['op'];
  process: number;
  device: number;
  first: number;
  count: number;
}

/** Of so many programs one has a long step, of several rounds. */
const LONG_ONE_IN = 4;
/** Wishes for each program that is to be: some cannot be granted. */
const SURPLUS = 4;
/** A fork is dear, and closing a device looks at each of its pages. */
const DEAR_ROUNDS = 10;

/** @returns `count` programs, or less; the same for the same seed and options */
export function generateConcurrentPrograms(
  seed: number,
  count: number,
  { profile = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' }) }: ConcurrentOptions = {},
): Program[] {
  const programs: Program[] = [];
  // fast-check's numRuns must be positive.
  for (const wish of count > 0 ? fc.sample(wishArbitrary(), { seed, numRuns: count * SURPLUS }) : []) {
    if (programs.length === count) break;
    const name = `concurrent-${seed}-${programs.length}`;
    const program = [true, false]
      .map((deviceReads) => buildProgram(name, wish, deviceReads))
      .find((built) => built && findHazard(built, profile) === undefined);
    if (program) programs.push(program);
  }
  return programs;
}

function wishArbitrary(): fc.Arbitrary<Wish> {
  return fc.oneof(...THEMES.map((theme) => ({ arbitrary: wishOf(theme), weight: theme.weight })));
}

function wishOf(theme: Theme): fc.Arbitrary<Wish> {
  const small = fc.nat({ max: 59 });
  const [first, second] = theme.actors.map(partOfWeights) as [fc.Arbitrary<PartWish>, fc.Arbitrary<PartWish>];
  const further = partOfWeights(ANYTHING);
  const parts = fc.oneof(
    { arbitrary: fc.tuple(first), weight: 3 },
    { arbitrary: fc.tuple(first, further), weight: 1 },
  );
  return fc.record({
    theme: fc.constant(theme),
    pages: fc.constantFrom(1, 1, 2),
    written: small,
    devices: theme.devices ? fc.constant(theme.devices) : fc.constantFrom(1, 2),
    child: fc.boolean(),
    placed: fc.constantFrom(0, 0, 1, 2),
    long: small.map((number) => number % LONG_ONE_IN === 0),
    actors: fc.tuple(parts, fc.tuple(second)),
    apart: fc.constantFrom(...(theme.apart ?? APART)),
    rounds: fc.constantFrom(20, 100),
    after: small,
  });
}

function partOfWeights(weights: Weights): fc.Arbitrary<PartWish> {
  const small = fc.nat({ max: 59 });
  return fc.record({
    op: fc.oneof(...weights.map(([op, weight]) => ({ arbitrary: fc.constant(op), weight }))),
    process: small,
    device: small,
    first: small,
    count: small,
  });
}

/** Undefined when a part of it is impossible. */
function buildProgram(name: string, wish: Wish, deviceReads: boolean): Program | undefined {
  const all: PageRange = { region: 0, first: 0, count: wish.pages };
  const lives = new Lives();
  const steps: Step[] = [];
  let possible = true;
  const take = (step: Step) => {
    if (lives.takeWhole(step) === undefined) steps.push(step);
    else possible = false;
  };
  take({ op: 'mmap', by: 0, region: 0, protection: 'read-write' });
  const written = wish.theme.pages === 'untouched' ? 0 : wish.written % (wish.pages + 1);
  if (written > 0) take({ op: 'cpu-write', by: 0, at: { ...all, count: written } });
  // A child that was forked later has the devices open, too.
  const isHeir = wish.after % 2 === 0;
  if (wish.child && !isHeir) take({ op: 'fork', by: 0, child: 1 });
  for (const device of devicesOf(wish)) take({ op: 'open', by: 0, device });
  if (wish.child && isHeir) take({ op: 'fork', by: 0, child: 1 });
  const home = homeOf(wish);
  if (home !== undefined) take({ op: 'migrate-to-dev', by: 0, device: home, at: all });
  const step = togetherOf(wish);
  take(step);
  const open = devicesOf(wish).filter((device) => lives.hasOpen(0, device));
  const strangers = deviceReads ? open.filter((device) => !migratesTo(steps, device)) : [];
  for (const after of aftermath(wish, step, open, strangers)) take(after);
  const regions = [{ name: 'a', pages: wish.pages }];
  return possible ? { name, regions, steps } : undefined;
}

/** The device that the pages are on at first. */
function homeOf({ theme, placed, devices }: Wish): number | undefined {
  if (theme.pages === 'untouched') return undefined;
  if (theme.pages === 'placed') return placed % devices;
  return placed > 0 && placed <= devices ? placed - 1 : undefined;
}

function togetherOf(wish: Wish): Together {
  const living = wish.child ? 2 : 1;
  let next = living;
  const actors = wish.actors.map((parts) => {
    const by = parts[0]!.process % 4 === 0 ? living - 1 : 0;
    return parts.map((part) => partOf(wish, part, by, () => next++));
  });
  for (const part of actors.flat())
    if (part.op === 'read') part.device = strangerOf(wish, actors, part.device);
  if (!wish.long) return { op: 'together', by: actors[0]![0]!.by, actors, rounds: 1, apart: wish.apart };
  actors[0] = [...anew(wish, actors[0]!), ...actors[0]!];
  const isDear = actors.flat().some(({ op }) => op === 'close' || op === 'fork');
  const rounds = isDear ? DEAR_ROUNDS : wish.rounds;
  return { op: 'together', by: actors[0]![0]!.by, actors, rounds, apart: 0 };
}

/** A device that reads pages which another one migrates: what it migrates itself it must not read meanwhile. */
function strangerOf({ devices }: Wish, actors: readonly (readonly Part[])[], device: number): number {
  const isTarget = (minor: number) =>
    actors.flat().some((part) => part.op === 'migrate-to-dev' && part.device === minor);
  return devices === 2 && isTarget(device) ? 1 - device : device;
}

/** What an actor of several rounds does first, so that each finds what the first has found. */
function anew(wish: Wish, parts: readonly Part[]): Part[] {
  const { by } = parts[0]!;
  const at: PageRange = { region: 0, first: 0, count: wish.pages };
  if (wish.theme.anew === 'dontneed') return [{ op: 'madvise', by, at, advice: 'dontneed' }];
  if (wish.theme.anew === 'migrate') return [{ op: 'migrate-to-dev', by, device: homeOf(wish)!, at }];
  return [];
}

function partOf(wish: Wish, part: PartWish, by: number, newProcess: () => number): Part {
  const { op } = part;
  const home = homeOf(wish);
  const device = op === 'close' && home !== undefined ? home : part.device % wish.devices;
  const first = part.first % wish.pages;
  const at: PageRange = { region: 0, first, count: 1 + (part.count % (wish.pages - first)) };
  switch (op) {
    case 'fork':
      return { op, by, child: newProcess() };
    case 'close':
      return { op, by, device };
    case 'mprotect':
      return { op, by, at, protection: part.count % 2 === 0 ? 'read' : 'read-write' };
    case 'madvise':
      return { op, by, at, advice: 'dontneed' };
    case 'mmap':
      return { op, by, region: 0, protection: 'read-write' };
    case 'read':
    case 'write':
    case 'migrate-to-dev':
    case 'migrate-to-sys':
      return { op, by, device, at };
    default:
      return { op, by, at };
  }
}

/** What shows where pages are, and what they have: reads by devices that have none, and accesses of all processes. */
function aftermath(
  wish: Wish,
  step: Together,
  open: readonly number[],
  strangers: readonly number[],
): OrdinaryStep[] {
  const all: PageRange = { region: 0, first: 0, count: wish.pages };
  const forked = step.actors.flat().flatMap((part) => (part.op === 'fork' ? [part.child] : []));
  const living = [0, ...(wish.child ? [1] : []), ...forked];
  const reads = living.map((by): OrdinaryStep => ({ op: 'cpu-read', by, at: all }));
  const write: OrdinaryStep = { op: 'cpu-write', by: step.actors[0]![0]!.by, at: all };
  if (step.rounds > 1) {
    return [
      ...reads,
      write,
      ...reads,
      ...open.map((device): OrdinaryStep => ({ op: 'close', by: 0, device })),
      ...reads,
    ];
  }
  if (wish.after % 3 === 0) return [write, ...reads];
  return [
    ...strangers.map((device): OrdinaryStep => ({ op: 'read', by: 0, device, at: all })),
    ...reads,
    write,
    ...reads,
  ];
}

function migratesTo(steps: readonly Step[], device: number): boolean {
  return steps
    .flatMap((step) => (step.op === 'together' ? step.actors.flat() : [step]))
    .some((step) => step.op === 'migrate-to-dev' && step.device === device);
}

function devicesOf(wish: Wish): number[] {
  return Array.from({ length: wish.devices }, (_, device) => device);
}
