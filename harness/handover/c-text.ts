/** How things are written in C: names, addresses, constants, comments. Indented with tabs, as the kernel has it. */
import type { Gauge } from '../../model/meminfo.ts';
import type { Outcome } from '../../model/observation.ts';
import type { PageRange, Program, RegionId } from '../../model/program.ts';
import type { VmEvent } from '../../model/vm-events.ts';

/** Columns that comments keep to, a tab counted as 8. */
const COMMENT_WIDTH = 88;

/** REGION_A for region "a"; names that C cannot tell apart get their number. */
export function regionMacro(program: Program, region: RegionId): string {
  const macro = (name: string) => `REGION_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
  const own = macro(program.regions[region]!.name);
  const twice = program.regions.some(({ name }, other) => other !== region && macro(name) === own);
  return twice ? `${own}_${region}` : own;
}

/** What main() notes a line of /proc/vmstat or /proc/meminfo in, before the first process. */
export function beforeVariable(name: VmEvent | Gauge): string {
  return `${name}_before`;
}

/** The address of a page: "REGION_A + 2 * PAGE". */
export function addressOf(program: Program, region: RegionId, page: number): string {
  const start = regionMacro(program, region);
  return page === 0 ? start : `${start} + ${page} * PAGE`;
}

/** The number of pages of a range, by name where it is the whole region. */
export function pagesOf(program: Program, { region, count }: PageRange): string {
  return count === program.regions[region]!.pages ? `${regionMacro(program, region)}_PAGES` : String(count);
}

/** A word that fills a page: what a step wrote, or zero. */
export function wordCode(word: number): string {
  if (word === 0) return '0';
  const token = BigInt(word);
  return `TOKEN(${(token >> 32n) - 1n}, ${((token >> 16n) & 0xffffn) - 1n}, ${(token & 0xffffn) - 1n})`;
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}ull`;
}

/** A string literal. */
export function quote(text: string): string {
  const escaped = text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
  return `"${escaped.replace(/[^ -~]/g, '?')}"`;
}

/** An outcome as the functions of the program return it. A page is counted from the start of the range. */
export function outcomeCode(outcome: Outcome, first: number): string {
  if (outcome.kind === 'ok') return '0';
  return outcome.kind === 'errno' ? outcome.errno : `FAULT(${outcome.signal}, ${outcome.page - first})`;
}

/** A comment of one paragraph per text, each broken into lines; texts that begin with a tab keep their indentation. */
export function comment(paragraphs: readonly string[], margin = ''): string[] {
  const width = COMMENT_WIDTH - margin.length * 8 - 3;
  const lines = paragraphs.flatMap((text) => wrap(text.replaceAll('*/', '* /'), width));
  if (lines.length === 1 && lines[0]!.length + 3 <= width) return [`${margin}/* ${lines[0]} */`];
  return [
    `${margin}/*`,
    ...lines.map((line) => `${margin} *${line.startsWith('\t') ? '' : ' '}${line}`.trimEnd()),
    `${margin} */`,
  ];
}

/** Breaks a text at spaces; further lines are indented like the first. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const tabs = /^\t*/.exec(paragraph)![0];
    const room = Math.max(20, width - tabs.length * 8);
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.trim().split(/ +/)) {
      if (line !== '' && line.length + 1 + word.length > room) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line].map((part) => `${tabs}${part}`);
  });
}

/** A call whose arguments go to further lines where one is too long. */
export function call(name: string, args: readonly string[]): string[] {
  const pieces = args.flatMap((arg, index) => {
    const parts = arg.length > LONG_ARGUMENT ? arg.split(/(?<=\|) /) : [arg];
    parts[parts.length - 1] += index === args.length - 1 ? ');' : ',';
    return parts;
  });
  const lines: string[] = [];
  let line = `${name}(${pieces[0]}`;
  for (const piece of pieces.slice(1)) {
    if (line.length + piece.length < CALL_WIDTH) {
      line += ` ${piece}`;
    } else {
      lines.push(line);
      line = `\t${piece}`;
    }
  }
  return [...lines, line];
}

const CALL_WIDTH = 84;
/** An argument of more columns may be broken at its `|`. */
const LONG_ARGUMENT = 40;

/** One level deeper; what the preprocessor reads stays at the left. */
export function indent(line: string): string {
  return line === '' || line.startsWith('#') ? line : `\t${line}`;
}
