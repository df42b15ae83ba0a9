/**
 * A finding with steps that actors take together, as a stand-alone C program (emit-c.ts): threads and processes that
 * begin at the same time. It is repeated until it shows the failure: of one round, when what was seen is in no row of the
 * table of what the orders of the actors lead to (c-columns.ts); of several, by what holds whatever the order.
 */
import type { Part, ProcessId, Program, Step, Together } from '../../model/program.ts';
import { partTokenStep } from '../../model/program.ts';
import { ARCHITECTURES } from '../../qemu/machine.ts';
import { isLong } from '../compare/together.ts';
import { Lives } from '../programs/lives.ts';
import { perArch } from './c-arch.ts';
import { type Column, condense, type Table, tableOf } from './c-columns.ts';
import { fileText } from './c-file.ts';
import { Rounds } from './c-rounds.ts';
import { stepStatements } from './c-steps.ts';
import { addressOf, comment, indent, outcomeCode, quote } from './c-text.ts';
import { joinTurns, type Turn } from './c-turns.ts';
import type { EmitOptions } from './emit-c.ts';
import { profileOn, walkModel } from './expectation.ts';
import { lastStep, type Symptom } from './symptom.ts';
import { fieldInWords, stepInWords } from './words.ts';

/** So often the program is repeated if it shows nothing. */
const ATTEMPTS = 500;

/** @throws as emitC */
export function emitConcurrentC(program: Program, symptom: Symptom, options: EmitOptions): string {
  return new Emitter(program, symptom, options).text();
}

export function isConcurrent({ steps }: Program): boolean {
  return steps.some(({ op }) => op === 'together');
}

class Emitter {
  readonly #last: number;
  /** The first step of several rounds, which the model does not follow; behind all steps if there is none. */
  readonly #long: number;
  readonly #first: number;
  readonly #tables: readonly Table[];
  readonly #rounds: Rounds;
  readonly #lives = new Lives();
  readonly #functions: string[] = [];
  #alive: ProcessId[] = [0];

  constructor(
    readonly program: Program,
    readonly symptom: Symptom,
    readonly options: EmitOptions,
  ) {
    const { steps } = program;
    const { profile } = options;
    this.#last = Math.min(lastStep(symptom, steps.length), steps.length - 1);
    const long = steps.findIndex(isLong);
    this.#long = long < 0 ? steps.length : long;
    this.#first = steps.findIndex(({ op }) => op === 'together');
    const fields = symptom.kind === 'divergence' ? symptom.fields : [];
    const end = Math.min(this.#last, this.#long - 1);
    const profiles = ARCHITECTURES.map((arch) => profileOn(profile, arch));
    this.#tables = condense(
      profiles.map((own) => tableOf(program, own, end, fields)),
      end,
    );
    this.#rounds = new Rounds(program, this.#last);
  }

