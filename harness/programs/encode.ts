import {
  type Backing,
  canBeBackedBy,
  isHugeRegion,
  MAX_ACTOR_PARTS,
  MAX_ACTORS,
  MAX_APART_MS,
  MAX_PROCESSES,
  MAX_REGION_PAGES,
  MAX_REGION_PMDS,
  MAX_REGIONS,
  MAX_STEPS,
  type PageRange,
  type Part,
  PMD_PAGES,
  type Program,
  type Region,
  type Step,
  type Together,
} from '../../model/program.ts';
import { type HmmdiffError, inputError } from '../errors.ts';
import { Lives } from './lives.ts';
import {
  ADVICE,
  BACKINGS,
  FLAGS_NUMBERS,
  FLAW_NUMBERS,
  FRAME_MAGIC,
  FrameType,
  MAX_DEVICES,
  OBSERVATIONS,
  type ObservationKind,
  OPERATIONS,
  PART_ALONE,
  PROTECTIONS,
  ProgramFlag,
  REMAP_FLAWS,
  REMAP_KINDS,
  StructSize,
  togetherOption,
  USERFAULT_KINDS,
} from './protocol.ts';

export const ALL_OBSERVATIONS = Object.keys(OBSERVATIONS) as ObservationKind[];

const NEED_PAGEMAP: readonly ObservationKind[] = ['kpage', 'words', 'mincore'];

/** Steps from one smaps to the next: they cost as much as all other observations of a step together. */
export const SMAPS_EVERY = 32;

export interface EncodeOptions {
  /** Comes back with the answer; 1..2^32-1. */
  sequence: number;
  /** Milliseconds without progress after which the agent calls the program hung. */
  limitMs: number;
  /** @default all */
  observe?: readonly ObservationKind[];
  /** After every so many steps smaps are taken, and after the last. @default {@link SMAPS_EVERY} */
  smapsEvery?: number;
  /**
   * Has each step written to the guest's console before it is run, so that the console names the step that panics.
   * Slow.
   * @default false
   */
  announce?: boolean;
}

/**
 * The frame that has the agent run `program`.
 *
 * @throws HmmdiffError `program-invalid` for a program that the agent would refuse: beyond its limits, or with a step
 *   by a process that does not live or through a device that it has not open
 */
export function encodeProgram(program: Program, options: EncodeOptions): Buffer {
  const observe = observationBits(program, options.observe ?? ALL_OBSERVATIONS);
  checkNumber(program, 'the sequence number', options.sequence, 1, 0xffffffff);
  checkNumber(program, 'the time limit in ms', options.limitMs, 1, 0xffffffff);
  checkNumber(program, 'the number of regions', program.regions.length, 1, MAX_REGIONS);
  checkNumber(program, 'the number of steps', program.steps.length, 1, MAX_STEPS);

  const records = program.steps.flatMap((step, index) => recordsOf(program, step, index));
  checkNumber(program, 'the number of steps and parts', records.length, 1, MAX_STEPS);
  const length = StructSize.program_header + records.length * StructSize.program_step;
  const frame = Buffer.alloc(StructSize.frame_header + length);
  frame.writeUInt32LE(FRAME_MAGIC, 0);
  frame.writeUInt16LE(FrameType.program, 4);
  frame.writeUInt32LE(options.sequence, 8);
  frame.writeUInt32LE(length, 12);

  const header = frame.subarray(StructSize.frame_header);
  header.writeUInt32LE(observe, 0);
  header.writeUInt32LE(options.announce ? ProgramFlag.announce : 0, 4);
  header.writeUInt32LE(options.limitMs, 8);
  header.writeUInt16LE(program.regions.length, 12);
  header.writeUInt16LE(records.length, 14);
  for (const [index, region] of program.regions.entries()) {
    const most = isHugeRegion(region.pages) ? MAX_REGION_PMDS * PMD_PAGES : MAX_REGION_PAGES;
    checkNumber(program, `the number of pages of region ${index}`, region.pages, 1, most);
    header.writeUInt16LE(region.pages, 16 + 2 * index);
    header.writeUInt8(BACKINGS[backingOf(program, region, index)], 28 + index);
  }

  const lives = new Lives();
  const { smapsEvery = SMAPS_EVERY } = options;
  checkNumber(program, 'the number of steps between smaps', smapsEvery, 1, 0xffffffff);
  header.writeUInt32LE(smapsEvery, 24);

  let offset = StructSize.program_header;
  for (const { step, where, actor, option } of records) {
    checkNumber(program, `${where}: process`, step.by, 0, MAX_PROCESSES - 1);
    const impossible = lives.take(step);
    if (impossible !== undefined) throw invalid(program, `${where}: ${impossible}`);
    const range = rangeOf(program, where, step);
    header.writeUInt8(OPERATIONS[step.op], offset);
    header.writeUInt8(step.by, offset + 1);
    header.writeUInt8(argumentOf(program, where, step), offset + 2);
    header.writeUInt8(range.region, offset + 3);
    header.writeUInt16LE(range.first, offset + 4);
    header.writeUInt16LE(range.count, offset + 6);
    header.writeUInt32LE(option, offset + 8);
    header.writeUInt16LE(actor, offset + 12);
    if (step.op === 'mremap' || step.op === 'uffd-move') {
      const target = targetOf(program, where, step.to);
      header.writeUInt16LE(target.first, offset + 12);
      header.writeUInt16LE(target.count, offset + 14);
    }
    offset += StructSize.program_step;
  }
  return frame;
}

