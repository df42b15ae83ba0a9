/** Transcripts made from the model's own prediction, as a kernel without any fault would yield them. */
import type { Environment } from '../../../harness/compare/environment.ts';
import { faultCode, traceKind } from '../../../harness/compare/events.ts';
import { adopt } from '../../../harness/compare/kpage.ts';
import { pagemapKind } from '../../../harness/compare/pagemap.ts';
import { apply, applyEnd, endingsOf, TOGETHER } from '../../../model/apply.ts';
import { CHUNK_PAGES } from '../../../model/device-allocator.ts';
import { initialState } from '../../../model/initial-state.ts';
import { expectMeminfo, type Gauges } from '../../../model/meminfo.ts';
import type {
  MappingObservation,
  PageObservation,
  PartObservation,
  ProcessObservation,
  ProgramTranscript,
  RegionObservation,
  TraceEvent,
} from '../../../model/observation.ts';
import { SMAPS_FIELDS } from '../../../model/observation.ts';
import {
  type ExpectedPage,
  type ExpectedProcess,
  type ExpectedRegion,
  markObserved,
  observationFaults,
  observe,
  observeProcesses,
  observers,
} from '../../../model/observe.ts';
import { flagMask, type PageFlag } from '../../../model/page-flags.ts';
import { scanRanges } from '../../../model/page-scan.ts';
import { encodePagemap, encodePte } from '../../../model/pagemap.ts';
import { makeProfile, type ProfileOptions } from '../../../model/profile.ts';
import { type Program, pageAddress, type Together } from '../../../model/program.ts';
import { type ExpectedMapping, expectSmaps } from '../../../model/smaps.ts';
import {
  type ExpectedEvent,
  type ExpectedMigration,
  type Frame,
  processOf,
  type State,
} from '../../../model/state.ts';
import { firstWord, isTorn } from '../../../model/torn.ts';

/** Chunks as real guests have them: high PFNs, or device page numbers from 0. */
export function environmentOf(options: ProfileOptions): Environment {
  const starts = options.design === 'offset' ? [0n, 0x10000n] : [0xfff0000n, 0xffe0000n];
  return {
    profile: makeProfile(options),
    chunks: starts.map((first, minor) => ({ minor, first, end: first + 0x10000n })),
    coherentChunks: [2, 3].map((minor) => ({
      minor,
      first: COHERENT[minor]!,
      end: COHERENT[minor]! + 0x10000n,
    })),
  };
}

/** By minor: within the numbers of RAM, and behind the others of design `offset`. */
const COHERENT: Readonly<Record<number, bigint>> = { 2: 0x60000n, 3: 0x70000n };
const PFN_OF_FIRST_FRAME = 0x1000n;
const BASE = { anon: 400, file: 4, shmem: 0, swap: 8 };
/** Of the first folio of order 9. */
const FIRST_FOLIO = 0x100000n;

/** As pages are that no earlier life left anything in. */
function gauges(state: State): Partial<Gauges> {
  return Object.fromEntries(Object.entries(expectMeminfo(state)).map(([name, { most }]) => [name, most]));
}

/**
 * @param ending which of the endings of each `together` step is taken
 * @param leftovers free bits that are set, as an earlier life of the page may have left them
 */
