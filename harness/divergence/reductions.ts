/**
 * Smaller programs. Every reduction yields a program that can be run: steps that have become impossible go with what
 * made them possible, and processes are numbered anew.
 */
import {
  type Backing,
  canBeBackedBy,
  isHugeRegion,
  type OrdinaryStep,
  type PageRange,
  PMD_PAGES,
  type Program,
  type Region,
  type Step,
} from '../../model/program.ts';
import { Lives } from '../programs/lives.ts';

/** What a step may have, whatever its operation. */
type LooseStep = Record<string, unknown> & { op: Step['op']; by: number };

/**
 * Programs that are smaller than `program`, those that drop most first: runs of steps, processes, regions, pages,
 * parts of ranges. None is returned twice; none is equal to `program`.
 */
export function* reductions(program: Program): Generator<Program> {
  const seen = new Set([keyOf(program)]);
  for (const candidate of candidates(program)) {
    if (!candidate || candidate.steps.length === 0) continue;
    const key = keyOf(candidate);
    if (seen.has(key)) continue;
    seen.add(key);
    yield candidate;
  }
}

function* candidates(program: Program): Generator<Program | undefined> {
  const { length } = program.steps;
  for (let size = length >> 1; size >= 1; size >>= 1) {
    // From the end: what comes late is rarely what the failing step needs.
    for (let end = length; end > 0; end -= size) yield withoutSteps(program, Math.max(0, end - size), end);
  }
  for (const process of processesOf(program)) yield withoutProcess(program, process);
  for (let region = 0; region < program.regions.length; region++) yield withoutRegion(program, region);
  for (let region = 0; region < program.regions.length; region++) {
    const { pages, backing = 'anonymous' } = program.regions[region]!;
    if (isHugeRegion(pages)) {
      if (canBeBackedBy(PLAIN_PAGES, backing)) yield withoutPages(program, region, PLAIN_PAGES, pages);
      for (let end = pages; end > 0; end -= PMD_PAGES)
        yield withoutPages(program, region, end - PMD_PAGES, end);
      continue;
    }
    for (let size = pages >> 1; size >= 1; size >>= 1) {
      for (let end = pages; end > 0; end -= size) {
        yield withoutPages(program, region, Math.max(0, end - size), end);
      }
    }
  }
  yield* anonymized(program);
  for (let step = 0; step < length; step++) yield* narrowed(program, step);
  for (let step = 0; step < length; step++) {
    const { op, by } = program.steps[step]!;
    if (by !== 0 && op !== 'together') yield settled(program, replaced(program, step, { by: 0 }));
  }
  yield withFirstDevice(program);
  for (const [step, { op }] of program.steps.entries())
    if (op === 'together') yield* simplerTogether(program, step);
}

/** What is left of a huge region that need not be one, to begin with. */
const PLAIN_PAGES = 8;

/** Every program that is `program` with one step less; where it needs that step for another, with both less. */
export function singleRemovals(program: Program): Program[] {
  const seen = new Set<string>();
  return program.steps.flatMap((_, step) => {
    const candidate = withoutSteps(program, step, step + 1);
    if (candidate.steps.length === 0 || seen.has(keyOf(candidate))) return [];
    seen.add(keyOf(candidate));
    return [candidate];
  });
}

/** The program up to and with `step`. */
export function cutAfter(program: Program, step: number): Program {
  return settled(program, program.steps.slice(0, step + 1));
}

function keyOf({ regions, steps }: Program): string {
  return JSON.stringify([regions.map(({ pages, backing }) => [pages, backing]), steps]);
}

function withoutSteps(program: Program, from: number, to: number): Program {
  return settled(
    program,
    program.steps.filter((_, index) => index < from || index >= to),
  );
}

function processesOf({ steps }: Program): number[] {
  return steps.flatMap(partsOf).flatMap((step) => (step.op === 'fork' ? [step.child] : []));
}

