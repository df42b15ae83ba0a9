import { type KernelLine, parseKernelLine } from './kernel-log.ts';
import { looksLikeReport } from './splat-content.ts';
import { SPLAT_FORMS, type SplatForm, type SplatKind } from './splat-kinds.ts';

export type { SplatKind } from './splat-kinds.ts';

/** A report of the kernel about itself: a warning, an oops, a panic and so on. */
export interface Splat {
  kind: SplatKind;
  /** What a developer would put into the subject of a bug report; equal for equal bugs, so no address is in it. */
  title: string;
  /** The report as printed, prefixes included. */
  lines: string[];
  /** Numbers of the first and the last of `lines` on the console, from 1. */
  firstLine: number;
  lastLine: number;
  /** Whether the kernel panicked because of it, or it is a panic. */
  panicked: boolean;
}

export interface ScannerEvents {
  /** The line that tells what it is has come. The title may still become more precise. */
  begin(splat: Splat): void;
  /** No more lines belong to it. */
  end(splat: Splat): void;
}

const CUT_HERE = /^-+\[ cut here \]-+$/;
const RULE = /^={20,}$/;
/** How many lines may stand between "cut here" and the line that tells what it is. */
const OPENER_LINES = 15;
/** A report that never ends is cut off here; a lockdep report of a long chain has about 300 lines. */
const SPLAT_LINES = 1500;
/** So many lines in a row that belong to no report end one; fewer are another processor's chatter. */
const FOREIGN_LINES = 3;

/** Panics that only carry out the policy on what was reported before. */
const CONSEQUENCE =
  /^Kernel panic - not syncing: (?:Fatal exception|Oops\b|.*panic_on_warn set|hung_task: blocked tasks|softlockup: hung tasks|Hard LOCKUP|RCU Stall|Attempted to kill init!|Fatal hardware|.*: Fatal exception|stack overflow|kernel stack overflow)/;
