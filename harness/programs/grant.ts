/** What a wish comes to where a program stands. */
import { pmdStart } from '../../model/page-table.ts';
import {
  isHugeRegion,
  MAX_PROCESSES,
  type PageRange,
  PMD_PAGES,
  type ProcessId,
  type Step,
} from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { isHugetlbRegion } from '../../model/safe-hugetlb.ts';
import type { Process, State } from '../../model/state.ts';
import type { Devices } from './regions.ts';
import { moves, remaps } from './remaps.ts';
import { LONGEST, type Wish } from './wishes.ts';

/** The step that comes nearest to the wish and is possible and safe; undefined when there is none. */
export function grant(state: State, devices: Devices, wish: Wish): Step | undefined {
  const living = state.processes.filter((process) => process !== null);
  const process = living[wish.process % living.length]!;
  const region = wish.region % state.regions.length;
  const candidates = stepsFor(state, devices, wish, process, living.length, rangeFor(state, region, wish));
  return candidates.find((step) => hazardOf(state, step) === undefined);
}

const CUTS: ReadonlySet<Step['op']> = new Set<Step['op']>(['munmap', 'mprotect', 'madvise', 'mremap']);

function rangeFor(state: State, region: number, { op, first, count, length }: Wish): PageRange {
  const pages = state.regions[region]!;
  if (isHugeRegion(pages)) {
    const at = hugeRange(region, pages, first, count);
    // Whatever cuts mappings of hugetlb is refused there, but for whole pages.
    return isHugetlbRegion(state, region) && CUTS.has(op) && length > 1 ? wholePmds(state, at) : at;
  }
  const start = count >= pages ? 0 : first % pages;
  return { region, first: start, count: Math.min(count, pages - start) };
}

/** Short ranges at the beginning, about the borders of PMDs, and anywhere; all of a PMD, or all behind a page. */
function hugeRange(region: number, pages: number, first: number, count: number): PageRange {
  const border = (1 + (first % (pages / PMD_PAGES))) * PMD_PAGES;
  if (count === LONGEST) {
    if (first < 40) return { region, first: border - PMD_PAGES, count: PMD_PAGES };
    if (first < 52) return { region, first: 0, count: pages };
    return { region, first: first * 7, count: pages - first * 7 };
  }
  const start = first < 24 ? first : first < 40 ? border - (first % 4) - 1 : first * 8;
  return { region, first: start, count: Math.min(count, pages - start) };
}

/** The PMDs that a range of a huge region touches: nothing less collapses. */
function wholePmds(state: State, at: PageRange): PageRange {
  if (!isHugeRegion(state.regions[at.region]!)) return at;
  const first = pmdStart(at.first);
  const end = pmdStart(at.first + at.count - 1) + PMD_PAGES;
  return { ...at, first, count: end - first };
}

/** Candidates, the best first. */
function stepsFor(
  state: State,
  devices: Devices,
  wish: Wish,
  process: Process,
  living: number,
  at: PageRange,
): Step[] {
  const { op, protection } = wish;
  const [device, other] = wish.device === 0 ? devices : [devices[1], devices[0]];
  const flaw = wish.flaw && { flaw: wish.flaw };
  const by = process.id;
  switch (op) {
    case 'mmap':
      return [{ op, by, region: at.region, protection }];
    case 'madvise':
      return [
        { op, by, at: wish.advice === 'collapse' ? wholePmds(state, at) : at, advice: wish.advice },
        { op, by, at: wholeRegion(state, at), advice: 'dontneed' },
      ];
    case 'clear-refs':
    case 'ksmd':
    case 'unpin':
    case 'reload':
    case 'swapon':
    case 'swapoff':
      return [{ op, by }];
    case 'mprotect':
      return [
        { op, by, at, protection },
        { op, by, at: wholeRegion(state, at), protection },
      ];
    case 'mremap':
      return remaps(state, wish, by, at);
    case 'uffd-open':
      return process.mm.userfault ? [] : [userfaultfd(by, wish.first)];
    case 'uffd-register':
      return process.mm.userfault ? [{ op, by, at, kind: wish.kind }] : [];
    case 'uffd-copy':
      return process.mm.userfault ? [{ op, by, at, protect: wish.first % 3 === 0 }] : [];
    case 'uffd-move':
      return process.mm.userfault ? moves(state, wish, by, at) : [];
    case 'uffd-unregister':
    case 'uffd-protect':
    case 'uffd-unprotect':
    case 'uffd-zeropage':
      return process.mm.userfault ? [{ op, by, at }] : [];
    case 'munmap':
      return [
        { op, by, at },
        { op, by, at: wholeRegion(state, at) },
      ];
    case 'mlock':
    case 'munlock':
    case 'pin':
    case 'cpu-read':
    case 'cpu-write':
      return [{ op, by, at }];
    case 'fork':
      return state.processes.length < MAX_PROCESSES ? [{ op, by, child: state.processes.length }] : [];
    case 'exit':
      return living > 1 ? [{ op, by }] : [];
    case 'open':
      return [device, other]
        .filter((minor) => !process.devices[minor])
        .map((minor) => ({ op, by, device: minor }));
    case 'close':
      return process.devices[device] ? [{ op, by, device }] : [];
    case 'flags':
      return process.devices[device] ? [{ op, by, device, flags: wish.flags }] : [];
    case 'release':
      // Dear: the agent makes the memory of both devices anew after the program.
      return process.devices[device] && wish.process % 8 === 0 ? [{ op, by, device, at, ...flaw }] : [];
    default: {
      const single: PageRange = { ...at, count: 1 };
      return [device, other]
        .filter((minor) => process.devices[minor])
        .flatMap((minor): Step[] => [
          { op, by, device: minor, at, ...flaw },
          { op, by, device: minor, at: single },
        ]);
    }
  }
}

/** What can be had where a part cannot. */
function wholeRegion(state: State, { region }: PageRange): PageRange {
  return { region, first: 0, count: state.regions[region]! };
}

/** Refuses, answers, or refuses and protects what is not there. */
function userfaultfd(by: ProcessId, choice: number): Step {
  const mode = choice % 3 === 0 ? 'handler' : 'sigbus';
  return { op: 'uffd-open', by, mode, unpopulated: choice % 3 === 1 };
}
