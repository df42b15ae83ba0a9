/** The pages of a program step by step for a terminal: at most 100 columns. */
import pc from 'picocolors';
import type { Program } from '../../model/program.ts';
import type { ComparableTranscript } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import type { Colors } from '../report/colors.ts';
import { wrap } from './c-text.ts';
import { type Block, type Cell, type Drawing, drawingOf, type Row } from './drawing.ts';
import { placeInWords } from './words.ts';

const WIDTH = 100;
const LABEL = 12;
/** Rows of more cells than this have one cell for each run of pages that are alike. */
const MOST_CELLS = 24;
/** Fields that differ which are told; all of them are in the finding. */
const MOST_FIELDS = 12;

export interface DrawOptions {
  /** What it was seen on, in a line. @default kernel, design and architecture of the profile */
  environmentLine?: string;
  /** @default none: differing cells have a `^` below them */
  paint?: Colors;
}

/**
 * One block per step up to the first that differs: the step, its result, and a line of cells for each region of each
 * process; the model's above the kernel's where they differ. Then the fields that differ.
 *
 * @throws HazardError for a program that is not safe to run (model/safe.ts)
 */
export function draw(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
  options: DrawOptions = {},
): string {
  const { paint = pc.createColors(false) } = options;
  const drawing = drawingOf(program, transcript, environment);
  const lines = [
    ...wrap(`${program.name}, ${options.environmentLine ?? environmentLine(environment)}`, WIDTH),
    ...drawing.legend.map(([symbol, meaning]) => `  ${symbol.padEnd(3)}${meaning}`),
  ];
  for (const block of drawing.blocks) lines.push('', ...drawBlock(block, paint));
  lines.push(...drawFields(drawing, paint));
  return `${lines.join('\n')}\n`;
}

export function environmentLine({ profile }: Environment): string {
  return `rules of Linux ${profile.kernel}, design ${profile.design}, ${profile.arch}`;
}

function drawBlock({ step, text, result, rows, differs }: Block, paint: Colors): string[] {
  const title = `step ${step}  ${text}`;
  const same = result.model === result.kernel;
  const lines = same
    ? [`${differs ? paint.bold(title) : title}  ${result.kernel}`]
    : [
        paint.bold(title),
        `${'model'.padStart(LABEL - 1)} ${paint.green(result.model)}`,
        `${'kernel'.padStart(LABEL - 1)} ${paint.red(result.kernel)}`,
      ];
  return [...lines, ...rows.flatMap((row) => drawRow(row, paint))];
}

/** A cell as it is drawn. */
interface Box {
  model: string;
  kernel: string;
  width: number;
  differs: boolean;
  /** Page of the region. */
  first: number;
}

function drawRow({ process, region, cells }: Row, paint: Colors): string[] {
  const label = `  ${process} ${region}`.padEnd(LABEL);
  const differs = cells.some(isDifferent);
  const lines: string[] = [];
  for (const boxes of inLines(boxesOf(cells))) {
    const draw = (text: (box: Box) => string, color: (text: string) => string) =>
      boxes
        .map((box) => {
          const padded = text(box).padEnd(box.width);
          return box.differs ? color(padded) : padded;
        })
        .join(' ')
        .trimEnd();
    const model = draw((box) => box.model, paint.green);
    const first = lines.length === 0 ? label : `    from ${boxes[0]!.first}`.padEnd(LABEL);
    if (!differs) {
      lines.push(`${first}${model}`);
      continue;
    }
    lines.push(
      `${first}model  ${model}`,
      `${''.padEnd(LABEL)}kernel ${draw((box) => box.kernel, paint.red)}`,
    );
    const marks = draw((box) => (box.differs ? '^' : ''), paint.red);
    if (!paint.isColorSupported && marks !== '') lines.push(`${''.padEnd(LABEL + 'kernel '.length)}${marks}`);
  }
  return lines;
}

export function isDifferent({ model, kernel, fields }: Cell): boolean {
  return model !== kernel || fields.length > 0;
}

function boxesOf(cells: readonly Cell[]): Box[] {
  const pages = cells.reduce((sum, { count }) => sum + count, 0);
  const box = (cell: Cell, count: string, first = cell.first): Box => {
    const [model, kernel] = [`${cell.model}${count}`, `${cell.kernel}${count}`];
    return {
      model,
      kernel,
      width: Math.max(2, model.length, kernel.length),
      differs: isDifferent(cell),
      first,
    };
  };
  if (pages > MOST_CELLS) return cells.map((cell) => box(cell, cell.count > 1 ? `*${cell.count}` : ''));
  return cells.flatMap((cell) =>
    Array.from({ length: cell.count }, (_, index) => box(cell, '', cell.first + index)),
  );
}

/** As many boxes a line as fit, with room for the words "model" and "kernel". */
function inLines(boxes: readonly Box[]): Box[][] {
  const lines: Box[][] = [[]];
  let used = LABEL + 'kernel '.length;
  for (const box of boxes) {
    if (used + box.width > WIDTH) {
      lines.push([]);
      used = LABEL + 'kernel '.length;
    }
    lines.at(-1)!.push(box);
    used += box.width + 1;
  }
  return lines;
}

function drawFields({ program, divergences }: Drawing, paint: Colors): string[] {
  const lines: string[] = [];
  for (const divergence of divergences.slice(0, MOST_FIELDS)) {
    const { step, field, expected, seen, rule } = divergence;
    const at = step < program.steps.length ? `step ${step}` : 'the end';
    const place = placeInWords(divergence, program.regions);
    lines.push(
      '',
      paint.bold([at, place, field].filter((part) => part !== '').join(', ')),
      ...part('expected', expected, paint.green),
      ...part('seen', seen, paint.red),
      ...part('rule', rule, paint.cyan),
    );
  }
  const more = divergences.length - MOST_FIELDS;
  return more > 0 ? [...lines, '', `and ${more} more fields`] : lines;
}

function part(name: string, text: string, color: (text: string) => string): string[] {
  const lines = wrap(text, WIDTH - LABEL);
  return lines.map((line, index) => `  ${(index === 0 ? name : '').padEnd(LABEL - 2)}${color(line)}`);
}