export function predict(
  program: Program,
  environment: Environment,
  ending = 0,
  leftovers: readonly PageFlag[] = [],
): ProgramTranscript {
  const { profile } = environment;
  const state = initialState(profile, program.regions);
  const folios = new Map<Frame, bigint>();
  const numberOf = (frame: Frame): bigint => {
    const known = folios.get(frame);
    if (known !== undefined) return known;
    // Also after a RELEASE.
    if (frame.kind === 'coherent') return COHERENT[frame.minor]! + BigInt(frame.position);
    if (frame.kind !== 'device' && !frame.head.pages) return PFN_OF_FIRST_FRAME + BigInt(frame.id);
    if (frame.kind === 'device') {
      const position = frame.head.position + frame.offset;
      // Further chunks, and those after a RELEASE, are as far behind the first as there are devices.
      const chunk = environment.chunks.find(({ minor }) => minor === frame.minor)!;
      const further = Math.floor(position / CHUNK_PAGES) * environment.chunks.length * CHUNK_PAGES;
      return chunk.first + BigInt(further + (position % CHUNK_PAGES));
    }
    // The pages of a folio keep their numbers when it is split.
    const first = FIRST_FOLIO + BigInt(folios.size);
    for (const [index, page] of frame.head.pages!.entries()) folios.set(page, first + BigInt(index));
    return numberOf(frame);
  };

  const page = (expected: ExpectedPage): PageObservation => {
    const { pte, frame, flags } = expected;
    const free = flags?.free.map(({ flag }) => flag) ?? [];
    const kept = leftovers.filter((flag) => free.includes(flag));
    // Other free bits are clear here, and stay so unless they wait in a batch.
    if (frame) for (const flag of free) adopt(state, frame.head, flag, kept.includes(flag));
    const kind = pagemapKind(pte);
    const pagemap = encodePagemap(profile, {
      kind,
      frame: frame ? numberOf(frame) : 0n,
      softDirty: expected.softDirty,
      exclusive: expected.exclusive,
      uffd: expected.uffdWp,
      guard: false,
      file: expected.file,
    });
    const word = expected.word === undefined ? undefined : firstWord(expected.word);
    const last = expected.word !== undefined && isTorn(expected.word) ? 0n : word;
    const words = word === undefined ? {} : { words: [word, last!] as const };
    if (!flags) return { pagemap, ...words };
    return {
      pagemap,
      kpageflags: flagMask([...flags.set, ...kept]),
      kpagecount: BigInt(expected.count!),
      ...words,
    };
  };
  const region = ({ process, region, pages, snapshots }: ExpectedRegion): RegionObservation => ({
    process,
    region,
    pages: pages.map(page),
    mincore: Uint8Array.from(pages, (expected) => expected.mincore),
    scan: scanRanges(pages),
    snapshots: snapshots.map(({ device, bytes }) => ({ device, outcome: { kind: 'ok' }, bytes })),
  });
  const mapping = ({ region, first, end, vmFlags, fields }: ExpectedMapping): MappingObservation => {
    const pages = state.regions[region]!;
    return {
      start: BigInt(pageAddress(region, first, pages)),
      end: BigInt(pageAddress(region, first, pages)) + BigInt(end - first) * 4096n,
      vmFlags,
      // As pages are whose flags are clear where they may be either.
      fields: SMAPS_FIELDS.map(
        (name) => fields[name]?.[/_Clean$|^LazyFree$/.test(name) ? 'most' : 'least'] ?? 0,
      ),
    };
  };
  const observedProcess = ({ process, rss }: ExpectedProcess): ProcessObservation => ({
    process,
    smaps: expectSmaps(state, processOf(state, process)).map(mapping),
    rss: {
      anon: BASE.anon + rss.anon,
      file: BASE.file + rss.file,
      shmem: BASE.shmem + rss.shmem,
      swap: BASE.swap + rss.swap,
    },
  });
  const event = (expected: ExpectedEvent): TraceEvent => ({
    name: expected.name,
    addr: BigInt(pageAddress(expected.region, expected.page, state.regions[expected.region])),
    order: 'order' in expected ? expected.order : 0,
    entry: 'entry' in expected ? rawEntry(expected) : faultCode(expected),
  });
  const rawEntry = ({ entry, inaccessible }: ExpectedMigration): bigint =>
    encodePte(
      profile,
      {
        kind: traceKind(profile.design, entry),
        frame: numberOf(entry.frame),
        write: entry.kind === 'present' && entry.write,
        accessible: !inaccessible,
        young: entry.young,
        dirty: entry.dirty,
        softDirty: profile.softDirty && entry.softDirty,
        uffd: entry.uffdWp,
      },
      entry.huge,
    );

  const partsOf = (step: Together, index: number): PartObservation[] => {
    const endings = endingsOf(state, step, index);
    const taken = endings[ending % endings.length]!;
    Object.assign(state, taken.state);
    return taken.parts.map(({ outcome, cpages, faults, data }) => ({
      outcome,
      ...(cpages === undefined ? {} : { cpages }),
      ...(faults === undefined ? {} : { faults }),
      ...(data ? { data: data.map((word) => ({ word: firstWord(word), uniform: !isTorn(word) })) } : {}),
      rounds: 1,
      lost: 0,
    }));
  };
  const steps = program.steps.map((step, index) => {
    const parts = step.op === 'together' ? partsOf(step, index) : undefined;
    const {
      outcome,
      cpages,
      faults,
      messages = 0,
      data,
      bytes,
      events,
    } = step.op === 'together' ? TOGETHER : apply(state, step, index);
    // Flags of pages that are seen now bind what smaps say of them.
    const regions = observe(state).map(region);
    const observed = {
      ...(parts ? { parts } : {}),
      step: index,
      outcome,
      ...(cpages === undefined ? {} : { cpages }),
      ...(faults === undefined ? {} : { faults }),
      ...(data ? { data: data.map((word) => ({ word: firstWord(word), uniform: !isTorn(word) })) } : {}),
      ...(bytes ? { bytes } : {}),
      messages,
      events: [...events, ...observationFaults(state, observers(state, program.steps, index))].map(event),
      processes: observeProcesses(state).map(observedProcess),
      meminfo: gauges(state),
      regions,
    };
    markObserved(state);
    return observed;
  });
  const finalEvents = applyEnd(state).map(event);
  return {
    steps,
    end: { kind: 'done' },
    finalEvents,
    base: BASE,
    vmEvents: { ...state.vmEvents },
    meminfo: gauges(state),
  };
}
