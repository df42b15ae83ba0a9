/**
 * A finding as a stand-alone C program for a kernel developer: libc calls and the ioctls of lib/test_hmm, and at the
 * failing step a check of its own of what was expected. It builds for x86_64 and aarch64 with the tree's own headers:
 *
 *     gcc -static -Wall -Wextra -O2 -I LINUX/lib -o repro repro.c
 *
 * and exits with 0 when the kernel behaves as expected, 1 when it does not, 2 when that could not be tried.
 */

import type { Profile } from '../../model/profile.ts';
import type { ProcessId, Program } from '../../model/program.ts';
import { ARCHITECTURES, type Arch } from '../../qemu/machine.ts';
import { perArch } from './c-arch.ts';
import { type Check, checksFor, type Phase } from './c-checks.ts';
import { Context, Slots } from './c-context.ts';
import { fileText } from './c-file.ts';
import { drainsAfter, hasHandler, stepStatements } from './c-steps.ts';
import { addressOf, comment, indent, outcomeCode, regionMacro } from './c-text.ts';
import { joinTurns, MAIN, type Turn } from './c-turns.ts';
import { emitConcurrentC, isConcurrent } from './emit-concurrent.ts';
import { profileOn, walkModel } from './expectation.ts';
import { lastStep, type Symptom } from './symptom.ts';
import { fieldInWords, stepInWords } from './words.ts';

export interface EmitOptions {
  /** Of the kernel whose behaviour is expected. */
  profile: Profile;
  /** What it was found on, in a line for the head of the file. @default kernel, design and architecture of `profile` */
  foundOn?: string;
  /** Observe all processes after every step as hmmdiff's agent does, for a failure that needs it. @default false */
  observed?: boolean;
  /** Fields of a divergence that are checked, the first ones. @default 24 */
  checks?: number;
  /** After so many seconds the program is taken to hang. @default 60 */
  limitSeconds?: number;
  /** Runs of a program with actors, which shows its failure by chance, at most. @default 500 */
  attempts?: number;
}

/**
 * @returns the text of the program
 * @throws HazardError for a program that is not safe to run (model/safe.ts)
 */
export function emitC(program: Program, symptom: Symptom, options: EmitOptions): string {
  return isConcurrent(program)
    ? emitConcurrentC(program, symptom, options)
    : new Emitter(program, symptom, options).text();
}

class Emitter {
  readonly #last: number;
  readonly #fields;
  readonly #slots = new Slots();
  readonly #contexts: readonly Context[];
  readonly #own: Context;
  /** By step. */
  readonly #checks: Check[][];
  #alive: ProcessId[] = [0];
  /** Devices that a process opened itself. */
  readonly #opened = new Map<ProcessId, Set<number>>();

  constructor(
    readonly program: Program,
    readonly symptom: Symptom,
    readonly options: EmitOptions,
  ) {
    const { profile, observed = false, checks = 24 } = options;
    this.#last = lastStep(symptom, program.steps.length);
    this.#fields = symptom.kind === 'divergence' ? symptom.fields.slice(0, checks) : [];
    const words = new Set(
      this.#fields
        .filter(({ field }) => field === 'words')
        .map(({ step, process, region, page }) => `${step} ${process} ${region} ${page}`),
    );
    const contextOn = (arch: Arch) => {
      const own = profileOn(profile, arch);
      const reads = (...place: number[]) => words.has(place.join(' '));
      return new Context(program, own, walkModel(program, own, this.#last, { observed, reads }), this.#slots);
    };
    this.#contexts = ARCHITECTURES.map(contextOn);
    this.#own = this.#contexts.find((context) => context.profile === profile)!;
    this.#checks = Array.from({ length: this.#last + 1 }, (_, step) => this.#checksAt(step));
  }

  text(): string {
    const turns = joinTurns(this.#turns());
    return fileText({
      program: this.program,
      symptom: this.symptom,
      options: this.options,
      turns,
      slots: this.#slots.count,
      last: this.#last,
      unchecked: this.symptom.kind === 'divergence' ? this.symptom.fields.length - this.#fields.length : 0,
    });
  }

  /** The checks of a step, each once, with both architectures' expectations where they differ. */
  #checksAt(step: number): Check[] {
    const checks = new Map<string, Check>();
    for (const field of this.#fields) {
      if (field.step !== step) continue;
      const lists = this.#contexts.map((context) => checksFor(context, field));
      const longest = lists.reduce((most, list) => (list.length > most.length ? list : most));
      for (const [index, check] of longest.entries()) {
        const lines = perArch(lists.map((list) => list[index]?.lines ?? []));
        checks.set(lines.join('\n'), { ...check, lines });
      }
    }
    return [...checks.values()];
  }

  #linesOf(step: number, phase: Phase, process?: ProcessId): string[] {
    return this.#checks[step]!.filter((check) => check.phase === phase && check.process === process).flatMap(
      ({ lines }) => lines,
    );
  }

