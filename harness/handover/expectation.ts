/** What the model expects of a program that is run by itself, without an agent that observes it after each step. */
import { apply, applyEnd, type StepExpectation } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { type ExpectedGauges, expectMeminfo } from '../../model/meminfo.ts';
import {
  type ExpectedPage,
  type ExpectedProcess,
  type ExpectedRegion,
  markObserved,
  observe,
  observeProcesses,
} from '../../model/observe.ts';
import { entryAt } from '../../model/page-table.ts';
import { type Arch, makeProfile, type Profile } from '../../model/profile.ts';
import type { ProcessId, Program, RegionId } from '../../model/program.ts';
import type { ExpectedEvent, Frame, State } from '../../model/state.ts';
import type { VmEvents } from '../../model/vm-events.ts';

/** After one step; `expected.events` alone after the last, for the end of the program. */
export interface StepView {
  expected: StepExpectation;
  regions: readonly ExpectedRegion[];
  processes: readonly ExpectedProcess[];
  /** By how much lines of /proc/meminfo differ from before the program. */
  meminfo: ExpectedGauges;
  /** Of the whole program, after its end. */
  vmEvents?: VmEvents;
}

export interface WalkOptions {
  /** Every process observes all of itself after each step, as the agent has it. @default false */
  observed?: boolean;
  /** Present pages that are read after a step, which makes their entries young. */
  reads?: (step: number, process: ProcessId, region: RegionId, page: number) => boolean;
}

/**
 * The model after each step up to `last`; the number of steps: after the end too. What is returned is a copy, and frames
 * keep their ids through all steps.
 */
export function walkModel(
  program: Program,
  profile: Profile,
  last: number,
  options: WalkOptions = {},
): StepView[] {
  const state = initialState(profile, program.regions);
  // A test_hmm that was just loaded has pages that had no life before.
  for (const device of state.devices) device.generation = 1;
  const views: StepView[] = [];
  for (const [index, step] of program.steps.entries()) {
    if (index > last) return views;
    const expected = apply(state, step, index);
    const regions = observe(state);
    views.push({
      expected: { ...expected, events: expected.events.map(copyEvent) },
      regions: regions.map(copyRegion),
      processes: observeProcesses(state),
      meminfo: expectMeminfo(state),
    });
    if (options.observed) markObserved(state);
    else if (options.reads) markRead(state, index, regions, options.reads);
  }
  if (last === program.steps.length) {
    const events = applyEnd(state).map(copyEvent);
    views.push({
      expected: { outcome: { kind: 'ok' }, rule: 'do_exit', events },
      regions: [],
      processes: [],
      meminfo: expectMeminfo(state),
      vmEvents: state.vmEvents,
    });
  }
  return views;
}

function markRead(
  state: State,
  step: number,
  regions: readonly ExpectedRegion[],
  reads: NonNullable<WalkOptions['reads']>,
): void {
  for (const { process, region, pages } of regions) {
    for (const [page, { word }] of pages.entries()) {
      if (word === undefined || !reads(step, process, region, page)) continue;
      entryAt(state.processes[process]!.mm, region, page)!.young = true;
    }
  }
}

/** The place of a page in its folio goes into the position, which only the head of one has. */
const copyFrame = (frame: Frame): Frame => ({ ...frame, position: frame.head.position + frame.offset });

function copyEvent(event: ExpectedEvent): ExpectedEvent {
  return 'entry' in event
    ? { ...event, entry: { ...event.entry, frame: copyFrame(event.entry.frame) } }
    : { ...event };
}

function copyRegion(region: ExpectedRegion): ExpectedRegion {
  return { ...region, pages: region.pages.map(copyPage) };
}

function copyPage(page: ExpectedPage): ExpectedPage {
  return { ...page, frame: page.frame && copyFrame(page.frame), pte: page.pte && { ...page.pte } };
}

/** The same kernel and design on `arch`; `profile` itself for its own architecture. */
export function profileOn(profile: Profile, arch: Arch): Profile {
  return arch === profile.arch
    ? profile
    : makeProfile({ kernel: profile.kernel, design: profile.design, arch });
}

/** Where a frame of the model is seen. */
export interface Sighting {
  step: number;
  process: ProcessId;
  region: RegionId;
  page: number;
  frame: Frame;
}

/** Every sighting of every frame, in the order in which a run comes by them. */
export function sightings(views: readonly StepView[]): Sighting[] {
  return views.flatMap(({ regions }, step) =>
    regions.flatMap(({ process, region, pages }) =>
      pages.flatMap(({ frame }, page) => (frame ? [{ step, process, region, page, frame }] : [])),
    ),
  );
}
