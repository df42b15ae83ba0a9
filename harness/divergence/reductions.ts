/**
 * Smaller programs. Every reduction yields a program that can be run: steps that have become impossible go with what
 * made them possible, and processes are numbered anew.
 */
import { isHugeRegion, type PageRange, type Program, type Step } from '../../model/program.ts';
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
    const { pages } = program.regions[region]!;
    if (isHugeRegion(pages)) continue;
    for (let size = pages >> 1; size >= 1; size >>= 1) {
      for (let end = pages; end > 0; end -= size) {
        yield withoutPages(program, region, Math.max(0, end - size), end);
      }
    }
  }
  for (let step = 0; step < length; step++) yield* narrowed(program, step);
  for (let step = 0; step < length; step++) {
    const { by } = program.steps[step]!;
    if (by !== 0) yield settled(program, replaced(program, step, { by: 0 }));
  }
  yield withFirstDevice(program);
}

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
  return JSON.stringify([regions.map(({ pages }) => pages), steps]);
}

function withoutSteps(program: Program, from: number, to: number): Program {
  return settled(
    program,
    program.steps.filter((_, index) => index < from || index >= to),
  );
}

function processesOf({ steps }: Program): number[] {
  return steps.flatMap((step) => (step.op === 'fork' ? [step.child] : []));
}

function withoutProcess(program: Program, process: number): Program {
  return settled(
    program,
    program.steps.filter((step) => step.by !== process && !(step.op === 'fork' && step.child === process)),
  );
}

function withoutRegion(program: Program, region: number): Program | undefined {
  if (program.regions.length === 1) return undefined;
  const steps = program.steps.flatMap((step) => {
    const used = regionsIn(step);
    if (used.includes(region)) return [];
    return [mapRegions(step, (other) => (other > region ? other - 1 : other))];
  });
  return settled({ ...program, regions: program.regions.filter((_, index) => index !== region) }, steps);
}

/** Pages `from` to `to` (exclusive) of a region go; those behind them move up. */
function withoutPages(program: Program, region: number, from: number, to: number): Program | undefined {
  const { name, pages } = program.regions[region]!;
  if (to - from >= pages || isHugeRegion(pages - (to - from))) return undefined;
  const place = (page: number) => (page < from ? page : Math.max(from, page - (to - from)));
  const steps = program.steps.flatMap((step): Step[] => {
    let empty = false;
    const smaller = mapRanges(step, (range) => {
      if (range.region !== region) return range;
      const first = place(range.first);
      const count = place(range.first + range.count) - first;
      if (count === 0) empty = true;
      return { region, first, count };
    });
    return empty ? [] : [smaller];
  });
  const regions = program.regions.map((other, index) =>
    index === region ? { name, pages: pages - (to - from) } : other,
  );
  return settled({ ...program, regions }, steps);
}

/** The step on fewer pages: the first, the last, either half. */
function* narrowed(program: Program, step: number): Generator<Program> {
  const original = program.steps[step]!;
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
  if (program.steps.every((step) => !('device' in step) || step.device === 0)) return undefined;
  return settled(
    program,
    program.steps.map((step) => ('device' in step ? { ...step, device: 0 } : step)),
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
  for (const step of steps) {
    const by = numbers.get(step.by);
    if (by === undefined) continue;
    const renumbered: Step =
      step.op === 'fork' ? { ...step, by, child: numbers.size } : ({ ...step, by } as Step);
    if (lives.take(renumbered) !== undefined) continue;
    if (step.op === 'fork') numbers.set(step.child, numbers.size);
    kept.push(renumbered);
  }
  return { ...program, steps: kept };
}

function isRange(value: unknown): value is PageRange {
  return typeof value === 'object' && value !== null && 'region' in value && 'first' in value;
}

function rangesIn(step: Step): PageRange[] {
  return Object.values(step as LooseStep).filter(isRange);
}

function regionsIn(step: Step): number[] {
  const { region } = step as LooseStep;
  return [...rangesIn(step).map((range) => range.region), ...(typeof region === 'number' ? [region] : [])];
}

function mapRanges(step: Step, map: (range: PageRange) => PageRange): Step {
  return Object.fromEntries(
    Object.entries(step).map(([key, value]) => [key, isRange(value) ? map(value) : value]),
  ) as unknown as Step;
}

function mapRegions(step: Step, map: (region: number) => number): Step {
  const moved = mapRanges(step, (range) => ({ ...range, region: map(range.region) })) as LooseStep;
  return (typeof moved.region === 'number'
    ? { ...moved, region: map(moved.region) }
    : moved) as unknown as Step;
}
