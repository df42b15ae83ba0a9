import { stringify } from 'yaml';
import {
  isHugeRegion,
  type OrdinaryStep,
  type PageRange,
  PMD_PAGES,
  type Program,
  type Region,
  type Step,
  type Together,
} from '../../model/program.ts';
import { printProcess, printRange } from './range.ts';

/** A program as the text of a program file; {@link parseProgram} reads it back. */
export function printProgram(program: Program): string {
  const regions = program.regions.map((region) => `${region.name}: ${printShape(region)}`).join(', ');
  const head = stringify(
    { name: program.name, ...(program.about === undefined ? {} : { about: program.about }) },
    { lineWidth: 110 },
  );
  const steps = program.steps.map((step) => `  - ${printStep(step, program.regions)}\n`).join('');
  return `${head}regions: {${regions}}\nsteps:\n${steps}`;
}

function printShape({ pages, backing = 'anonymous' }: Region): string {
  const size = isHugeRegion(pages) ? `pmds: ${pages / PMD_PAGES}` : `pages: ${pages}`;
  if (backing !== 'anonymous') return `{${size}, backing: ${backing}}`;
  return isHugeRegion(pages) ? `{${size}}` : String(pages);
}

/** One step as it stands in a program file. */
export function printStep(step: Step, regions: readonly Region[]): string {
  if (step.op === 'together') return printTogether(step, regions);
  const fields = [`${step.op}: ${operand(step, regions)}`];
  if ((step.op === 'mmap' || step.op === 'mprotect') && step.protection !== 'read-write')
    fields.push(`protection: ${step.protection}`);
  if (step.op === 'mremap') {
    fields.push(step.how === 'resize' ? `pages: ${step.to.count}` : `to: ${quoted(step.to, regions)}`);
    if (step.how === 'keep') fields.push('keep: true');
  }
  if (step.op === 'uffd-open' && step.mode === 'handler') fields.push('handler: true');
  if (step.op === 'uffd-open' && step.unpopulated) fields.push('unpopulated: true');
  if (step.op === 'uffd-register') fields.push(`for: ${step.kind}`);
  if (step.op === 'uffd-move') {
    fields.push(`to: ${quoted(step.to, regions)}`);
    if (step.holes) fields.push('holes: true');
  }
  if (step.op === 'uffd-copy' && step.protect) fields.push('protect: true');
  if (step.op === 'madvise') fields.push(`advice: ${step.advice}`);
  if ('device' in step && step.op !== 'open' && step.op !== 'close') fields.push(`device: ${step.device}`);
  if ('flaw' in step && step.flaw) fields.push(`flaw: ${step.flaw}`);
  if (step.by !== 0 && !isByItself(step)) fields.push(`by: ${printProcess(step.by)}`);
  return `{${fields.join(', ')}}`;
}

/** The operand of the step is the process that acts. */
function isByItself({ op }: Step): boolean {
  return ['exit', 'clear-refs', 'unpin', 'uffd-open', 'ksmd', 'reload', 'swapon', 'swapoff'].includes(op);
}

function printTogether({ actors, rounds, apart }: Together, regions: readonly Region[]): string {
  const lists = actors.map((parts) => `[${parts.map((part) => printStep(part, regions)).join(', ')}]`);
  const more = `${rounds > 1 ? `, rounds: ${rounds}` : ''}${apart > 0 ? `, apart: ${apart}` : ''}`;
  return `{together: [${lists.join(', ')}]${more}}`;
}

function operand(step: OrdinaryStep, regions: readonly Region[]): string {
  switch (step.op) {
    case 'mmap':
      return regions[step.region]!.name;
    case 'fork':
      return printProcess(step.child);
    case 'exit':
    case 'clear-refs':
    case 'unpin':
    case 'uffd-open':
    case 'ksmd':
    case 'reload':
    case 'swapon':
    case 'swapoff':
      return printProcess(step.by);
    case 'open':
    case 'close':
      return String(step.device);
    case 'flags':
      return step.flags;
    default:
      return quoted(step.at, regions);
  }
}

/** Brackets would begin a list. */
function quoted(at: PageRange, regions: readonly Region[]): string {
  const range = printRange(at, regions);
  return range.includes('[') ? `"${range}"` : range;
}
