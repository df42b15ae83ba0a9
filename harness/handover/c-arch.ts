/** What a stand-alone program has for one architecture alone, between `#if` and `#endif`. */
import { ARCHITECTURES, type Arch } from '../../qemu/machine.ts';

const [FIRST, SECOND] = ARCHITECTURES;
const IS_FIRST = `defined(__${FIRST}__)`;

/** One text for both architectures where they are equal, else one for each, in the order of ARCHITECTURES. */
export function perArch([first = [], second = []]: readonly string[][]): string[] {
  if (first.join('\n') === second.join('\n')) return first;
  if (first.length === 0) return only(SECOND, second);
  if (second.length === 0) return only(FIRST, first);
  return [`#if ${IS_FIRST}`, ...first, '#else', ...second, '#endif'];
}

/** Lines for one architecture. */
export function only(arch: Arch, lines: readonly string[]): string[] {
  return [`#if ${arch === FIRST ? '' : '!'}${IS_FIRST}`, ...lines, '#endif'];
}

/** What the compiler for an architecture sees of a text whose conditions are those of this file. */
export function textOn(arch: Arch, text: string): string {
  // Of each condition that is open: whether its lines are seen.
  const open: boolean[] = [];
  return text
    .split('\n')
    .filter((line) => {
      const [, directive, condition] = /^\s*#(if|elif|else|endif)\b\s*(.*)$/.exec(line) ?? [];
      if (directive === 'if') open.push((condition === IS_FIRST) === (arch === FIRST));
      else if (directive === 'endif') open.pop();
      else if (directive) open.push(!open.pop());
      else return !open.includes(false);
      return false;
    })
    .join('\n');
}
