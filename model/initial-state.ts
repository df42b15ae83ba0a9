/** The state before the first step. */
import { CHUNK_PAGES } from './device-allocator.ts';
import { newFrame } from './frame.ts';
import { newPageCache } from './page-cache.ts';
import type { Profile } from './profile.ts';
import { MINORS, PMD_PAGES, type ProcessId, type Region } from './program.ts';
import { emptyTables, type Mm, type Pmd, type Process, type State } from './state.ts';
import { noVmEvents } from './vm-events.ts';

/** One process, 0, without mappings and open files. */
export function initialState(profile: Profile, regions: readonly Pick<Region, 'pages' | 'backing'>[]): State {
  const state: State = {
    profile,
    regions: regions.map((region) => region.pages),
    files: [],
    processes: [],
    devices: MINORS.map((minor) => ({
      minor,
      free: [],
      fresh: CHUNK_PAGES - 1,
      generation: 0,
      loadedGeneration: 0,
      chunks: 1,
      freeHuge: [],
      freshHuge: null,
      live: new Set(),
    })),
    freeHugetlb: [],
    zero: newFrame(0, 'zero', -1),
    hugeZero: null,
    nextId: 1,
    vmEvents: noVmEvents(),
    mlocked: { least: 0, most: 0 },
    events: [],
    messages: 0,
    ksmMms: [],
    batched: new Set(),
    activating: new Map(),
    mlocking: [],
    freeing: new Set(),
    settles: false,
    swap: false,
    nonresidentAge: 0,
  };
  state.files = regions.map((region, index) => newPageCache(state, region, index));
  state.settles = state.files.some((file) => file !== null);
  state.processes.push(newProcess(state, 0));
  return state;
}

export function newProcess(state: State, id: ProcessId): Process {
  const mm: Mm = {
    id,
    alive: true,
    vmas: state.regions.map(() => []),
    ptes: emptyTables(state),
    pmds: state.regions.map((pages) => new Array<Pmd>(Math.ceil(pages / PMD_PAGES)).fill(null)),
    hugetlbTables: state.regions.map(() => false),
    mirrors: [],
    userfault: null,
    userfaultMarkers: false,
    rmapItems: new Map(),
  };
  return { id, mm, devices: state.devices.map(() => null), pins: null };
}
