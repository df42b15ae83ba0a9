/**
 * Random programs with steps that actors make at the same time (`together`): some steps that prepare pages, a step
 * together, and steps that show what has come of it.
 */
import fc from 'fast-check';
import { makeProfile, type Profile } from '../../model/profile.ts';
import type { OrdinaryStep, PageRange, Part, Program, Step, Together } from '../../model/program.ts';
import { findHazard } from './hazards.ts';
import { Lives } from './lives.ts';

export interface ConcurrentOptions {
  /** Decides what is safe. @default 7.3, design pfn, x86_64 */
  profile?: Profile;
}

/** Numbers are taken modulo what there is to choose from. */
interface Wish {
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
}

interface PartWish {
  op: Part['op'];
  process: number;
  device: number;
  first: number;
  count: number;
}

/** How often each operation is wished for as a part. */
const PARTS: readonly (readonly [Part['op'], number])[] = [
  ['cpu-read', 4],
  ['cpu-write', 6],
  ['migrate-to-dev', 7],
  ['migrate-to-sys', 4],
  ['read', 3],
  ['fork', 3],
  ['munmap', 3],
  ['mprotect', 1],
  ['madvise', 2],
  ['close', 2],
];

/** Of so many programs one has a long step, of several rounds. */
const LONG_ONE_IN = 4;
/** Wishes for each program that is to be: some cannot be granted. */
const SURPLUS = 4;

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
    const program = buildProgram(`concurrent-${seed}-${programs.length}`, wish);
    if (program && findHazard(program, profile) === undefined) programs.push(program);
  }
  return programs;
}

function wishArbitrary(): fc.Arbitrary<Wish> {
  const small = fc.nat({ max: 59 });
  const part = fc.record({
    op: fc.oneof(...PARTS.map(([op, weight]) => ({ arbitrary: fc.constant(op), weight }))),
    process: small,
    device: small,
    first: small,
    count: small,
  });
  const parts = fc.oneof(
    { arbitrary: fc.array(part, { minLength: 1, maxLength: 1 }), weight: 3 },
    { arbitrary: fc.array(part, { minLength: 2, maxLength: 2 }), weight: 1 },
  );
  return fc.record({
    pages: fc.constantFrom(1, 1, 2),
    written: small,
    devices: fc.constantFrom(1, 2),
    child: fc.boolean(),
    placed: fc.constantFrom(0, 0, 1, 2),
    long: small.map((number) => number % LONG_ONE_IN === 0),
    actors: fc.tuple(parts, fc.tuple(part)),
    apart: fc.constantFrom(0, 0, 1, 4, 16, 64),
    rounds: fc.constantFrom(20, 100),
  });
}

/** Undefined when a part of it is impossible. */
function buildProgram(name: string, wish: Wish): Program | undefined {
  const all: PageRange = { region: 0, first: 0, count: wish.pages };
  const lives = new Lives();
  const steps: Step[] = [];
  let possible = true;
  const take = (step: Step) => {
    if (lives.takeWhole(step) === undefined) steps.push(step);
    else possible = false;
  };
  take({ op: 'mmap', by: 0, region: 0, protection: 'read-write' });
  const written = wish.written % (wish.pages + 1);
  if (written > 0) take({ op: 'cpu-write', by: 0, at: { ...all, count: written } });
  for (let device = 0; device < wish.devices; device++) take({ op: 'open', by: 0, device });
  if (wish.child) take({ op: 'fork', by: 0, child: 1 });
  const { placed } = wish;
  if (placed > 0 && placed <= wish.devices) {
    take({ op: 'migrate-to-dev', by: 0, device: placed - 1, at: all });
  }
  const step = togetherOf(wish);
  take(step);
  for (const after of aftermath(wish, step)) take(after);
  const regions = [{ name: 'a', pages: wish.pages }];
  return possible ? { name, regions, steps } : undefined;
}

function togetherOf(wish: Wish): Together {
  let next = wish.child ? 2 : 1;
  const living = next;
  const actors = wish.actors.map((parts) => {
    const by = parts[0]!.process % 4 === 0 ? living - 1 : 0;
    return parts.map((part) => partOf(wish, part, by, () => next++));
  });
  const rounds = wish.long ? wish.rounds : 1;
  return { op: 'together', by: actors[0]![0]!.by, actors, rounds, apart: wish.long ? 0 : wish.apart };
}

function partOf(wish: Wish, part: PartWish, by: number, newProcess: () => number): Part {
  const device = part.device % wish.devices;
  const first = part.first % wish.pages;
  const at: PageRange = { region: 0, first, count: 1 + (part.count % (wish.pages - first)) };
  // What cannot be repeated gives way to what is nearest to it.
  const op = !wish.long
    ? part.op
    : part.op === 'fork'
      ? 'mprotect'
      : part.op === 'close'
        ? 'migrate-to-sys'
        : part.op;
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

/** What shows where pages are, and what they have: reads by the other device, and accesses of all. */
function aftermath(wish: Wish, step: Together): OrdinaryStep[] {
  const all: PageRange = { region: 0, first: 0, count: wish.pages };
  const forked = step.actors.flat().flatMap((part) => (part.op === 'fork' ? [part.child] : []));
  const living = [0, ...(wish.child ? [1] : []), ...forked];
  const reads = living.map((by): OrdinaryStep => ({ op: 'cpu-read', by, at: all }));
  if (step.rounds === 1) {
    const writer = step.actors[0]![0]!.by;
    return [{ op: 'cpu-write', by: writer, at: all }, ...reads];
  }
  return [
    ...reads,
    ...devicesOf(wish).map((device): OrdinaryStep => ({ op: 'close', by: 0, device })),
    ...reads,
  ];
}

function devicesOf(wish: Wish): number[] {
  return Array.from({ length: wish.devices }, (_, device) => device);
}