function withoutProcess(program: Program, process: number): Program {
  return settled(
    program,
    program.steps.flatMap((step) =>
      mapStep(step, (part) =>
        part.by === process || (part.op === 'fork' && part.child === process) ? undefined : part,
      ),
    ),
  );
}

function withoutRegion(program: Program, region: number): Program | undefined {
  if (program.regions.length === 1) return undefined;
  const steps = program.steps.flatMap((step) => {
    return mapStep(step, (part) =>
      regionsIn(part).includes(region)
        ? undefined
        : mapRegions(part, (other) => (other > region ? other - 1 : other)),
    );
  });
  return settled({ ...program, regions: program.regions.filter((_, index) => index !== region) }, steps);
}

/** Pages `from` to `to` (exclusive) of a region go; those behind them move up. */
function withoutPages(program: Program, region: number, from: number, to: number): Program | undefined {
  const { pages } = program.regions[region]!;
  if (to - from >= pages) return undefined;
  const place = (page: number) => (page < from ? page : Math.max(from, page - (to - from)));
  const steps = program.steps.flatMap((step) =>
    mapStep(step, (part) => {
      let empty = false;
      const smaller = mapRanges(part, (range) => {
        if (range.region !== region) return range;
        const first = place(range.first);
        const count = place(range.first + range.count) - first;
        if (count === 0) empty = true;
        return { region, first, count };
      });
      // Both of its ranges have the same length.
      const isUneven = smaller.op === 'uffd-move' && smaller.at.count !== smaller.to.count;
      return empty || isUneven ? undefined : smaller;
    }),
  );
  const regions = program.regions.map((other, index) =>
    index === region ? { ...other, pages: pages - (to - from) } : other,
  );
  return settled({ ...program, regions }, steps);
}

/** A region that maps a file becomes anonymous, or its mapping private, or the file has no pages at first. */
function* anonymized(program: Program): Generator<Program> {
  for (const [index, { backing, ...plain }] of program.regions.entries()) {
    if (backing === undefined) continue;
    const simpler: Region[] = [plain];
    if (backing.startsWith('shared')) simpler.push({ ...plain, backing: privateOf(backing) });
    if (backing === 'private-filled-shmem') simpler.push({ ...plain, backing: 'private-shmem' });
    for (const region of simpler) yield { ...program, regions: program.regions.with(index, region) };
  }
}

function privateOf(backing: Backing): Backing {
  return backing.replace('shared', 'private') as Backing;
}

/** The step on fewer pages: the first, the last, either half. */
function* narrowed(program: Program, step: number): Generator<Program> {
  const original = program.steps[step]!;
  if (original.op === 'together') return;
  const ranges = rangesIn(original);
  // Operations on two ranges want them of the same length.
  const count = ranges[0]?.count ?? 0;
  if (count < 2 || ranges.some((range) => range.count !== count)) return;
  const half = count >> 1;
  for (const [offset, length] of [
    [0, 1],
    [count - 1, 1],
    [0, half],
    [half, count - half],
    [0, count - 1],
    [1, count - 1],
  ] as const) {
    const smaller = mapRanges(original, (range) => ({
      ...range,
      first: range.first + offset,
      count: length,
    }));
    yield settled(
      program,
      program.steps.map((other, index) => (index === step ? smaller : other)),
    );
  }
}

/** Every use of another device becomes one of device 0. */
function withFirstDevice(program: Program): Program | undefined {
  if (program.steps.flatMap(partsOf).every((step) => !('device' in step) || step.device === 0))
    return undefined;
  return settled(
    program,
    program.steps.flatMap((step) =>
      mapStep(step, (part) => ('device' in part ? { ...part, device: 0 } : part)),
    ),
  );
}

function replaced(program: Program, step: number, change: Partial<LooseStep>): Step[] {
  return program.steps.map((other, index) => (index === step ? ({ ...other, ...change } as Step) : other));
}

