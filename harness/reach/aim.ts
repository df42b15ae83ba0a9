/** Steps towards a row that nothing reaches. */
import { statesOf } from '../../model/coverage/coverage.ts';
import { stateName } from '../../model/coverage/page-state.ts';
import { pmdStart } from '../../model/page-table.ts';
import { isHugeRegion, type PageRange, PMD_PAGES, type Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import type { State } from '../../model/state.ts';
import { grant } from '../programs/grant.ts';
import type { Devices } from '../programs/regions.ts';
import type { Wish } from '../programs/wishes.ts';
import type { Roads } from './roads.ts';
import type { Target } from './targets.ts';

/**
 * The operation of the target on a page, or a PMD, that is in the state that it is to start from; where there is none, a
 * step on the way to it.
 */
export function aim(
  state: State,
  devices: Devices,
  wish: Wish,
  target: Target,
  roads: Roads,
): Step | undefined {
  const { process, codes } = livingAt(state, wish.process);
  const places = placesOf(codes, (code) => stateName(code, devices[wish.device]) === target.from);
  if (places.length > 0) return stepAt(state, devices, wish, target.op, process, choose(places, wish));
  const present = new Set(codes.flatMap((pages) => [...new Set(pages)]).map((code) => stateName(code)));
  const first = roads.towards(target.from, present);
  if (first.length === 0) return undefined;
  const { op, from } = choose(first, wish);
  const starts = placesOf(codes, (code) => stateName(code) === from);
  return stepAt(state, devices, wish, op, process, choose(starts, wish));
}

/** The operation of the target on a page that is in its state already, of whichever process. */
export function hit(state: State, devices: Devices, wish: Wish, target: Target): Step | undefined {
  const living = state.processes.filter((process) => process !== null).length;
  for (let n = 0; n < living; n++) {
    const { process, codes } = livingAt(state, wish.process + n);
    const places = placesOf(codes, (code) => stateName(code, devices[wish.device]) === target.from);
    if (places.length > 0) return stepAt(state, devices, wish, target.op, process, choose(places, wish));
  }
  return undefined;
}

/** The process that a number stands for, by its place among the living, and the states of its pages. */
function livingAt(state: State, number: number): { process: number; codes: Uint8Array[] } {
  const living = state.processes.filter((process) => process !== null);
  const process = number % living.length;
  return { process, codes: statesOf(state)[living[process]!.id]! };
}

function choose<T>(from: readonly T[], wish: Wish): T {
  return from[(wish.first * 10 + wish.length) % from.length]!;
}

function stepAt(
  state: State,
  devices: Devices,
  wish: Wish,
  op: Target['op'],
  process: number,
  { region, page }: Place,
): Step | undefined {
  const step = grant(state, devices, { ...wish, op, process, region, flaw: undefined });
  if (!step || !('at' in step) || step.op !== op) return step;
  const pages = state.regions[region]!;
  const at =
    isHugeRegion(pages) && wish.count > 3
      ? { region, first: pmdStart(page), count: PMD_PAGES }
      : { region, first: page, count: Math.min(wish.count, pages - page) };
  const aimed: Step =
    step.op === 'mremap'
      ? { ...step, at, to: targetOf(state, step, at) }
      : step.op === 'uffd-move'
        ? { ...step, at: { ...at, count: step.at.count } }
        : { ...step, at };
  if (aimed.op === 'uffd-move' && aimed.at.first + aimed.at.count > pages) return undefined;
  return hazardOf(state, aimed) === undefined ? aimed : undefined;
}

interface Place {
  region: number;
  page: number;
}

function placesOf(codes: readonly Uint8Array[], isIt: (code: number) => boolean): Place[] {
  return codes.flatMap((pages, region) =>
    [...pages].flatMap((code, page) => (isIt(code) ? [{ region, page }] : [])),
  );
}

function targetOf(state: State, { how, to }: Extract<Step, { op: 'mremap' }>, at: PageRange): PageRange {
  const pages = state.regions[how === 'resize' ? at.region : to.region]!;
  if (how === 'resize') return { ...at, count: Math.min(to.count, pages - at.first) };
  const count = Math.min(at.count, pages);
  return { ...to, first: Math.min(to.first, pages - count), count };
}