/** How far behind a report such a panic may stand. */
const CONSEQUENCE_LINES = 80;
/** The same fault, reported once more by a later stage of its handling. */
const STAGE =
  /^(?:Oops: |Internal error: |invalid opcode: |general protection fault\b|.{3,60}: [0-9a-f]{4} \[#\d+\]|Unexpected kernel BRK)/;
const STAGED: readonly SplatKind[] = ['oops', 'bug', 'general-protection'];
/** Behind their telling end, a fault may still lead to a panic, and a lockdep report shows its trace. */
const CONTINUED: readonly SplatKind[] = [...STAGED, 'lockdep'];

interface OpenSplat {
  splat: Splat;
  form: SplatForm;
  match: RegExpExecArray;
  texts: string[];
  /** Whether the line that ends this form has come; what follows must look like a report. */
  terminated: boolean;
  /** Lines since the last one that belongs; kept only if one that belongs follows. */
  foreign: string[];
}

interface Opener {
  texts: string[];
  lines: string[];
  firstLine: number;
}

/**
 * Finds the kernel's reports in a console, fed line by line. Reports of several processors may be printed at once:
 * with CONFIG_PRINTK_CALLER they are told apart by their callers, without it by their form.
 *
 * Once one line had a time stamp, lines without one are some program's, and count for nothing.
 */
export class SplatScanner {
  readonly #events: ScannerEvents;
  readonly #open = new Map<string, OpenSplat>();
  readonly #openers = new Map<string, Opener>();
  #stamped = false;
  #last: Splat | undefined;

  constructor(events: ScannerEvents) {
    this.#events = events;
  }

  /** Whether a report is under way, so that `flush` would end it. */
  get pending(): boolean {
    return this.#open.size > 0 || this.#openers.size > 0;
  }

  /** @param number of the line on the console, from 1 */
  push(line: string, number: number): void {
    const parsed = parseKernelLine(line);
    this.#stamped ||= parsed.stamped;
    if (this.#stamped && !parsed.stamped) return;
    const key = parsed.caller ?? '';
    if (this.#joinPanic(parsed, line, number)) return;

    const form = SPLAT_FORMS.find(({ head }) => head.test(parsed.text));
    const current = this.#open.get(key);
    if (form !== undefined && !(current && this.#isStage(current, parsed.text))) {
      if (current) this.#finish(key, current);
      this.#begin(form, parsed.text, key, line, number);
    } else if (CUT_HERE.test(parsed.text)) {
      if (current) this.#finish(key, current);
      this.#openers.set(key, { texts: [parsed.text], lines: [line], firstLine: number });
    } else if (current) {
      this.#extend(key, current, parsed.text, line, number);
    } else if (this.#openers.has(key)) {
      this.#extendOpener(key, parsed.text, line);
    } else if (RULE.test(parsed.text)) {
      // KASAN, lockdep and SLUB draw a line above their headline; but so do others.
      this.#openers.set(key, { texts: [parsed.text], lines: [line], firstLine: number });
    } else if (this.#open.size === 1 && looksLikeReport(parsed.text)) {
      // Another processor adds to the one report that is under way, as with NMI backtraces.
      const [only] = this.#open.values();
      only?.splat.lines.push(line);
      only?.texts.push(parsed.text);
    }
  }

  /** Ends what is under way: the console has ended, or nothing has come for so long that nothing will. */
  flush(): void {
    for (const [key, opener] of this.#openers) this.#settleOpener(key, opener);
    for (const [key, open] of this.#open) this.#finish(key, open);
  }

  #begin(form: SplatForm, text: string, key: string, line: string, number: number): void {
    const opener = this.#openers.get(key);
    this.#openers.delete(key);
    const texts = [...(opener?.texts ?? []), text];
    const match = form.head.exec(text) as RegExpExecArray;
    const splat: Splat = {
      kind: form.kind,
      title: form.title(match, texts),
      lines: [...(opener?.lines ?? []), line],
      firstLine: opener?.firstLine ?? number,
      lastLine: number,
      panicked: form.kind === 'panic',
    };
    this.#open.set(key, { splat, form, match, texts, terminated: form.end === 'content', foreign: [] });
    this.#last = splat;
    this.#events.begin(splat);
  }

  #extend(key: string, open: OpenSplat, text: string, line: string, number: number): void {
    const { splat, form } = open;
    if (open.terminated && !looksLikeReport(text)) {
      open.foreign.push(line);
      if (open.foreign.length >= FOREIGN_LINES) this.#finish(key, open);
      return;
    }
    append(open, text, line, number);
    if (!open.terminated && form.end !== 'content' && form.end.test(text)) {
      open.terminated = true;
      if (!CONTINUED.includes(form.kind)) this.#finish(key, open);
    }
    if (splat.lines.length >= SPLAT_LINES) this.#finish(key, open);
  }

  #finish(key: string, open: OpenSplat): void {
    this.#open.delete(key);
    open.splat.title = open.form.title(open.match, open.texts);
    this.#events.end(open.splat);
  }

  #extendOpener(key: string, text: string, line: string): void {
    const opener = this.#openers.get(key) as Opener;
    opener.texts.push(text);
    opener.lines.push(line);
    if (opener.lines.length > OPENER_LINES) this.#settleOpener(key, opener);
  }

  /** An opener that nothing known followed: a "cut here" is always a report, a drawn line is not. */
  #settleOpener(key: string, opener: Opener): void {
    this.#openers.delete(key);
    if (!CUT_HERE.test(opener.texts[0]!)) return;
    const splat: Splat = {
      kind: 'warning',
      title: `unknown report: ${opener.texts[1] ?? 'cut here'}`,
      lines: opener.lines,
      firstLine: opener.firstLine,
      lastLine: opener.firstLine + opener.lines.length - 1,
      panicked: false,
    };
    this.#last = splat;
    this.#events.begin(splat);
    this.#events.end(splat);
  }

  #isStage(current: OpenSplat, text: string): boolean {
    return STAGED.includes(current.form.kind) && STAGE.test(text);
  }

  /** A panic that follows from a report belongs to it, and is not a second one. */
  #joinPanic(parsed: KernelLine, line: string, number: number): boolean {
    if (!CONSEQUENCE.test(parsed.text)) return false;
    const current = this.#open.get(parsed.caller ?? '') ?? [...this.#open.values()].at(-1);
    const splat = current?.splat ?? this.#last;
    if (splat === undefined || number - splat.lastLine > CONSEQUENCE_LINES) return false;
    splat.panicked = true;
    if (current) append(current, parsed.text, line, number);
    return true;
  }
}

function append(open: OpenSplat, text: string, line: string, number: number): void {
  open.splat.lines.push(...open.foreign, line);
  open.splat.lastLine = number;
  open.foreign = [];
  open.texts.push(text);
}

/** All reports of a console that is there as a whole. */
export function scanConsole(lines: Iterable<string>): Splat[] {
  const splats: Splat[] = [];
  const scanner = new SplatScanner({ begin: (splat) => splats.push(splat), end: () => {} });
  let number = 0;
  for (const line of lines) scanner.push(line, ++number);
  scanner.flush();
  return splats;
}
