/**
 * Steps together of several rounds in C: the model does not follow them, so what is checked is what holds in any order, as
 * harness/compare/rounds.ts has it.
 */
import {
  type OrdinaryStep,
  type PageRange,
  type Part,
  type ProcessId,
  type Program,
  partTokenStep,
  type Together,
} from '../../model/program.ts';
import { ERRORS } from '../compare/rounds.ts';
import { isAlone } from '../programs/encode.ts';
import { addressOf, call, indent, pagesOf, quote } from './c-text.ts';
import { stepInWords } from './words.ts';

/** A part of some step of several rounds that alone writes to its pages. */
interface Writer {
  step: number;
  part: Part & { at: PageRange };
  token: number;
  number: number;
}

export class Rounds {
  /** Elements of shared->rounds[] and shared->result[]. */
  readonly parts: number;
  /** Rows of the table of words that are written: address and token. */
  readonly written: readonly string[];
  readonly #writers: Writer[] = [];
  readonly #numbers = new Map<Part, number>();
  /** Pages that several write to at the same time. */
  readonly #mixed = new Set<string>();
  /** Pages of a process that somebody may have been writing to when it was forked. */
  readonly #torn = new Set<string>();

  constructor(
    readonly program: Program,
    last: number,
  ) {
    const written: string[] = [];
    const note = (step: OrdinaryStep, token: number) => {
      if (step.op !== 'cpu-write' && step.op !== 'write') return;
      const { region, first, count } = step.at;
      for (let page = first; page < first + count; page++)
        written.push(`{ ${addressOf(program, region, page)}, TOKEN(${token}, ${region}, ${page}) }`);
    };
    for (const [index, step] of program.steps.entries()) {
      if (index > last) break;
      if (step.op !== 'together') {
        note(step, index);
        continue;
      }
      for (const [actor, parts] of step.actors.entries()) {
        for (const [place, part] of parts.entries()) {
          const token = partTokenStep(index, actor, place);
          note(part, token);
          if (step.rounds > 1) this.#notePart(step, index, part, token);
        }
      }
    }
    this.written = written;
    this.parts = this.#numbers.size;
  }

