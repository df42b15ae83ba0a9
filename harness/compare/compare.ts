/** Drives the model through a program beside the transcript of a real run, and compares the two step by step. */
import { applyEnd, type StepExpectation } from '../../model/apply.ts';
import { type Coverage, CoverageRecorder } from '../../model/coverage/coverage.ts';
import { initialState } from '../../model/initial-state.ts';
import { violations } from '../../model/invariants.ts';
import type { ProgramTranscript, StepObservation } from '../../model/observation.ts';
import {
  type ExpectedRegion,
  markObserved,
  observationFaults,
  observe,
  observeProcesses,
  observers,
} from '../../model/observe.ts';
import type { Program, Step } from '../../model/program.ts';
import type { Frame, State } from '../../model/state.ts';
import { VM_EVENT_NAMES, VM_EVENTS, type VmEvents } from '../../model/vm-events.ts';
import { Bindings } from './bindings.ts';
import type { Environment } from './environment.ts';
import { compareEvents } from './events.ts';
import { InvariantTally } from './invariant-tally.ts';
import { InvariantChecker } from './invariants.ts';
import { compareMeminfo } from './meminfo.ts';
import { compareOutcome } from './outcome.ts';
import { compareProcesses } from './processes.ts';
import { compareRegions } from './regions.ts';
import { RoundsChecker } from './rounds.ts';
import { SeenSteps } from './seen-region.ts';
import { compareSmaps } from './smaps.ts';
import { type Comparison, type Divergence, type Place, Tally } from './tally.ts';
import { compareParts, isLong, TOGETHER_EVENT_SLACK } from './together.ts';
import { choose, type Future, futures, ORDER_SLACK, type World } from './worlds.ts';

/** A transcript with what says how far its trace can be trusted, where that is known. */
export type ComparableTranscript = ProgramTranscript & { strayEvents?: number; lostEvents?: number };

/** Steps from one check of the model's own state to the next; unit tests check it after every step. */
const MODEL_CHECK_EVERY = 16;

/** Slack: trace events at addresses that no program uses; something else on the machine migrated pages. */
const STRAY_SLACK = 'stray-trace-event';

export interface CompareOptions {
  /** Check also what must hold without the model (invariants.ts). @default true */
  invariants?: boolean;
  /** Note here what of the model the program reaches, as far as it was compared. */
  coverage?: Coverage;
}

/**
 * Compares a transcript with what the model allows.
 *
 * Where the model leaves something free (which page, say), what was seen is taken over into the model, and counted as
 * slack under the freedom's name.
 *
 * @param onStep gets every step as soon as it is compared; what it is given changes with the next
 * @throws HazardError for a program that is not safe to run (model/safe.ts)
 */
export function compare(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
  onStep?: (compared: ComparedStep) => void,
  options: CompareOptions = {},
): Comparison {
  const { base } = transcript;
  const tally = new Tally();
  const state = initialState(environment.profile, program.regions);
  let worlds: World[] = [{ state, bindings: new Bindings(environment) }];
  const seenSteps = new SeenSteps(environment.profile);
  let recorder = options.coverage && new CoverageRecorder(options.coverage, state);
  const checker =
    (options.invariants ?? true) ? new InvariantChecker(program, transcript, environment) : undefined;

  let steps = 0;
  for (const [index, step] of program.steps.entries()) {
    const seen = transcript.steps[index];
    if (!seen) break;
    if (step.op === 'together') recorder = undefined;
    if (step.op === 'together' && step.rounds > 1) break;
    steps++;
    recorder?.begin(step);
    tally.check(
      seen.step === index,
      { step: index },
      'steps',
      'steps are observed in their order',
      () => `step ${index}`,
      () => `step ${seen.step}`,
    );
    seenSteps.take(seen);
    checker?.step(seen, seenSteps.regions, seenSteps.before);
    const possible = futures(worlds, step, index);
    // Where there is nothing to choose from, which is nearly always, nothing is counted apart.
    const isOne = possible.length === 1 && step.op !== 'together';
    const tried = possible.map((future) => {
      recorder?.end(step, future.expected);
      const own = isOne ? tally : new Tally();
      const regions = observe(future.state);
      const context = { ...future, tally: own, environment };
      compareStep(context, {
        steps: program.steps,
        index,
        future,
        regions,
        seen,
        seenRegions: seenSteps.regions,
        base,
      });
      return { future, own, regions };
    });
    const chosen = choose(tried);
    const { future, own, regions } = chosen[0]!;
    if (step.op === 'together') own.note(ORDER_SLACK);
    if (own !== tally) tally.merge(own);
    worlds = chosen.map(({ future: { state, bindings } }) => ({ state, bindings }));
    const { divergences } = tally;
    onStep?.({ index, expected: future.expected, regions, seen, state: future.state, divergences });
    for (const { state } of worlds) markObserved(state);
    if (index % MODEL_CHECK_EVERY === MODEL_CHECK_EVERY - 1)
      for (const world of worlds) checkModel(tally, world, index);
    if (tally.divergences.length > 0) break;
  }

  for (const world of worlds) checkModel(tally, world, steps);
  const next = program.steps[steps];
  const rounds =
    next && isLong(next) && tally.divergences.length === 0 ? new RoundsChecker(tally, program) : undefined;
  for (let index = 0; index < steps; index++) rounds?.note(index);
  // The kernel goes on where the model does not.
  for (const seen of checker || rounds ? transcript.steps.slice(steps) : []) {
    seenSteps.take(seen);
    checker?.step(seen, seenSteps.regions, seenSteps.before);
    if (!rounds || tally.divergences.length > 0) continue;
    rounds.note(seen.step);
    rounds.check(seen.step, seen, seenSteps.regions);
    steps++;
  }
  if (tally.divergences.length === 0) {
    compareEnd(tally, rounds ? [] : worlds, environment, program, transcript);
  }
  if (checker) tally.add(checker.end());
  const { fieldsCompared, slack, slackByField, invariants, divergences } = tally;
  return { fieldsCompared, slack, slackByField, invariants, divergences, steps };
}

