/** A finding as one HTML page that stands alone: no script, an inline style, light and dark. */
import type { Program } from '../../model/program.ts';
import type { ComparableTranscript } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import type { Divergence } from '../compare/tally.ts';
import { printProgram } from '../programs/print.ts';
import { environmentLine, isDifferent } from './draw.ts';
import { type Block, type Cell, type Drawing, drawingOf, type Row } from './drawing.ts';
import { STYLE } from './html-style.ts';
import { placeInWords } from './words.ts';

export interface HtmlOptions {
  /** What it was seen on, in a line. @default kernel, design and architecture of the profile */
  environmentLine?: string;
}

/** Regions of more pages than this have one cell for each run of pages that are alike. */
const MOST_CELLS = 64;

/**
 * The page: what differs and which kernel functions decide it, the pages step by step, and the program.
 *
 * @throws HazardError for a program that is not safe to run (model/safe.ts)
 */
export function html(
  program: Program,
  transcript: ComparableTranscript,
  environment: Environment,
  options: HtmlOptions = {},
): string {
  const drawing = drawingOf(program, transcript, environment);
  const line = options.environmentLine ?? environmentLine(environment);
  const [first] = drawing.divergences;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(program.name)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(program.name)}</h1>
<p class="environment">${escaped(line)}</p>
${program.about === undefined ? '' : `<p>${escaped(program.about)}</p>\n`}${divergenceSection(drawing)}
<h2>The pages, step by step</h2>
${legend(drawing)}
${drawing.blocks.map(blockHtml).join('\n')}
${first && first.step >= drawing.blocks.length ? `<p class="differs">Then: ${escaped(first.seen)}</p>\n` : ''}<h2>The program</h2>
<pre>${escaped(printProgram(program))}</pre>
</body>
</html>
`;
}

function divergenceSection({ program, divergences }: Drawing): string {
  if (divergences.length === 0) return '<p>All is as the model expects.</p>';
  return `<h2>What differs</h2>
<table class="fields">
<tr><th>where</th><th>field</th><th>expected</th><th>seen</th><th>decided by</th></tr>
${divergences.map((divergence) => fieldRow(program, divergence)).join('\n')}
</table>`;
}

function fieldRow(program: Program, divergence: Divergence): string {
  const { step, field, expected, seen, rule } = divergence;
  const where = [
    step < program.steps.length ? `step ${step}` : 'the end',
    placeInWords(divergence, program.regions),
  ];
  const texts = [where.filter((part) => part !== '').join(', '), field, expected, seen];
  const cells = texts.map((text) => `<td>${escaped(text)}</td>`);
  return `<tr>${cells.join('')}<td><code>${escaped(rule)}</code></td></tr>`;
}

function legend({ legend }: Drawing): string {
  const items = legend.map(
    ([symbol, meaning]) => `<span class="${classOf(symbol)}">${escaped(symbol)}</span> ${escaped(meaning)}`,
  );
  return `<p class="legend">${items.join(' · ')}</p>`;
}

function blockHtml({ step, text, result, rows, differs }: Block): string {
  const same = result.model === result.kernel;
  const outcome = same
    ? escaped(result.kernel)
    : `<span class="model">model: ${escaped(result.model)}</span> <span class="kernel">kernel: ${escaped(result.kernel)}</span>`;
  return `<section${differs ? ' class="differs"' : ''}>
<h3>step ${step} <code>${escaped(text)}</code> <span class="result">${outcome}</span></h3>
<table class="pages">
${rows.map(rowHtml).join('\n')}
</table>
</section>`;
}

function rowHtml({ process, region, cells }: Row): string {
  const pages = cells.reduce((sum, { count }) => sum + count, 0);
  const shown = pages > MOST_CELLS ? cells : cells.flatMap(separate);
  const line = (label: string, symbol: (cell: Cell) => string) =>
    `<tr><th>${label}</th>${shown.map((cell) => cellHtml(cell, symbol(cell), region)).join('')}</tr>`;
  const name = escaped(`${process} ${region}`);
  if (!cells.some(isDifferent)) return line(name, (cell) => cell.kernel);
  return [line(`${name} model`, (cell) => cell.model), line('kernel', (cell) => cell.kernel)].join('\n');
}

function separate(cell: Cell): Cell[] {
  return Array.from({ length: cell.count }, (_, index) => ({ ...cell, first: cell.first + index, count: 1 }));
}

function cellHtml(cell: Cell, symbol: string, region: string): string {
  const { first, count, fields } = cell;
  const last = first + count - 1;
  const place = count > 1 ? `${region}[${first}..${last}]` : `${region}[${first}]`;
  const title = [place, ...fields].join(', ');
  const classes = [classOf(symbol), ...(isDifferent(cell) ? ['differs'] : [])].join(' ');
  const text = count > 1 ? `${symbol} × ${count}` : symbol;
  return `<td class="${classes}" title="${escaped(title)}">${escaped(text)}</td>`;
}

/** Classes of the style, by the first letter of a symbol. */
const CLASSES: Readonly<Record<string, string>> = {
  '-': 'unmapped',
  '.': 'none',
  z: 'zero',
  S: 'ram writable',
  s: 'ram',
  P: 'ram',
  D: 'device writable',
  d: 'device',
  C: 'device writable',
  c: 'device',
  X: 'exclusive',
};

function classOf(symbol: string): string {
  return CLASSES[symbol[0]!] ?? 'other';
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
