/** What the parts of the emitter share. */
import type { Profile } from '../../model/profile.ts';
import type { PageRange, ProcessId, Program, RegionId } from '../../model/program.ts';
import type { Frame } from '../../model/state.ts';
import { type Sighting, type StepView, sightings } from './expectation.ts';

/** A place at a step, whose frame a program notes in a slot of shared->frame[]. */
export interface Slot {
  step: number;
  process: ProcessId;
  region: RegionId;
  page: number;
}

/** The slots of a program, shared by the architectures; a slot without a place is filled by the trace itself. */
export class Slots {
  #count = 0;
  readonly #byKey = new Map<string, number>();
  readonly #byTurn = new Map<string, (Slot & { index: number })[]>();

  get count(): number {
    return this.#count;
  }

  of({ step, process, region, page }: Slot): number {
    return this.#take(`${step} ${process} ${region} ${page}`, { step, process, region, page });
  }

  /** For a frame that is seen in the trace of `step` and nowhere else. */
  unseen(step: number, frame: number): number {
    return this.#take(`${step} frame ${frame}`, null);
  }

  /** Those that a process notes after a step. */
  notedBy(process: ProcessId, step: number): readonly (Slot & { index: number })[] {
    return this.#byTurn.get(`${process} ${step}`) ?? [];
  }

  #take(key: string, place: Slot | null): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const index = this.#count++;
    this.#byKey.set(key, index);
    if (place) append(this.#byTurn, `${place.process} ${place.step}`, { ...place, index });
    return index;
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** One program on one architecture. */
export class Context {
  readonly program: Program;
  readonly profile: Profile;
  readonly views: readonly StepView[];
  readonly slots: Slots;
  readonly #sightings = new Map<number, Sighting[]>();
  /** Sightings of device pages by minor and position. */
  readonly #places = new Map<string, Sighting[]>();

  constructor(program: Program, profile: Profile, views: readonly StepView[], slots: Slots) {
    this.program = program;
    this.profile = profile;
    this.views = views;
    this.slots = slots;
    for (const sighting of sightings(views)) {
      const { id, minor, position } = sighting.frame;
      append(this.#sightings, id, sighting);
      if (minor >= 0) append(this.#places, `${minor} ${position}`, sighting);
    }
  }

  /** Every sighting of the frame, in the order of the run. */
  sightingsOf(frame: number): readonly Sighting[] {
    return this.#sightings.get(frame) ?? [];
  }

  /** All sightings of device pages at the same place of the same minor as `frame`, before it came there. */
  formerPages({ minor, position, id }: Frame): Sighting[] {
    return (this.#places.get(`${minor} ${position}`) ?? []).filter(({ frame }) => frame.id < id);
  }

  /** The range of a step that has one. */
  rangeOf(index: number): PageRange | undefined {
    const step = this.program.steps[index];
    return step && 'at' in step ? step.at : undefined;
  }
}
