/** What the model says of each step ({@link Views}). */
import { apply, applyEnd, type StepExpectation } from '../../model/apply.ts';
import { cloneState } from '../../model/clone.ts';
import { initialState } from '../../model/initial-state.ts';
import { expectMeminfo, GAUGES, type Gauges } from '../../model/meminfo.ts';
import type { ProgramTranscript, StepObservation } from '../../model/observation.ts';
import {
  markObserved,
  observationFaults,
  observe,
  observeProcesses,
  observers,
} from '../../model/observe.ts';
import { flagMask } from '../../model/page-flags.ts';
import type { Profile } from '../../model/profile.ts';
import { type Program, pageAddress } from '../../model/program.ts';
import type { ExpectedEvent, State } from '../../model/state.ts';
import { type ComparableTranscript, type ComparedStep, compare } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import { faultCode, traceKind } from '../compare/events.ts';
import { describeBytes } from '../compare/outcome.ts';
import { pagemapKind } from '../compare/pagemap.ts';
import { byName, type Taken, takenFlags, takenGauges } from './freedoms.ts';
import {
  type EventView,
  eventsOf,
  faultView,
  lines,
  meminfoText,
  migrationView,
  type RegionView,
  resultText,
  rssText,
  SETTLED_MASK,
  type Views,
  viewsOf,
} from './views.ts';

/**
 * The steps of a run, and as the last one its end: of a model that takes every freedom that it has the same way.
 *
 * @param transcript says which lines of status and meminfo were looked at; without it, all
 */
export function* expectedViews(
  program: Program,
  profile: Profile,
  transcript?: ProgramTranscript,
): Generator<Views> {
  const state = initialState(profile, program.regions);
  for (const [index, step] of program.steps.entries()) {
    const expected = apply(state, step, index);
    yield stepViews(state, program, index, expected, { seen: transcript?.steps[index], adopts: false });
    markObserved(state);
  }
  yield endViews(state, { seen: transcript, adopts: false });
}

export interface AdoptedStep {
  views: Views;
  taken: Taken;
}

/**
 * The same of a model that takes each freedom as `transcript` shows that it was taken (harness/compare); no further than to
 * the first step that the model does not allow, or does not follow.
 */
export function adoptedViews(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
): AdoptedStep[] {
  const steps: AdoptedStep[] = [];
  const onStep = ({ index, expected, regions, seen, state, divergences }: ComparedStep): void => {
    if (divergences.length > 0) return;
    const views = stepViews(state, program, index, expected, { seen, adopts: true });
    const taken = [...takenFlags(regions, seen.regions), ...takenGauges(state, seen.meminfo)];
    steps.push({ views, taken: byName(taken) });
    if (index < program.steps.length - 1) return;
    const end = cloneState(state);
    markObserved(end);
    steps.push({
      views: endViews(end, { seen: transcript, adopts: true }),
      taken: byName(takenGauges(end, transcript.meminfo)),
    });
  };
  compare(program, transcript, environment, onStep, { invariants: false });
  return steps;
}

/** What was seen, where that is known, and whether what is free in meminfo is taken from it. */
interface Look<Seen extends { meminfo?: Partial<Gauges> } = { meminfo?: Partial<Gauges> }> {
  seen: Seen | undefined;
  adopts: boolean;
}

function stepViews(
  state: State,
  program: Program,
  index: number,
  expected: StepExpectation,
  look: Look<StepObservation>,
): Views {
  const events = [...expected.events, ...observationFaults(state, observers(state, program.steps, index))];
  const looks = new Map(look.seen?.processes.map(({ process, rss }) => [process, rss]));
  return {
    result: resultText({ ...expected, data: expected.data?.map(BigInt) }),
    status: lines(observeProcesses(state), ({ process, rss }) => {
      const lookedAt = looks.get(process) ?? rss;
      const [anon, swap] = (['anon', 'swap'] as const).map((name) =>
        lookedAt[name] === undefined ? undefined : rss[name],
      );
      return rssText(process, anon, swap);
    }),
    meminfo: meminfoText(state.profile, gaugesOf(state, look)),
    ...viewsOf(expectedRegions(state), eventsOf(program.steps[index], expectedEvents(state, events))),
  };
}

/** @param state is ended by it */
function endViews(state: State, look: Look): Views {
  const last = eventsOf(undefined, expectedEvents(state, applyEnd(state)));
  const meminfo = meminfoText(state.profile, gaugesOf(state, look));
  return { result: 'done', status: '', meminfo, ...viewsOf([], last) };
}

/** Without `seen`, all that there are. */
function gaugesOf(state: State, { seen, adopts }: Look): Partial<Gauges> {
  if (seen && !seen.meminfo) return {};
  const expected = expectMeminfo(state);
  const gauges: Partial<Gauges> = {};
  for (const name of GAUGES) {
    const bounds = expected[name];
    const value = seen?.meminfo?.[name];
    if (!bounds || (seen && value === undefined)) continue;
    const { least, most } = bounds;
    gauges[name] = adopts && value !== undefined && least <= value && value <= most ? value : most;
  }
  return gauges;
}

function expectedRegions(state: State): RegionView[] {
  return observe(state).map(({ process, region, pages, snapshots }) => ({
    where: `p${process} region ${region}`,
    pages: pages.map(
      ({ pte, softDirty, exclusive, file, frame, flags, count, word, mincore, categories }) => ({
        kind: pagemapKind(pte),
        softDirty,
        exclusive,
        file: file === true,
        frame: frame ?? undefined,
        flags: flags && flagMask(flags.set) & SETTLED_MASK,
        count: count === undefined ? undefined : BigInt(count),
        word: word === undefined ? undefined : BigInt(word),
        mincore,
        categories,
      }),
    ),
    snapshots: snapshots.map(({ device, bytes }) => ({ device, text: describeBytes(bytes) })),
  }));
}

function expectedEvents(state: State, events: readonly ExpectedEvent[]): EventView[] {
  return events.map((event) => {
    const addr = BigInt(pageAddress(event.region, event.page, state.regions[event.region]));
    if (event.name === 'page_fault_user') return faultView(addr, faultCode(event));
    const { entry, order, inaccessible } = event;
    return migrationView(event.name, addr, order, {
      kind: traceKind(state.profile.design, entry),
      write: entry.kind === 'present' && entry.write,
      accessible: !inaccessible,
      young: entry.young,
      dirty: entry.dirty,
      softDirty: state.profile.softDirty && entry.softDirty,
    });
  });
}
