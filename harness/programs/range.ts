/** How programs write ranges and processes down: `a`, `a[2]`, `a[0..3]`, `p1`. */
import type { PageRange, ProcessId, Region } from '../../model/program.ts';

const RANGE = /^([a-z][a-z0-9_-]*)(?:\[(\d+)(?:\.\.(\d+))?\])?$/;
const PROCESS = /^p(\d+)$/;

/** @returns a message that says what is wrong with `text`, or the range */
export function parseRange(text: string, regions: readonly Region[]): PageRange | string {
  const match = RANGE.exec(text);
  if (!match)
    return `"${text}" is no range: expected a region such as a, a page such as a[2], or pages such as a[0..3]`;
  const [, name, from, to] = match;
  const region = regions.findIndex((candidate) => candidate.name === name);
  if (region < 0) return `there is no region "${name}"; regions are ${regions.map((r) => r.name).join(', ')}`;
  const { pages } = regions[region]!;
  const first = from === undefined ? 0 : Number(from);
  const last = from === undefined ? pages - 1 : Number(to ?? from);
  if (last < first) return `"${text}" is empty: ${last} is before ${first}`;
  if (last >= pages) return `page ${last} is beyond region "${name}", which has pages 0..${pages - 1}`;
  return { region, first, count: last - first + 1 };
}

/** The shortest text that {@link parseRange} reads as `range`. */
export function printRange({ region, first, count }: PageRange, regions: readonly Region[]): string {
  const { name, pages } = regions[region]!;
  if (count === pages) return name;
  return count === 1 ? `${name}[${first}]` : `${name}[${first}..${first + count - 1}]`;
}

/** Undefined when `text` names no process. */
export function parseProcess(text: string): ProcessId | undefined {
  const match = PROCESS.exec(text);
  return match ? Number(match[1]) : undefined;
}

export function printProcess(id: ProcessId): string {
  return `p${id}`;
}
