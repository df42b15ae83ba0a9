/** Steps and places in words, for comments and captions. */
import type { DeviceOp, Program, Region, Step, Together, UserfaultKind } from '../../model/program.ts';
import type { Divergence, Place } from '../compare/tally.ts';
import { printProcess, printRange } from '../programs/range.ts';

const DEVICE_OPS: Readonly<Record<DeviceOp, (range: string, device: number) => string>> = {
  read: (range, device) => `reads ${range} through device ${device}`,
  'read-unlocked': (range, device) => `reads ${range} through device ${device}, unlocked`,
  write: (range, device) => `writes ${range} through device ${device}`,
  'migrate-to-dev': (range, device) => `migrates ${range} to device ${device}`,
  'migrate-to-sys': (range, device) => `migrates ${range} from device ${device} to RAM`,
  snapshot: (range, device) => `takes a snapshot of ${range} through device ${device}`,
  exclusive: (range, device) => `makes ${range} exclusive to device ${device}`,
  'check-exclusive': (range, device) => `asks whether ${range} is exclusive to device ${device}`,
  release: (_, device) => `releases the memory of device ${device}`,
};

const REGISTERED: Readonly<Record<UserfaultKind, string>> = {
  missing: 'missing pages',
  wp: 'writes to protected pages',
  both: 'missing pages and writes to protected ones',
};

/** What a step does, such as "p1 reads a[0..3] through device 0". */
export function stepInWords(step: Step, regions: readonly Region[]): string {
  const by = printProcess(step.by);
  switch (step.op) {
    case 'mmap':
      return `${by} maps ${describeRegion(regions[step.region]!)}, ${step.protection}`;
    case 'munmap':
      return `${by} unmaps ${printRange(step.at, regions)}`;
    case 'madvise':
      return `${by} advises ${step.advice.toUpperCase()} for ${printRange(step.at, regions)}`;
    case 'mlock':
    case 'munlock':
      return `${by} ${step.op}s ${printRange(step.at, regions)}`;
    case 'mremap':
      return `${by} ${remapInWords(step, regions)}`;
    case 'pin':
      return `${by} pins ${printRange(step.at, regions)}`;
    case 'unpin':
      return `${by} unpins what it has pinned`;
    case 'reload':
      return `${by} loads test_hmm anew`;
    case 'swapon':
      return `${by} adds the swap device`;
    case 'swapoff':
      return `${by} takes the swap device away`;
    case 'clear-refs':
      return `${by} clears its soft-dirty bits`;
    case 'mprotect':
      return `${by} makes ${printRange(step.at, regions)} ${step.protection}`;
    case 'ksmd':
      return `${by} has ksmd merge pages`;
    case 'uffd-open':
      return `${by} opens a userfaultfd${step.mode === 'handler' ? ', with a handler' : step.unpopulated ? ', for pages that are not there, too' : ''}`;
    case 'uffd-register':
      return `${by} registers ${printRange(step.at, regions)} with its userfaultfd for ${REGISTERED[step.kind]}`;
    case 'uffd-unregister':
      return `${by} unregisters ${printRange(step.at, regions)}`;
    case 'uffd-protect':
      return `${by} write-protects ${printRange(step.at, regions)} through its userfaultfd`;
    case 'uffd-unprotect':
      return `${by} lets ${printRange(step.at, regions)} be written again through its userfaultfd`;
    case 'uffd-zeropage':
      return `${by} fills ${printRange(step.at, regions)} with zero pages through its userfaultfd`;
    case 'uffd-copy':
      return `${by} fills ${printRange(step.at, regions)} with ${step.protect ? 'protected ' : ''}pages through its userfaultfd`;
    case 'uffd-move':
      return `${by} moves ${printRange(step.at, regions)} to ${printRange(step.to, regions)} through its userfaultfd${step.holes ? ', but for what is missing' : ''}`;
    case 'cpu-read':
      return `${by} reads ${printRange(step.at, regions)}`;
    case 'cpu-write':
      return `${by} writes ${printRange(step.at, regions)}`;
    case 'together':
      return togetherInWords(step, regions);
    case 'fork':
      return `${by} forks ${printProcess(step.child)}`;
    case 'exit':
      return `${by} ends`;
    case 'open':
      return `${by} opens device ${step.device}`;
    case 'close':
      return `${by} closes device ${step.device}`;
    case 'flags':
      return `${by} gives its file of device ${step.device} the flags ${step.flags}`;
    default: {
      const flaw = step.flaw ? `, with a wrong argument (${step.flaw})` : '';
      return `${by} ${DEVICE_OPS[step.op](printRange(step.at, regions), step.device)}${flaw}`;
    }
  }
}

/** Such as "f (shared file)". */
function describeRegion({ name, backing }: Region): string {
  return backing ? `${name} (${backing.replaceAll('-', ' ')})` : name;
}

function remapInWords(
  { at, to, how, flaw }: Extract<Step, { op: 'mremap' }>,
  regions: readonly Region[],
): string {
  const range = printRange(at, regions);
  if (how === 'resize') return `makes the mapping of ${range} ${to.count} pages long`;
  const kept = how === 'keep' ? ', and keeps the mapping' : '';
  const wrong = flaw ? `, with a wrong argument (${flaw})` : '';
  return `moves ${range} to ${printRange(to, regions)}${kept}${wrong}`;
}

function togetherInWords({ actors, rounds, apart }: Together, regions: readonly Region[]): string {
  const lists = actors.map((parts) => parts.map((part) => stepInWords(part, regions)).join(', then '));
  const often = rounds > 1 ? `, ${rounds} rounds` : '';
  return `at the same time: ${lists.join('; ')}${often}${apart > 0 ? `, up to ${apart} ms apart` : ''}`;
}

/** Such as "p1 a[2]"; the step is not part of it. Empty for what is not about a process or a page. */
export function placeInWords({ process, region, page }: Place, regions: readonly Region[]): string {
  const parts: string[] = [];
  if (process !== undefined) parts.push(printProcess(process));
  if (region !== undefined) {
    const name = regions[region]!.name;
    parts.push(page === undefined ? name : `${name}[${page}]`);
  }
  return parts.join(' ');
}

/** Such as "step 6 (p1 reads a[0])", or the end of the program. */
export function stepTitle(program: Program, index: number): string {
  const step = program.steps[index];
  return step ? `step ${index} (${stepInWords(step, program.regions)})` : 'the end of the program';
}

/** A field that differs, in lines for a comment. */
export function fieldInWords(field: Divergence, regions: readonly Region[]): string[] {
  const what = [placeInWords(field, regions), field.field].filter(Boolean).join(' ');
  return [`\t${what}`, `\t\texpected ${field.expected} (${field.rule})`, `\t\tseen ${field.seen}`];
}