/** @throws HmmdiffError for a region that cannot have its backing */
function backingOf(program: Program, { pages, backing = 'anonymous' }: Region, index: number): Backing {
  if (!canBeBackedBy(pages, backing)) {
    throw invalid(program, `region ${index} of ${pages} pages cannot be a ${backing} mapping`);
  }
  return backing;
}

interface StepRecord {
  step: Step;
  where: string;
  option: number;
  /** Of a part. */
  actor: number;
}

/** The step, and behind it its parts, those of one actor after the other. */
function recordsOf(program: Program, step: Step, index: number): StepRecord[] {
  const where = `step ${index} (${step.op})`;
  const record = { step, where, option: optionOf(step), actor: 0 };
  if (step.op !== 'together') return [record];
  checkNumber(program, `${where}: the number of actors`, step.actors.length, 1, MAX_ACTORS);
  checkNumber(program, `${where}: rounds`, step.rounds, 1, 0xffff);
  checkNumber(program, `${where}: ms apart`, step.apart, 0, MAX_APART_MS);
  const parts = step.actors.flatMap((list, actor) => {
    checkNumber(program, `${where}: the number of parts of list ${actor}`, list.length, 1, MAX_ACTOR_PARTS);
    return list.map((part, place) => ({
      step: part,
      where: `${where}: part ${place} of list ${actor} (${part.op})`,
      option: isAlone(step, part) ? PART_ALONE : optionOf(part),
      actor,
    }));
  });
  return [record, ...parts];
}

/** Whether a part writes to pages whose content no other part changes. */
export function isAlone(step: Together, part: Part): boolean {
  if (part.op !== 'cpu-write') return false;
  const { region, first, count } = part.at;
  return step.actors.flat().every((other) => {
    if (other === part || CHANGES_NOTHING.includes(other.op)) return true;
    if (!('at' in other)) return false;
    const { at } = other;
    return at.region !== region || at.first >= first + count || first >= at.first + at.count;
  });
}

const CHANGES_NOTHING: readonly Part['op'][] = [
  'cpu-read',
  'fork',
  'close',
  'read',
  'migrate-to-dev',
  'migrate-to-sys',
];

function invalid(program: Program, message: string): HmmdiffError {
  return inputError('program-invalid', `program "${program.name}": ${message}`);
}

function checkNumber(program: Program, what: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalid(program, `${what} is ${value}; it must be ${least}..${most}`);
  }
}

function observationBits(program: Program, kinds: readonly ObservationKind[]): number {
  const perPage = kinds.filter((kind) => NEED_PAGEMAP.includes(kind));
  if (!kinds.includes('pagemap') && perPage.length > 0) {
    throw invalid(program, `${perPage.join(', ')} cannot be observed without pagemap`);
  }
  return kinds.reduce((bits, kind) => bits | OBSERVATIONS[kind], 0);
}

function rangeOf(program: Program, where: string, step: Step): PageRange {
  if (step.op === 'mmap') {
    checkNumber(program, `${where}: region`, step.region, 0, program.regions.length - 1);
    return { region: step.region, first: 0, count: 0 };
  }
  if (step.op === 'together') return { region: 0, first: 0, count: step.actors.flat().length };
  if (!('at' in step)) return { region: 0, first: 0, count: 0 };

  checkNumber(program, `${where}: region`, step.at.region, 0, program.regions.length - 1);
  const pages = program.regions[step.at.region]?.pages ?? 0;
  checkNumber(program, `${where}: first page`, step.at.first, 0, pages - 1);
  checkNumber(
    program,
    `${where}: number of pages from page ${step.at.first}`,
    step.at.count,
    1,
    pages - step.at.first,
  );
  return step.at;
}

function targetOf(program: Program, where: string, to: PageRange): PageRange {
  checkNumber(program, `${where}: region of the target`, to.region, 0, program.regions.length - 1);
  const pages = program.regions[to.region]!.pages;
  checkNumber(program, `${where}: first page of the target`, to.first, 0, pages - 1);
  checkNumber(program, `${where}: number of pages of the target`, to.count, 0, pages - to.first);
  return to;
}

function argumentOf(program: Program, where: string, step: Step): number {
  if (step.op === 'mmap' || step.op === 'mprotect') return PROTECTIONS[step.protection];
  if (step.op === 'madvise') return ADVICE[step.advice];
  if (step.op === 'mremap' || step.op === 'uffd-move') return step.to.region;
  if (step.op === 'uffd-open') return step.mode === 'handler' ? 1 : step.unpopulated ? 2 : 0;
  if (step.op === 'uffd-register') return USERFAULT_KINDS[step.kind];
  if (step.op === 'uffd-copy') return Number(step.protect);
  if (step.op === 'fork') return step.child;
  if (step.op === 'together') return step.actors.length;
  if (!('device' in step)) return 0;
  checkNumber(program, `${where}: device`, step.device, 0, MAX_DEVICES - 1);
  return step.device;
}

/** What a step says beyond its operands. */
function optionOf(step: Step): number {
  if (step.op === 'flags') return FLAGS_NUMBERS[step.flags];
  if (step.op === 'mremap') {
    return REMAP_KINDS[step.how] | ((step.flaw ? REMAP_FLAWS[step.flaw] : 0) << 8);
  }
  if (step.op === 'uffd-move') return Number(step.holes);
  if (step.op === 'together') return togetherOption(step);
  return 'flaw' in step && step.flaw ? FLAW_NUMBERS[step.flaw] : 0;
}