  text(): string {
    const { program, symptom, options } = this;
    const turns = joinTurns(this.#turns());
    const { columns } = this.#tables[0]!;
    return fileText({
      program,
      symptom,
      options,
      turns,
      slots: this.#places,
      last: this.#last,
      unchecked: 0,
      concurrent: {
        attempts: options.attempts ?? ATTEMPTS,
        columns: columns.length,
        actors: Math.max(...program.steps.map((step) => (step.op === 'together' ? step.actors.length : 0))),
        parts: this.#rounds.parts,
        kept: this.#rounds.kept,
        written: this.#rounds.written,
        tables: columns.length > 0 ? this.#tableText() : [],
        functions: this.#functions,
      },
    });
  }

  #turns(): Turn[] {
    const { steps } = this.program;
    const before = walkModel(this.program, this.options.profile, this.#first - 1);
    return steps.slice(0, this.#last + 1).flatMap((step, index): Turn[] => {
      this.#lives.takeWhole(step);
      const head = [...this.#caption(index), `shared->step = ${index};`];
      if (step.op === 'together') return [...this.#together(step, index, head), ...this.#after(index)];
      const lines = [...head, ...stepStatements(this.program, step, index)];
      if (step.op === 'exit') {
        this.#alive = this.#alive.filter((process) => process !== step.by);
        return [{ by: step.by, lines, exits: true }, ...this.#after(index)];
      }
      if (step.op === 'fork') this.#alive.push(step.child);
      if (index < this.#first) {
        const first = 'at' in step ? step.at.first : 0;
        lines.push(`need(err, ${outcomeCode(before[index]!.expected.outcome, first)});`);
      } else if (index < this.#long) {
        lines.push(...this.#noted(index, ({ sight }) => sight.phase === 'step'));
      } else {
        lines.push(...this.#rounds.afterStep(index));
      }
      return [{ by: step.by, lines }, ...this.#after(index)];
    });
  }

  /** The first actor's process wakes the others, and goes on when all are done. */
  #together(step: Together, index: number, head: readonly string[]): Turn[] {
    const by = [...new Set(step.actors.map((parts) => parts[0]!.by))];
    const [first, ...others] = [step.by, ...by.filter((process) => process !== step.by)] as [
      ProcessId,
      ...ProcessId[],
    ];
    for (const [actor, parts] of step.actors.entries()) {
      this.#functions.push(this.#actor(step, index, actor, parts));
      for (const part of parts) if (part.op === 'fork') this.#alive.push(part.child);
    }
    this.#functions.push(
      [
        `static const struct actor actors_${index}[] = {`,
        ...step.actors.map((parts, actor) => `\t{ act_${index}_${actor}, ${parts[0]!.by} },`),
        '};',
        `static const struct together together_${index} = { ${step.actors.length}, ${step.rounds}, actors_${index} };`,
      ].join('\n'),
    );
    const name = `&together_${index}`;
    return [
      {
        by: first,
        lines: [
          ...head,
          ...(isLong(step) ? ['forget_all();'] : []),
          `begin_together(${name}, ${others.length});`,
          ...others.map((process) => `pass_turn(${process});`),
          `play(${name}, ${first});`,
          ...(others.length > 0 ? ['wait_for_players();'] : []),
        ],
      },
      ...others.map(
        (process): Turn => ({
          by: process,
          lines: [`play(${name}, ${process});`, 'atomic_fetch_sub(&shared->players, 1);'],
          beside: true,
        }),
      ),
    ];
  }

  #actor(step: Together, index: number, actor: number, parts: readonly Part[]): string {
    const body = parts.flatMap((part, place) => [
      ...(step.apart > 0 ? [`pause_before_part(${step.apart});`] : []),
      ...comment([`${stepInWords(part, this.program.regions)}`]),
      ...this.#part(step, index, actor, place, part),
      '',
    ]);
    if (isLong(step)) body.unshift(...this.#rounds.before(parts));
    const text = body.join('\n');
    const locals = [
      ...(/\bcmd\b/.test(text) ? ['\tstruct hmm_dmirror_cmd cmd;'] : []),
      ...(/\bpid = spawn/.test(text) ? ['\tpid_t pid;'] : []),
      '\tint err;',
    ];
    return [
      `static void act_${index}_${actor}(unsigned int round)`,
      '{',
      ...locals,
      '',
      ...(/\bround\b/.test(text) ? [] : ['\t(void)round;']),
      ...body.slice(0, -1).map(indent),
      '}',
    ].join('\n');
  }

  #part(step: Together, index: number, actor: number, place: number, part: Part): string[] {
    const token = partTokenStep(index, actor, place);
    const statements = stepStatements(this.program, part, token);
    const own = part.op === 'fork' ? inChild(statements, part.child) : statements;
    if (isLong(step)) return this.#rounds.part(step, index, actor, place, own);
    return [
      ...own,
      ...this.#noted(
        index,
        ({ sight }) => sight.phase === 'part' && sight.actor === actor && sight.part === place,
      ),
    ];
  }

  /** Values go into the columns. */
  #noted(index: number, isMeant: (column: Column) => boolean): string[] {
    const { columns } = this.#tables[0]!;
    const own = columns.flatMap((column, number) =>
      column.step === index && isMeant(column) ? [{ column, number }] : [],
    );
    const store = ({ column, number }: (typeof own)[number]) => `shared->seen[${number}] = ${column.code};`;
    const always = own.filter(({ column }) => !column.onSuccess).map(store);
    const after = own.filter(({ column }) => column.onSuccess).map(store);
    if (after.length === 0) return always;
    const braces = after.length > 1;
    return [...always, `if (!err)${braces ? ' {' : ''}`, ...after.map(indent), ...(braces ? ['}'] : [])];
  }

  /** Each process looks at its pages; then they are compared with each other. */
  #after(index: number): Turn[] {
    if (index < this.#first) return [];
    if (index >= this.#long) {
      const isHome = !this.#lives.anyOpen();
      return this.#processes().map((by) => ({ by, lines: this.#rounds.pages(index, by, isHome) }));
    }
    const shares = this.#tables[0]!.columns.some(
      ({ step, sight }) => step === index && sight.phase === 'all',
    );
    const { regions } = this.program;
    let place = 0;
    const turns = this.#processes().map((by): Turn => {
      const places = regions.flatMap(({ pages }, region) =>
        Array.from(
          { length: pages },
          (_, page) => `shared->frame[${place++}] = page_at(${addressOf(this.program, region, page)});`,
        ),
      );
      return {
        by,
        lines: [
          ...(shares ? places : []),
          ...this.#noted(index, ({ sight }) => sight.phase === 'page' && sight.process === by),
        ],
      };
    });
    const all = this.#noted(index, ({ sight }) => sight.phase === 'all');
    const by = this.#processes().at(-1);
    if (all.length > 0 && by !== undefined) turns.push({ by, lines: all });
    return turns;
  }

  #processes(): ProcessId[] {
    return this.#alive.toSorted((a, b) => a - b);
  }

  /** Pages of all processes, at most. */
  get #places(): number {
    const { steps, regions } = this.program;
    const forks = steps
      .flatMap((step) => (step.op === 'together' ? step.actors.flat() : [step]))
      .filter(({ op }) => op === 'fork').length;
    return (1 + forks) * regions.reduce((sum, { pages }) => sum + pages, 0);
  }

  #tableText(): string[] {
    const texts = this.#tables.map(({ rows }) => [
      `static const uint64_t allowed[][COLUMNS] = {`,
      ...rows.map((row) => `\t{ ${row.join(', ')} },`),
      '};',
    ]);
    return [
      '/* What is looked at, in its order. */',
      'static const char *const columns[COLUMNS] = {',
      ...this.#tables[0]!.columns.map(({ name }) => `\t${quote(name)},`),
      '};',
      '',
      '/* Each row is what one order of what is done at the same time leads to, or several. */',
      ...perArch(texts),
    ];
  }

  #caption(index: number): string[] {
    const { program, symptom } = this;
    const text = `Step ${index}: ${stepInWords(program.steps[index]! as Step, program.regions)}.`;
    const fields = symptom.kind === 'divergence' ? symptom.fields.filter(({ step }) => step === index) : [];
    if (fields.length === 0) return comment([text]);
    const shown = fields.slice(0, 4).flatMap((field) => fieldInWords(field, program.regions));
    return comment([text, '', ...shown]);
  }
}

/** A forked process goes back to the CPU that all but actors are on. */
function inChild(statements: readonly string[], child: ProcessId): string[] {
  return statements.flatMap((line) =>
    line === 'if (pid == 0)'
      ? ['if (pid == 0) {', '\tbe_alone();']
      : line === `\tp${child}();`
        ? [line, '}']
        : [line],
  );
}