/** Drops steps that are impossible where they stand, and numbers processes in order of creation. */
function settled(program: Program, steps: readonly Step[]): Program {
  const lives = new Lives();
  const numbers = new Map([[0, 0]]);
  const kept: Step[] = [];
  const settle = <T extends OrdinaryStep>(step: T): T | undefined => {
    const by = numbers.get(step.by);
    if (by === undefined) return undefined;
    const renumbered: T = step.op === 'fork' ? { ...step, by, child: numbers.size } : { ...step, by };
    if (lives.take(renumbered) !== undefined) return undefined;
    if (step.op === 'fork') numbers.set(step.child, numbers.size);
    return renumbered;
  };
  for (const step of steps) kept.push(...mapStep(step, settle));
  return { ...program, steps: kept };
}

/** The step itself, or its parts. */
function partsOf(step: Step): OrdinaryStep[] {
  return step.op === 'together' ? step.actors.flat() : [step];
}

/**
 * The step, or each of its parts, as `map` makes it; undefined leaves it out. What is left of a `together` step when one
 * actor alone is left is ordinary steps.
 */
function mapStep(step: Step, map: <T extends OrdinaryStep>(part: T) => T | undefined): Step[] {
  if (step.op !== 'together') {
    const mapped = map(step);
    return mapped ? [mapped] : [];
  }
  const actors = step.actors
    .map((parts) => parts.flatMap((part) => map(part) ?? []))
    .filter(({ length }) => length > 0);
  if (actors.length < 2) return actors.flat();
  return [{ ...step, by: actors[0]![0]!.by, actors }];
}

/** Without an actor or a part, with fewer rounds, with less time between parts, and parts on fewer pages. */
function* simplerTogether(program: Program, index: number): Generator<Program> {
  const step = program.steps[index]!;
  if (step.op !== 'together') return;
  const { actors, rounds, apart } = step;
  const instead = (steps: readonly Step[]) => settled(program, program.steps.toSpliced(index, 1, ...steps));
  const parts = actors.flat();
  for (const actor of actors)
    yield instead(mapStep(step, (part) => (actor.includes(part as never) ? undefined : part)));
  for (const gone of parts)
    yield instead(mapStep(step, (part) => (part === (gone as unknown) ? undefined : part)));
  if (apart > 0) yield instead([{ ...step, apart: 0 }]);
  for (const fewer of [1, rounds >> 2, rounds >> 1]) {
    if (fewer >= 1 && fewer < rounds) yield instead([{ ...step, rounds: fewer }]);
  }
  for (const wide of parts) {
    for (const range of rangesIn(wide)) {
      if (range.count < 2) continue;
      for (const first of [range.first, range.first + range.count - 1]) {
        yield instead(
          mapStep(step, (part) =>
            part === (wide as unknown) ? mapRanges(part, (other) => ({ ...other, first, count: 1 })) : part,
          ),
        );
      }
    }
  }
}

function isRange(value: unknown): value is PageRange {
  return typeof value === 'object' && value !== null && 'region' in value && 'first' in value;
}

function rangesIn(step: OrdinaryStep): PageRange[] {
  return Object.values(step as unknown as LooseStep).filter(isRange);
}

function regionsIn(step: OrdinaryStep): number[] {
  const { region } = step as unknown as LooseStep;
  return [...rangesIn(step).map((range) => range.region), ...(typeof region === 'number' ? [region] : [])];
}

function mapRanges<T extends OrdinaryStep>(step: T, map: (range: PageRange) => PageRange): T {
  return Object.fromEntries(
    Object.entries(step).map(([key, value]) => [key, isRange(value) ? map(value) : value]),
  ) as unknown as T;
}

function mapRegions<T extends OrdinaryStep>(step: T, map: (region: number) => number): T {
  const moved = mapRanges(step, (range) => ({ ...range, region: map(range.region) })) as unknown as LooseStep;
  return (typeof moved.region === 'number' ? { ...moved, region: map(moved.region) } : moved) as unknown as T;
}