  #notePart(step: Together, index: number, part: Part, token: number): void {
    const number = this.#numbers.size;
    this.#numbers.set(part, number);
    if (part.op !== 'cpu-write') return;
    for (const other of step.actors.flat()) {
      if (other.op !== 'fork') continue;
      for (let offset = 0; offset < part.at.count; offset++)
        this.#torn.add(`${other.child} ${part.at.region} ${part.at.first + offset}`);
    }
    if (isAlone(step, part)) {
      this.#writers.push({ step: index, part, token, number });
      return;
    }
    const { region, first, count } = part.at;
    for (let page = first; page < first + count; page++) this.#mixed.add(`${region} ${page}`);
  }

  /** Elements of shared->kept[]: pages of all processes. */
  get kept(): number {
    const { steps } = this.program;
    const parts = steps.flatMap((step) => (step.op === 'together' ? step.actors.flat() : [step]));
    return (1 + parts.filter(({ op }) => op === 'fork').length) * this.#pages;
  }

  get #pages(): number {
    return this.program.regions.reduce((sum, { pages }) => sum + pages, 0);
  }

  #placeOf(process: ProcessId, region: number, page: number): number {
    const before = this.program.regions.slice(0, region).reduce((sum, { pages }) => sum + pages, 0);
    return process * this.#pages + before + page;
  }

  /** What an actor needs before each round but the first. */
  before(parts: readonly Part[]): string[] {
    const lines = parts.flatMap((part) =>
      part.op === 'close'
        ? [`device[${part.device}] = open("/dev/hmm_dmirror${part.device}", O_RDWR | O_CLOEXEC);`]
        : part.op === 'fork'
          ? [`end_child(${part.child});`]
          : [],
    );
    if (lines.length === 0) return [];
    return ['if (round) {', ...lines.map(indent), '}', ''];
  }

  /** What a part does in a round, and how it may end. */
  part(step: Together, index: number, actor: number, place: number, statements: readonly string[]): string[] {
    const { program } = this;
    const part = step.actors[actor]![place]!;
    const number = this.#numbers.get(part)!;
    const token = partTokenStep(index, actor, place);
    const what = quote(`step ${index}, ${stepInWords(part, program.regions)}`);
    const lines: string[] = [];
    if (part.op === 'cpu-write') {
      const { region, first } = part.at;
      const range = `${addressOf(program, region, first)}, ${pagesOf(program, part.at)}`;
      const word = `TOKEN(${token}, ${region}, ${first})`;
      lines.push(
        isAlone(step, part)
          ? `err = cpu_write_again(${range}, ${word}, round);`
          : `err = cpu_write(${range}, ${word} ^ ROUND(round));`,
      );
    } else {
      // The words that it writes differ from round to round.
      lines.push(
        ...statements.map((line) => line.replace(/^(fill\(.*TOKEN\([^)]*\))\);$/, '$1 ^ ROUND(round));')),
      );
    }
    const allowed = [...(ERRORS[part.op] ?? [])].map((name) =>
      name.startsWith('SIG') ? `FAULT(${name}, 0)` : name,
    );
    lines.push(
      allowed.length > 0
        ? `check_part(${what}, err, (const int[]){ ${allowed.join(', ')} }, ${allowed.length});`
        : `check_part(${what}, err, NULL, 0);`,
      `shared->rounds[${number}] = round + 1;`,
      `shared->result[${number}] = err;`,
    );
    lines.push(...this.#readData(part, what));
    return lines;
  }

  /** Behind a step of several rounds: an access of the CPU shows what somebody wrote. */
  afterStep(index: number): string[] {
    const step = this.program.steps[index]! as OrdinaryStep;
    const known = step.op === 'cpu-write' || step.op === 'munmap' ? this.#known(step, index) : [];
    return [...this.#readData(step, quote(`step ${index}`)), ...known, '(void)err;'];
  }

  /** What a process has in its pages after a step of its own. */
  #known({ op, by, at }: Extract<OrdinaryStep, { op: 'cpu-write' | 'munmap' }>, index: number): string[] {
    const lines = Array.from({ length: at.count }, (_, offset) => {
      const page = at.first + offset;
      const word = op === 'cpu-write' ? `TOKEN(${index}, ${at.region}, ${page})` : 'NOTHING';
      return `shared->kept[${this.#placeOf(by, at.region, page)}] = err ? NOTHING : ${word};`;
    });
    return lines;
  }

  #readData(step: OrdinaryStep, what: string): string[] {
    if (!('at' in step) || !['cpu-read', 'read', 'migrate-to-dev'].includes(step.op)) return [];
    const at = addressOf(this.program, step.at.region, step.at.first);
    return ['if (!err)', indent(`check_read(${what}, ${at}, ${pagesOf(this.program, step.at)});`)];
  }

  #isMixed(process: ProcessId, region: number, page: number): boolean {
    return this.#mixed.has(`${region} ${page}`) || this.#torn.has(`${process} ${region} ${page}`);
  }

  /** What a process finds in its pages after a step. */
  pages(index: number, by: ProcessId, isHome: boolean): string[] {
    const { program } = this;
    const lines: string[] = [];
    const places: string[] = [];
    for (const [region, { pages }] of program.regions.entries()) {
      for (let page = 0; page < pages; page++) {
        const at = addressOf(program, region, page);
        const what = quote(`step ${index}, p${by} ${program.regions[region]!.name}[${page}]`);
        places.push(`is_anonymous(${at})`);
        lines.push(`check_content(${what}, ${at}, ${this.#isMixed(by, region, page)});`);
        lines.push(`check_kept(${what}, ${at}, ${this.#placeOf(by, region, page)});`);
        if (isHome) lines.push(`check_home(${what}, ${at});`);
        for (const { step, part, token, number } of this.#writers) {
          const { first, count } = part.at;
          if (step !== index || part.by !== by || part.at.region !== region) continue;
          if (page < first || page >= first + count) continue;
          lines.push(`check_last(${what}, ${at}, TOKEN(${token}, ${region}, ${page}), ${number});`);
        }
      }
    }
    const rss = quote(`step ${index}, p${by}`);
    return [...lines, ...call('check_rss', [rss, places.join(' + ')])];
  }
}
