/** Checks of which page is behind an entry: numbers differ from boot to boot, so they are compared with each other. */
import type { ExpectedPage } from '../../model/observe.ts';
import type { Frame } from '../../model/state.ts';
import { MARKER_UFFD_WP } from '../compare/pagemap.ts';
import type { Divergence } from '../compare/tally.ts';
import { type Check, pageAt } from './c-checks.ts';
import type { Context } from './c-context.ts';
import { addressOf, call, quote } from './c-text.ts';
import type { Sighting } from './expectation.ts';
import { placeInWords } from './words.ts';

/** At most so many other pages are named that this one must not be. */
const OTHERS = 32;

/**
 * The page must be the one that it was when it was first seen; one that is new must be none of those that others have,
 * and of device memory it must be in the right chunk, and the one that was freed last.
 */
export function frameChecks(context: Context, place: Divergence): Check[] {
  const { program } = context;
  const expected = pageAt(context, place);
  if (!expected) return [];
  const { step, process, region, page } = place;
  const where = placeInWords(place, program.regions);
  const at = addressOf(program, region!, page!);
  const { frame } = expected;
  if (!frame) {
    const what = quote(`${where} pagemap.frame (none)`);
    return [
      {
        phase: 'page',
        process: process!,
        lines: call('check_bits', [what, `pagemap(${at})`, ...frameOfNone(expected)]),
      },
    ];
  }

  const own = context.slots.of({ step, process: process!, region: region!, page: page! });
  const lines: string[] = [];
  const same = (other: Sighting, why: string) => {
    const what = `${where}: ${why} ${placeInWords(other, program.regions)} after step ${other.step}`;
    lines.push(...call('check_same', [quote(what), slot(own), slot(context.slots.of(other))]));
  };
  const [first] = context.sightingsOf(frame.id);
  if (first && !isAt(first, place)) same(first, 'the same page as');
  else if (frame.minor >= 0) lines.push(...newDevicePage(context, frame, where, own, same));
  for (const other of othersAt(context, step, frame)) {
    const what = `${where}: another page than ${placeInWords(other, program.regions)}`;
    lines.push(...call('check_different', [quote(what), slot(own), slot(context.slots.of(other))]));
  }
  return [{ phase: 'frames', lines }];
}

/** The mask of the frame, and what it must be where there is no page: the bits of a marker stand behind its type. */
function frameOfNone({ pte }: ExpectedPage): [mask: string, value: string] {
  return pte ? ['PM_FRAME & ~PM_TYPE', `${MARKER_UFFD_WP}ull << 5`] : ['PM_FRAME', '0'];
}

function newDevicePage(
  context: Context,
  frame: Frame,
  where: string,
  own: number,
  same: (other: Sighting, why: string) => void,
): string[] {
  const former = context.formerPages(frame).at(-1);
  if (former) {
    same(former, 'the device page that was freed last, which was that of');
    return [];
  }
  return call('check_chunk', [quote(where), slot(own), String(frame.minor)]);
}

function isAt(sighting: Sighting, { step, process, region, page }: Divergence): boolean {
  return (
    sighting.step === step &&
    sighting.process === process &&
    sighting.region === region &&
    sighting.page === page
  );
}

/** One sighting after `step` of each other page of the same kind of memory. */
function othersAt({ views }: Context, step: number, frame: Frame): Sighting[] {
  const others = new Map<number, Sighting>();
  for (const { process, region, pages } of views[step]!.regions) {
    for (const [page, { frame: other }] of pages.entries()) {
      if (!other || other.id === frame.id || others.has(other.id)) continue;
      if (numbersOf(other) !== numbersOf(frame)) continue;
      others.set(other.id, { step, process, region, page, frame: other });
    }
  }
  return [...others.values()].slice(0, OTHERS);
}

/** Device pages and swap slots have numbers of their own. */
function numbersOf({ kind }: Frame): Frame['kind'] {
  return kind === 'zero' ? 'ram' : kind;
}

export function slot(index: number): string {
  return `shared->frame[${index}]`;
}
