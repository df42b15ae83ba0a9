/** One step of a program file: a map whose first key is the operation. */
import {
  ADVICE,
  DEVICE_FLAGS,
  FLAWS,
  isHugeRegion,
  MAX_ACTOR_PARTS,
  MAX_ACTORS,
  MAX_APART_MS,
  MINORS,
  PART_OPERATIONS,
  type PageRange,
  type Part,
  REMAP_FLAWS,
  type Region,
  type Step,
  USERFAULT_KINDS,
} from '../../model/program.ts';
import { parseProcess, parseRange } from './range.ts';

/** Something wrong with a step: under which key, and what. */
export interface StepProblem {
  key: string | undefined;
  message: string;
}

class Problem extends Error {
  constructor(
    readonly key: string | undefined,
    message: string,
  ) {
    super(message);
  }
}

type Fields = Readonly<Record<string, unknown>>;
type Operation = Step['op'];

/** Keys that each operation takes beside its own and `by`. */
const MORE_KEYS: Readonly<Record<Operation, readonly string[]>> = {
  mmap: ['protection'],
  munmap: [],
  mprotect: ['protection'],
  madvise: ['advice'],
  'clear-refs': [],
  mlock: [],
  munlock: [],
  mremap: ['to', 'pages', 'keep', 'flaw'],
  pin: [],
  unpin: [],
  reload: [],
  swapon: [],
  swapoff: [],
  together: ['rounds', 'apart'],
  ksmd: [],
  'uffd-open': ['handler', 'unpopulated'],
  'uffd-register': ['for'],
  'uffd-unregister': [],
  'uffd-protect': [],
  'uffd-unprotect': [],
  'uffd-zeropage': [],
  'uffd-copy': ['protect'],
  'uffd-move': ['to', 'holes'],
  'cpu-read': [],
  'cpu-write': [],
  fork: [],
  exit: [],
  open: [],
  close: [],
  read: ['device', 'flaw'],
  'read-unlocked': ['device', 'flaw'],
  write: ['device', 'flaw'],
  'migrate-to-dev': ['device', 'flaw'],
  'migrate-to-sys': ['device', 'flaw'],
  snapshot: ['device', 'flaw'],
  exclusive: ['device', 'flaw'],
  'check-exclusive': ['device', 'flaw'],
  flags: ['device'],
  release: ['device', 'flaw'],
};
const OPERATIONS = Object.keys(MORE_KEYS) as Operation[];
/** Operations whose operand is the process that acts. */
const ACTS_BY_ITSELF: readonly Operation[] = [
  'together',
  'exit',
  'clear-refs',
  'unpin',
  'uffd-open',
  'ksmd',
  'reload',
  'swapon',
  'swapoff',
];
const PROTECTIONS = ['none', 'read', 'read-write'] as const;

/** @returns the step, or what is wrong with it */
export function parseStep(fields: Fields, regions: readonly Region[]): Step | StepProblem {
  try {
    return stepOf(fields, regions);
  } catch (error) {
    if (error instanceof Problem) return { key: error.key, message: error.message };
    throw error;
  }
}