/** The model is at fault when its own state breaks an invariant (model/invariants.ts). */
function checkModel(tally: Tally, { state }: World, step: number): void {
  const found = violations(state);
  const checks = new InvariantTally();
  checks.check('model-state', found.length === 0, { step }, () => found.join('; '));
  tally.add(checks);
}

/** A step that was compared: the model after it, with what was seen taken over where the model leaves it free. */
export interface ComparedStep {
  index: number;
  expected: StepExpectation;
  /** As they were before. */
  regions: readonly ExpectedRegion[];
  seen: StepObservation;
  state: State;
  /** Of this step. */
  divergences: readonly Divergence[];
}

/** What the parts of a comparison share. */
export interface Context {
  tally: Tally;
  state: State;
  environment: Environment;
  bindings: Bindings;
}

/** A step as the model has it, in one of its worlds, and as it was seen. */
interface BothSides {
  steps: readonly Step[];
  index: number;
  future: Future;
  regions: readonly ExpectedRegion[];
  seen: StepObservation;
  seenRegions: SeenSteps['regions'];
  /** What processes have beside their regions. */
  base: ComparableTranscript['base'];
}

/** Everything of a step but what holds without the model. */
function compareStep(
  context: Context,
  { steps, index, future: { expected, parts, order }, regions, seen, seenRegions, base }: BothSides,
): void {
  const { tally, state } = context;
  const turns = observers(state, steps, index);
  context.bindings.begin(foliosOf(regions, state));
  compareOutcome(tally, index, expected, seen);
  compareProcesses(context, index, observeProcesses(state), seen.processes, base);
  compareRegions(context, index, regions, seenRegions, turns);
  compareSmaps(context, index, seen.processes);
  compareMeminfo(tally, { step: index }, state, seen.meminfo);
  if (parts) {
    compareParts(tally, index, parts, seen.parts);
    if (seen.events.length > 0) tally.note(TOGETHER_EVENT_SLACK, seen.events.length);
    for (const divergence of tally.divergences) divergence.rule += `; the nearest order is ${order}`;
  } else {
    compareEvents(context, index, [...expected.events, ...observationFaults(state, turns)], seen.events);
  }
}

/** The heads of all folios that are mapped, in files, or in the swap cache; one keeps all of its pages, also those that nothing maps. */
function foliosOf(regions: readonly ExpectedRegion[], { files }: State): Set<Frame> {
  const heads = new Set<Frame>();
  for (const file of files) for (const page of file?.pages ?? []) if (page) heads.add(page);
  let last: Frame | undefined;
  for (const { pages } of regions) {
    for (const { frame } of pages) {
      if (!frame || frame.head === last) continue;
      last = frame.head;
      heads.add(last);
      if (last.cached) heads.add(last.cached);
    }
  }
  return heads;
}

function compareEnd(
  tally: Tally,
  worlds: readonly World[],
  environment: Environment,
  program: Program,
  transcript: ComparableTranscript,
): void {
  const { end, strayEvents = 0, lostEvents = 0 } = transcript;
  const place = { step: end.kind === 'done' ? program.steps.length : end.step };
  const ended = tally.check(
    end.kind === 'done',
    place,
    'end',
    'no step of a safe program crashes or hangs',
    () => 'done',
    () => describeEnd(end),
  );
  if (!ended) return;
  const { length } = transcript.steps;
  const whole = tally.check(
    length === program.steps.length,
    { step: Math.min(length, program.steps.length) },
    'steps',
    'every step is observed',
    () => `${program.steps.length} steps`,
    () => `${length} steps`,
  );
  if (!whole) return;
  const tried = worlds.map((world) => {
    const own = worlds.length === 1 ? tally : new Tally();
    world.bindings.begin(new Set());
    const context = { ...world, tally: own, environment };
    compareEvents(context, program.steps.length, applyEnd(world.state), transcript.finalEvents);
    compareVmEvents(own, place, world.state.vmEvents, transcript.vmEvents ?? {});
    compareMeminfo(own, place, world.state, transcript.meminfo);
    return { future: world, own };
  });
  const [fitting] = choose(tried);
  if (fitting && fitting.own !== tally) tally.merge(fitting.own);
  tally.check(
    lostEvents === 0,
    place,
    'trace.count',
    'no event is lost',
    () => 'no event lost',
    () => `${lostEvents} events lost`,
  );
  if (strayEvents > 0) tally.note(STRAY_SLACK, strayEvents);
}

/** Of the whole program: what splits, goes to swap and comes back. */
function compareVmEvents(tally: Tally, place: Place, expected: VmEvents, seen: Partial<VmEvents>): void {
  for (const name of VM_EVENT_NAMES) {
    const count = seen[name];
    if (count === undefined) continue;
    tally.check(
      count === expected[name],
      place,
      `vmstat.${name}`,
      VM_EVENTS[name],
      () => `${expected[name]} more than before`,
      () => `${count} more than before`,
    );
  }
}

function describeEnd(end: ProgramTranscript['end']): string {
  if (end.kind === 'crashed') return `process ${end.process} died of ${end.signal} in step ${end.step}`;
  if (end.kind === 'hung') return `hung in step ${end.step}\n${end.stacks.join('\n')}`;
  return end.kind;
}

export type { Comparison, Divergence, FieldName } from './tally.ts';