  #turns(): Turn[] {
    const turns: Turn[] = [];
    for (let index = 0; index <= this.#last; index++) {
      const step = this.program.steps[index];
      turns.push(...(step ? this.#step(index) : this.#end(index)), ...this.#after(index, step?.by ?? 0));
    }
    return turns;
  }

  #step(index: number): Turn[] {
    const { program } = this;
    const step = program.steps[index]!;
    const lines = [...this.#caption(index), `shared->step = ${index};`];
    if (hasHandler(program)) lines.push('shared->messages = 0;');
    if (this.#linesOf(index, 'trace').length > 0) lines.push('trace_start();');
    lines.push(...stepStatements(program, step, index));
    if (step.op === 'exit') {
      this.#alive = this.#alive.filter((process) => process !== step.by);
      return [{ by: step.by, lines, exits: true }];
    }
    if (step.op === 'fork') this.#alive.push(step.child);
    if (step.op === 'open') this.#opened.set(step.by, this.#openedBy(step.by).add(step.device));
    if (step.op === 'close') this.#openedBy(step.by).delete(step.device);
    lines.push(...this.#result(index));
    return [{ by: step.by, lines }];
  }

  #openedBy(process: ProcessId): Set<number> {
    return this.#opened.get(process) ?? new Set();
  }

  /** A step before the failing one must go as expected; what the failing one gives is checked. */
  #result(index: number): string[] {
    const first = this.#own.rangeOf(index)?.first ?? 0;
    const code = (context: Context) => outcomeCode(context.views[index]!.expected.outcome, first);
    const isChecked =
      this.symptom.kind === 'divergence' && (this.#checks[index]!.length > 0 || this.#isFailing(index));
    if (!isChecked) return perArch(this.#contexts.map((context) => [`need(err, ${code(context)});`]));
    const more = this.#linesOf(index, 'result');
    return perArch(
      this.#contexts.map((context) => {
        const check = `check_result("result", err, ${code(context)})`;
        return more.length === 0 ? [`${check};`] : [`if (${check}) {`, ...more.map(indent), '}'];
      }),
    );
  }

  #isFailing(index: number): boolean {
    return this.#fields.some(({ step }) => step === index);
  }

  /** The end of the program: what lives ends, the first process first; then main() looks. */
  #end(index: number): Turn[] {
    const turns = this.#alive
      .toSorted((a, b) => a - b)
      .map(
        (by, order): Turn => ({
          by,
          lines: [
            ...(order === 0
              ? [
                  ...comment(['The end of the program: the processes end one after the other.']),
                  `shared->step = ${index};`,
                ]
              : []),
            ...(order === 0 && this.#linesOf(index, 'trace').length > 0 ? ['trace_start();'] : []),
          ],
          exits: true,
        }),
      );
    this.#alive = [];
    return turns;
  }

  /** After a step, each process notes and checks what is its own; then what takes all of them is checked. */
  #after(index: number, actor: ProcessId): Turn[] {
    const turns: Turn[] = [];
    if (this.#linesOf(index, 'trace').length > 0)
      turns.push({ by: this.#somebody(actor), lines: ['trace_stop();'] });
    for (const process of this.#alive.toSorted((a, b) => a - b)) {
      const lines = this.#slots
        .notedBy(process, index)
        .map(
          (slot) =>
            `shared->frame[${slot.index}] = frame_at(${addressOf(this.program, slot.region, slot.page)});`,
        );
      lines.push(...this.#linesOf(index, 'page', process));
      // A guest may have been lost by looking at what the last step left.
      const isLooked = index < this.#last || this.symptom.kind !== 'divergence';
      if (this.options.observed && isLooked) lines.push(...this.#observe(process));
      turns.push({ by: process, lines });
    }
    // What a process leaves in the CPU's batches as it ends, whoever looks first has to do.
    const [first] = turns;
    if (first && this.program.steps[index]?.op === 'exit' && drainsAfter(this.program, index))
      first.lines.unshift('drain_lru();');
    const common = (['frames', 'trace', 'end'] as const).flatMap((phase) => this.#linesOf(index, phase));
    const active = turns.findLast(({ lines }) => lines.length > 0)?.by;
    if (common.length > 0) turns.push({ by: active ?? this.#somebody(actor), lines: common });
    return turns;
  }

  /** Who does what anybody may do: who acted, if it lives. */
  #somebody(actor: ProcessId): Turn['by'] {
    const [first = MAIN] = this.#alive.includes(actor) ? [actor] : this.#alive;
    return first;
  }

  #observe(process: ProcessId): string[] {
    return this.program.regions.flatMap((_, region) => {
      const range = `${regionMacro(this.program, region)}, ${regionMacro(this.program, region)}_PAGES`;
      const devices = [...this.#openedBy(process)].sort((a, b) => a - b);
      return [`observe(${range});`, ...devices.map((device) => `snapshot(device[${device}], ${range});`)];
    });
  }

  /** What the step does; at a failing one, what was expected and what was seen. */
  #caption(index: number): string[] {
    const { program, symptom } = this;
    const text = `Step ${index}: ${stepInWords(program.steps[index]!, program.regions)}.`;
    if (symptom.kind === 'splat' && symptom.step === index)
      return comment([text, '', `Seen in the kernel's log: ${symptom.title}`]);
    if (symptom.kind === 'lost' && symptom.step === index)
      return comment([text, '', `Seen: ${symptom.reason}`]);
    const fields = this.#fields.filter(({ step }) => step === index).slice(0, CAPTION_FIELDS);
    if (fields.length === 0) return comment([text]);
    return comment([text, '', ...fields.flatMap((field) => fieldInWords(field, program.regions))]);
  }
}

/** Fields that the comment at the failing step explains. */
const CAPTION_FIELDS = 4;
