/**
 * What must hold of everything that a kernel shows, whatever the program and without the model (OBSERVABLES 4): one
 * observation against another.
 */
import type { StepObservation } from '../../model/observation.ts';
import type { Profile } from '../../model/profile.ts';
import { isHugeRegion, type Program } from '../../model/program.ts';
import type { ComparableTranscript } from './compare.ts';
import { type PageSpans, pageSpans } from './device-chunks.ts';
import type { Environment } from './environment.ts';
import { ContentInvariant } from './invariant-contents.ts';
import { checkCounts } from './invariant-counts.ts';
import { checkPages } from './invariant-pages.ts';
import { checkSharing } from './invariant-sharing.ts';
import { checkSnapshots } from './invariant-snapshots.ts';
import { InvariantTally } from './invariant-tally.ts';
import { checkTrace } from './invariant-trace.ts';
import { type SeenRegion, SeenSteps } from './seen-region.ts';

/** A step as the invariants look at it. */
export interface StepView {
  program: Program;
  chunks: PageSpans;
  seen: StepObservation;
  regions: readonly SeenRegion[];
  /** As they were after the step before. */
  before: readonly SeenRegion[];
  /** Of the first process, before the first step. */
  base: ComparableTranscript['base'];
}

/** Checks the steps of one transcript in their order. */
export class InvariantChecker {
  readonly tally = new InvariantTally();
  readonly #contents: ContentInvariant;
  #chunks: PageSpans;
  readonly #profile: Profile;
  readonly #chunksKnown: boolean;
  /** What was checked of the regions of the step before together, where all of it held. */
  #shared: InvariantTally | undefined;
  readonly #merges: boolean;

  constructor(
    private readonly program: Program,
    private readonly transcript: ComparableTranscript,
    environment: Environment,
  ) {
    this.#chunks = pageSpans(environment);
    this.#profile = environment.profile;
    this.#contents = new ContentInvariant(this.tally, program);
    this.#chunksKnown = !makesChunks(program);
    this.#merges = program.steps.some(({ op }) => op === 'ksmd');
  }

  step(seen: StepObservation, regions: readonly SeenRegion[], before: readonly SeenRegion[]): void {
    const { program, tally } = this;
    this.#forgetReleased(seen.step);
    const chunks = this.#chunks;
    for (const region of regions) checkPages(tally, seen.step, region);
    this.#checkSharing(seen.step, regions, before);
    for (const region of regions) checkSnapshots(tally, seen.step, region, chunks);
    checkCounts(tally, { program, chunks, seen, regions, before, base: this.transcript.base });
    this.#contents.step(seen, regions);
  }

  /** After RELEASE, the place of a device's chunk is free for that of another device. */
  #forgetReleased(index: number): void {
    const step = this.program.steps[index];
    if (step?.op !== 'release') return;
    const device = this.#chunks.device.filter(({ minor }) => minor !== step.device);
    this.#chunks = { ...this.#chunks, device };
  }

  /** Regions that are as before are the same objects (seen-region.ts). */
  #checkSharing(step: number, regions: readonly SeenRegion[], before: readonly SeenRegion[]): void {
    const isAsBefore =
      regions.length === before.length && regions.every((region, index) => region === before[index]);
    if (!isAsBefore || !this.#shared) {
      this.#shared = new InvariantTally();
      const known = { chunksKnown: this.#chunksKnown, merges: this.#merges };
      checkSharing(this.#shared, step, regions, this.#chunks, known, this.#profile);
    }
    this.tally.add(this.#shared);
    if (this.#shared.divergences.length > 0) this.#shared = undefined;
  }

  end(): InvariantTally {
    checkTrace(this.tally, this.program, this.transcript);
    return this.tally;
  }
}

/** Checks all invariants on a transcript. */
export function checkInvariants(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
): InvariantTally {
  const checker = new InvariantChecker(program, transcript, environment);
  const steps = new SeenSteps(environment.profile);
  for (const seen of transcript.steps) {
    steps.take(seen);
    checker.step(seen, steps.regions, steps.before);
  }
  return checker.end();
}

/** Whether the program has the kernel make chunks of device memory, whose device nothing but the model tells. */
function makesChunks({ regions, steps }: Program): boolean {
  return regions.some(({ pages }) => isHugeRegion(pages)) || steps.some(({ op }) => op === 'release');
}