function stepOf(fields: Fields, regions: readonly Region[]): Step {
  const op = operationOf(fields);
  const allowed = [op, 'by', ...MORE_KEYS[op]];
  for (const key of Object.keys(fields)) {
    if (!allowed.includes(key) || (ACTS_BY_ITSELF.includes(op) && key === 'by')) {
      const known = allowed.filter((name) => name !== op && !(ACTS_BY_ITSELF.includes(op) && name === 'by'));
      throw new Problem(
        key,
        `${op} takes ${known.length > 0 ? known.join(', ') : 'nothing else'}, not "${key}"`,
      );
    }
  }
  if (op === 'together') return togetherOf(fields, regions);
  const by = fields.by === undefined ? 0 : processIn(fields, 'by');
  switch (op) {
    case 'mmap': {
      const at = rangeIn(fields, op, regions);
      if (at.count !== regions[at.region]!.pages) throw new Problem(op, 'mmap maps a whole region');
      return { op, by, region: at.region, protection: protectionIn(fields) };
    }
    case 'fork':
      return { op, by, child: processIn(fields, op) };
    case 'exit':
      return { op, by: processIn(fields, op) };
    case 'open':
    case 'close':
      return { op, by, device: deviceIn(fields, op) };
    case 'flags':
      return { op, by, device: deviceIn(fields, 'device'), flags: oneOf(DEVICE_FLAGS, fields, op) };
    case 'uffd-open': {
      const { handler, unpopulated } = fields;
      for (const [key, value] of Object.entries({ handler, unpopulated })) {
        if (value !== undefined && value !== true) throw new Problem(key, `${key} is true, or not said`);
      }
      // UFFDIO_ZEROPAGE, with which the handler answers, does not fill where there is a marker.
      if (handler && unpopulated)
        throw new Problem('handler', 'a handler does not fill what is protected unpopulated');
      return {
        op,
        by: processIn(fields, op),
        mode: handler ? 'handler' : 'sigbus',
        unpopulated: unpopulated === true,
      };
    }
    case 'clear-refs':
    case 'ksmd':
    case 'unpin':
    case 'reload':
    case 'swapon':
    case 'swapoff':
      return { op, by: processIn(fields, op) };
    case 'mprotect':
      return { op, by, at: rangeIn(fields, op, regions), protection: protectionIn(fields) };
    case 'madvise':
      return { op, by, at: rangeIn(fields, op, regions), advice: oneOf(ADVICE, fields, 'advice') };
    case 'mremap':
      return mremapOf(fields, by, rangeIn(fields, op, regions), regions);
    case 'uffd-register':
      return { op, by, at: rangeIn(fields, op, regions), kind: oneOf(USERFAULT_KINDS, fields, 'for') };
    case 'uffd-copy': {
      const { protect } = fields;
      if (protect !== undefined && protect !== true)
        throw new Problem('protect', 'protect is true, or not said');
      return { op, by, at: rangeIn(fields, op, regions), protect: protect === true };
    }
    case 'uffd-move': {
      const { holes } = fields;
      if (holes !== undefined && holes !== true) throw new Problem('holes', 'holes is true, or not said');
      const at = rangeIn(fields, op, regions);
      const to = rangeIn(fields, 'to', regions);
      if (to.count !== at.count) throw new Problem('to', `to has ${at.count} pages, as uffd-move has`);
      return { op, by, at, to, holes: holes === true };
    }
    case 'mlock':
    case 'munlock':
    case 'pin':
    case 'munmap':
    case 'uffd-unregister':
    case 'uffd-protect':
    case 'uffd-unprotect':
    case 'uffd-zeropage':
    case 'cpu-read':
    case 'cpu-write':
      return { op, by, at: rangeIn(fields, op, regions) };
    default:
      return {
        op,
        by,
        device: deviceIn(fields, 'device'),
        at: rangeIn(fields, op, regions),
        ...(fields.flaw === undefined ? {} : { flaw: oneOf(FLAWS, fields, 'flaw') }),
      };
  }
}

/** `to` moves, `to` with `keep: true` leaves the mapping behind, `pages` resizes. */
function mremapOf(fields: Fields, by: number, at: PageRange, regions: readonly Region[]): Step {
  const { to, pages, keep, flaw } = fields;
  const rest = flaw === undefined ? {} : { flaw: oneOf(REMAP_FLAWS, fields, 'flaw') };
  if (keep !== undefined && keep !== true) throw new Problem('keep', 'keep is true, or not said');
  if ((to === undefined) === (pages === undefined)) {
    throw new Problem('mremap', 'mremap takes either a range "to" or a number of "pages"');
  }
  if (to !== undefined) {
    const target = rangeIn(fields, 'to', regions);
    return { op: 'mremap', by, at, to: target, how: keep ? 'keep' : 'move', ...rest };
  }
  if (keep || flaw !== undefined)
    throw new Problem(keep ? 'keep' : 'flaw', 'only a move, with "to", has that');
  const most = regions[at.region]!.pages - at.first;
  if (typeof pages !== 'number' || !Number.isInteger(pages) || pages < 0 || pages > most) {
    throw new Problem('pages', `pages is a number, 0..${most}`);
  }
  return { op: 'mremap', by, at, to: { ...at, count: pages }, how: 'resize' };
}

