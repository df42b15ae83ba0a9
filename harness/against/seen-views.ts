/** What a recorded transcript shows ({@link Views}). */
import type { ProgramTranscript, StepObservation } from '../../model/observation.ts';
import { decodePagemap, decodePte, type PagemapEntry } from '../../model/pagemap.ts';
import type { Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { describeBytes, describeOutcome } from '../compare/outcome.ts';
import {
  type EventView,
  eventsOf,
  faultView,
  lines,
  meminfoText,
  migrationView,
  type RegionView,
  resultText,
  rssText,
  SETTLED_MASK,
  type Views,
  viewsOf,
} from './views.ts';

/** The steps of a run, and as the last one its end. */
export function* seenViews(
  profile: Profile,
  program: Program,
  transcript: ProgramTranscript,
): Generator<Views> {
  const { base, end } = transcript;
  for (const [index, step] of transcript.steps.entries()) {
    yield {
      result: resultText({
        ...step,
        data: step.data?.map(({ word, uniform }) => (uniform ? word : 'mixed')),
      }),
      status: lines(step.processes, ({ process, rss }) =>
        // They are looked at, or not, at the same steps on all lanes.
        rssText(process, beside(rss.anon, base.anon), beside(rss.swap, base.swap)),
      ),
      meminfo: meminfoText(profile, step.meminfo),
      ...viewsOf(
        seenRegions(profile, step),
        eventsOf(program.steps[index], seenEvents(profile, step.events)),
      ),
    };
  }
  const last = viewsOf([], eventsOf(undefined, seenEvents(profile, transcript.finalEvents)));
  yield { result: end.kind, status: '', meminfo: meminfoText(profile, transcript.meminfo), ...last };
}

function beside(kib: number | undefined, base: number): number | undefined {
  return kib === undefined ? undefined : kib - base;
}

function seenRegions(profile: Profile, step: StepObservation): RegionView[] {
  return step.regions.map(({ process, region, pages, mincore, scan = [], snapshots }) => ({
    where: `p${process} region ${region}`,
    pages: Array.from({ length: pages.length }, (_, index) => {
      const { pagemap, kpageflags, kpagecount, words } = pages.at(index)!;
      const { kind, softDirty, exclusive, file, frame } = decodePagemap(profile, pagemap);
      return {
        kind,
        softDirty,
        exclusive,
        file,
        frame: frameKey(kind, frame),
        flags: kpageflags === undefined ? undefined : kpageflags & SETTLED_MASK,
        count: kpagecount,
        word: words && (words[0] === words[1] ? words[0] : 'mixed'),
        mincore: mincore?.[index],
        categories: scan.find(({ first, end }) => first <= index && index < end)?.categories,
      };
    }),
    snapshots: snapshots.map(({ device, outcome, bytes }) => ({
      device,
      text: outcome.kind === 'ok' ? describeBytes(bytes) : describeOutcome(outcome),
    })),
  }));
}

function frameKey(kind: PagemapEntry['kind'], frame: bigint): string | undefined {
  // A marker has none.
  if (kind === 'none' || kind === 'marker') return undefined;
  // Offsets and PFNs may be equal.
  if (kind === 'swap') return `swap ${frame}`;
  return `${kind === 'device-read' || kind === 'device-write' ? 'device' : 'ram'} ${frame}`;
}

function seenEvents(profile: Profile, events: StepObservation['events']): EventView[] {
  return events.map(({ name, addr, entry, order }) =>
    name === 'page_fault_user'
      ? faultView(addr, entry)
      : migrationView(name, addr, order, decodePte(profile, entry)),
  );
}
