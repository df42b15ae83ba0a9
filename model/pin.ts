/**
 * Long-term pins, which a process takes and gives up through /sys/kernel/debug/gup_test (mm/gup_test.c,
 * PIN_LONGTERM_TEST_START and STOP; pin_user_pages() with FOLL_LONGTERM | FOLL_WRITE). A pinned page does not migrate
 * (folio_try_share_anon_rmap_pte), a child gets a copy of it (copy_present_page), and reclaim passes it over. Of a folio
 * of order 9, a pin of one page pins all: it is neither migrated nor split (folio_expected_ref_count).
 */
import { migrateCoherentFolio } from './coherent.ts';
import { isMapped } from './folio.ts';
import { freeFrame } from './frame.ts';
import { type Gotten, getUserPage } from './gup.ts';
import { type Expected, failWith, succeed } from './outcome.ts';
import type { PageRange } from './program.ts';
import type { Frame, Process, State } from './state.ts';

/** All pages or none. One that cannot be had is tried once more, unless it is the first of a call. */
export function pin(state: State, process: Process, { region, first, count }: PageRange): Expected {
  process.pins ??= [];
  if (holders(state, process).some(({ pins }) => pins && pins.length > 0)) {
    return failWith('EINVAL', 'pin_longterm_test_start');
  }
  const frames: Frame[] = [];
  while (frames.length < count) {
    const gotten = getLongterm(state, process, {
      region,
      first: first + frames.length,
      count: count - frames.length,
    });
    // __get_user_pages() says how many it got, and is called for the rest.
    if ('errno' in gotten) return failWith(gotten.errno, gotten.rule);
    frames.push(...gotten);
  }
  for (const frame of frames) frame.pinned = true;
  process.pins = frames;
  return succeed('pin_longterm_test_start');
}

/**
 * __gup_longterm_locked(): pages up to one that cannot be had, the first excepted; again and again until none of them has
 * to be moved to RAM.
 */
function getLongterm(
  state: State,
  { mm }: Process,
  { region, first, count }: PageRange,
): Frame[] | Extract<Gotten, { errno: string }> {
  for (;;) {
    const frames: Frame[] = [];
    for (let page = first; page < first + count; page++) {
      const gotten = getUserPage(state, mm, region, page, 'pin');
      if ('pte' in gotten) frames.push(gotten.pte.frame);
      else if (page === first) return gotten;
      else break;
    }
    const unpinnable = frames.filter(({ kind }) => kind === 'coherent');
    if (unpinnable.length === 0) return frames.map(({ head }) => head);
    for (const frame of unpinnable) migrateCoherentFolio(state, frame);
  }
}

export function unpin(state: State, process: Process): Expected {
  process.pins ??= [];
  for (const holder of holders(state, process)) drop(state, holder);
  return succeed('pin_longterm_test_stop');
}

/** gup_test_release(): the end of a process that ever pinned or unpinned. */
export function releasePins(state: State, process: Process): void {
  if (process.pins === null) return;
  for (const holder of holders(state, process)) drop(state, holder);
}

/** Whose pins the file of a process is about: those of its own, or, in 6.12, those of all. */
function holders({ profile, processes }: State, process: Process): Process[] {
  return profile.pinsAreGlobal ? processes.filter((other) => other !== null) : [process];
}

function drop(state: State, process: Process): void {
  for (const frame of process.pins ?? []) {
    if (!frame.pinned) continue;
    frame.pinned = false;
    // It has nothing but the pin where it was unmapped meanwhile.
    if (frame.hugetlb && !isMapped(frame) && !frame.file) freeFrame(state, frame);
  }
  if (process.pins) process.pins = [];
}
