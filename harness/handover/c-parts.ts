/**
 * Functions of a stand-alone program: C as it is written out, in parts/*.c, where a line `//---` begins each part. A
 * program gets the parts that it uses, in the order of the files.
 */
import { readFileSync } from 'node:fs';
import { ARCHITECTURES, type Arch } from '../../qemu/machine.ts';
import { only, textOn } from './c-arch.ts';

const FILES = [
  'report',
  'access',
  'files',
  'module',
  'userfault',
  'ksm',
  'observation',
  'process',
  'observe',
  'trace',
  'processes',
  'columns',
  'rounds',
  'together',
  'log',
];
const SEPARATOR = /^\/\/---\n/m;
/** What a part defines: macros, structs, variables and functions. */
const DEFINITIONS = [
  /^#define (\w+)/gm,
  /^struct (\w+) \{/gm,
  /^static [^;=({]*?(\w+)(?:\[[^;(]*\])?(?: = .*)?;/gm,
  /^static .*?(\w+)\(/gm,
];

interface Part {
  names: readonly string[];
  text: string;
}

const PARTS: readonly Part[] = FILES.flatMap((name) => {
  const text = readFileSync(new URL(`parts/${name}.c`, import.meta.url), 'utf8');
  return text.split(SEPARATOR).slice(1).map(partOf);
});

function partOf(text: string): Part {
  // __attribute__((...)) would pass for the name of a function.
  const plain = text.replace(/__attribute__\(\((?:[^()]|\([^()]*\))*\)\) ?/g, '');
  const names = DEFINITIONS.flatMap((pattern) => [...plain.matchAll(pattern)].map((match) => match[1]!));
  return { names, text: text.trim() };
}

/** C without its comments and strings, which may mention anything. */
export function codeOnly(text: string): string {
  return text.replace(/\/\*.*?\*\/|"(?:[^"\\]|\\.)*"/gs, (match) => (match.startsWith('"') ? '""' : ''));
}

/** Whether `text` mentions the name. */
export function mentions(text: string, name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(text);
}

/** The parts that a text uses, with those that they use themselves: the compiler warns of a function that is not used. */
export function partsFor(text: string): string[] {
  const [first, second] = ARCHITECTURES.map((arch) => usedOn(arch, text)) as [Set<Part>, Set<Part>];
  return PARTS.filter((part) => first.has(part) || second.has(part)).map((part) => {
    if (first.has(part) && second.has(part)) return part.text;
    return only(ARCHITECTURES[first.has(part) ? 0 : 1], [part.text]).join('\n');
  });
}

function usedOn(arch: Arch, text: string): Set<Part> {
  const used = new Set<Part>();
  const take = (body: string) => {
    for (const part of PARTS) {
      if (used.has(part) || !part.names.some((name) => mentions(body, name))) continue;
      used.add(part);
      take(textOn(arch, codeOnly(part.text)));
    }
  };
  take(textOn(arch, codeOnly(text)));
  return used;
}