const MAX_ROUNDS = 65_535;
function togetherOf(fields: Fields, regions: readonly Region[]): Step {
  const op = 'together';
  const lists = fields[op];
  if (!Array.isArray(lists) || lists.length < 1 || lists.length > MAX_ACTORS) {
    throw new Problem(op, `together needs 1..${MAX_ACTORS} lists of steps, one for each actor`);
  }
  const rounds = numberIn(fields, 'rounds', 1, MAX_ROUNDS, 1);
  const apart = numberIn(fields, 'apart', 0, MAX_APART_MS, 0);
  const actors = lists.map((list): Part[] => {
    if (!Array.isArray(list) || list.length < 1 || list.length > MAX_ACTOR_PARTS) {
      throw new Problem(op, `an actor has a list of 1..${MAX_ACTOR_PARTS} steps`);
    }
    const parts = list.map((part: unknown) => partOf(part, regions));
    if (parts.some(({ by }) => by !== parts[0]!.by)) {
      throw new Problem(op, 'an actor is one process: all of its steps are by the same');
    }
    return parts;
  });
  return { op, by: actors[0]![0]!.by, actors, rounds, apart };
}

function partOf(fields: unknown, regions: readonly Region[]): Part {
  if (typeof fields !== 'object' || fields === null) throw new Problem('together', 'a part is a step');
  const step = stepOf(fields as Fields, regions);
  const problem = partProblem(step, regions);
  if (problem !== undefined) throw new Problem('together', problem);
  return step as Part;
}

/** Why a step cannot be a part of a `together` step. */
function partProblem(step: Step, regions: readonly Region[]): string | undefined {
  const names: readonly Operation[] = PART_OPERATIONS;
  if (!names.includes(step.op))
    return `${step.op} cannot be done together with others; ${names.join(', ')} can`;
  if ('flaw' in step && step.flaw) return 'the arguments of a part have no flaw';
  if (step.op === 'madvise' && step.advice !== 'dontneed') return 'the advice of a part is dontneed';
  const region = 'at' in step ? step.at.region : 'region' in step ? step.region : undefined;
  if (region !== undefined && isHugeRegion(regions[region]!.pages)) return 'a part has no huge region';
  return undefined;
}

function numberIn(fields: Fields, key: string, least: number, most: number, usual: number): number {
  const value = fields[key] ?? usual;
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw new Problem(key, `${key} is ${least}..${most}`);
  }
  return value as number;
}

function operationOf(fields: Fields): Operation {
  const [first] = Object.keys(fields);
  if (first === undefined) throw new Problem(undefined, 'a step needs an operation');
  if (!(OPERATIONS as string[]).includes(first)) {
    throw new Problem(first, `"${first}" is no operation; operations are ${OPERATIONS.join(', ')}`);
  }
  return first as Operation;
}

function rangeIn(fields: Fields, key: string, regions: readonly Region[]) {
  const value = fields[key];
  if (typeof value !== 'string') throw new Problem(key, `${key} needs a region or a range such as a[0..3]`);
  const range = parseRange(value, regions);
  if (typeof range === 'string') throw new Problem(key, range);
  return range;
}

function processIn(fields: Fields, key: string): number {
  const value = fields[key];
  const id = typeof value === 'string' ? parseProcess(value) : undefined;
  if (id === undefined) throw new Problem(key, `${key} needs a process such as p1`);
  return id;
}

function deviceIn(fields: Fields, key: string): number {
  const value = fields[key];
  if (!MINORS.includes(value as number))
    throw new Problem(key in fields ? key : undefined, `${key} needs a device: 0 to ${MINORS.length - 1}`);
  return value as number;
}

function protectionIn(fields: Fields) {
  return fields.protection === undefined ? 'read-write' : oneOf(PROTECTIONS, fields, 'protection');
}

function oneOf<T extends string>(names: readonly T[], fields: Fields, key: string): T {
  const found = names.find((name) => name === fields[key]);
  if (!found) throw new Problem(key, `${key} is one of ${names.join(', ')}`);
  return found;
}
