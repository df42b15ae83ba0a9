import type {
  AnonVma,
  DeviceFile,
  DevicePte,
  Frame,
  Mm,
  PageCache,
  Process,
  Pte,
  State,
  Vma,
} from './state.ts';

/** An independent copy of a state: frames keep their ids, and what is shared in `state` is shared in the copy. */
export function cloneState(state: State): State {
  return cloneWithFrames(state).state;
}

/** The same, and which frame of the copy stands for which of the original. */
export function cloneWithFrames(state: State): { state: State; frames: ReadonlyMap<Frame, Frame> } {
  const anonVmas = new Map<AnonVma, AnonVma>();
  const vmas = new Map<Vma, Vma>();
  const frames = new Map<Frame, Frame>();
  const files = new Map<DeviceFile, DeviceFile>();
  const mms = new Map<Mm, Mm>();
  const caches = new Map<PageCache, PageCache>();

  const anonVmaOf = (old: AnonVma): AnonVma => {
    const known = anonVmas.get(old);
    if (known) return known;
    const copy: AnonVma = { ...old, tree: [] };
    anonVmas.set(old, copy);
    copy.parent = anonVmaOf(old.parent);
    copy.root = anonVmaOf(old.root);
    copy.tree = old.tree.map(vmaOf);
    return copy;
  };
  const vmaOf = (old: Vma): Vma => {
    // An mm copies its own vmas and files: the look-up comes after it.
    const mm = mmOf(old.mm);
    const known = vmas.get(old);
    if (known) return known;
    const copy: Vma = { ...old, mm, anonVma: null, chain: [] };
    vmas.set(old, copy);
    copy.anonVma = old.anonVma && anonVmaOf(old.anonVma);
    copy.chain = old.chain.map(anonVmaOf);
    copy.file = old.file && cacheOf(old.file);
    return copy;
  };
  const frameOf = (old: Frame): Frame => {
    const known = frames.get(old);
    if (known) return known;
    const copy: Frame = { ...old };
    frames.set(old, copy);
    copy.head = frameOf(old.head);
    copy.pages = old.pages?.map(frameOf) ?? null;
    copy.large = old.large && {
      ...old.large,
      owners: [ownerOf(old.large.owners[0]), ownerOf(old.large.owners[1])],
      counts: [...old.large.counts],
    };
    copy.anonVma = old.anonVma && anonVmaOf(old.anonVma);
    copy.file = old.file && cacheOf(old.file);
    copy.cached = old.cached && frameOf(old.cached);
    copy.migrator = old.migrator && fileOf(old.migrator);
    return copy;
  };
  const cacheOf = (old: PageCache): PageCache => {
    const known = caches.get(old);
    if (known) return known;
    const copy: PageCache = { ...old, pages: [], mappings: [] };
    caches.set(old, copy);
    copy.pages = old.pages.map((page) => page && frameOf(page));
    copy.mappings = old.mappings.map(vmaOf);
    return copy;
  };
  const fileOf = (old: DeviceFile): DeviceFile => {
    const mm = mmOf(old.mm);
    const known = files.get(old);
    if (known) return known;
    const copy: DeviceFile = { ...old, mm, pt: [] };
    files.set(old, copy);
    copy.pt = old.pt.map((table) => table.map((entry) => entry && devicePteOf(entry)));
    return copy;
  };
  const ownerOf = (old: Mm | null): Mm | null => old && mmOf(old);
  const devicePteOf = (old: DevicePte): DevicePte => ({ ...old, frame: frameOf(old.frame) });
  const pteOf = (old: Pte): Pte => ({ ...old, frame: frameOf(old.frame) });
  const mmOf = (old: Mm): Mm => {
    const known = mms.get(old);
    if (known) return known;
    const copy: Mm = {
      ...old,
      vmas: [],
      ptes: [],
      pmds: [],
      hugetlbTables: [...old.hugetlbTables],
      mirrors: [],
      rmapItems: new Map(),
    };
    mms.set(old, copy);
    copy.vmas = old.vmas.map((list) => list.map(vmaOf));
    copy.ptes = old.ptes.map((table) => table.map((pte) => pte && pteOf(pte)));
    copy.pmds = old.pmds.map((list) =>
      list.map((pmd) => (pmd === null || pmd === 'table' ? pmd : pteOf(pmd))),
    );
    copy.mirrors = old.mirrors.map(fileOf);
    copy.rmapItems = new Map([...old.rmapItems].map(([key, item]) => [key, { ...item }]));
    return copy;
  };
  const processOf = (old: Process): Process => ({
    ...old,
    mm: mmOf(old.mm),
    pins: old.pins?.map(frameOf) ?? null,
    devices: old.devices.map((descriptor) => descriptor && { ...descriptor, file: fileOf(descriptor.file) }),
  });

  const copy: State = {
    ...state,
    zero: frameOf(state.zero),
    vmEvents: { ...state.vmEvents },
    mlocked: { ...state.mlocked },
    freeHugetlb: [...state.freeHugetlb],
    files: state.files.map((file) => file && cacheOf(file)),
    hugeZero: state.hugeZero && frameOf(state.hugeZero),
    processes: state.processes.map((process) => process && processOf(process)),
    devices: state.devices.map((device) => ({
      ...device,
      free: [...device.free],
      freeHuge: [...device.freeHuge],
      live: new Set([...device.live].map(frameOf)),
    })),
    events: state.events.map((event) =>
      'entry' in event ? { ...event, entry: pteOf(event.entry) } : { ...event },
    ),
    ksmMms: state.ksmMms.map(mmOf),
    batched: new Set([...state.batched].map(frameOf)),
    mlocking: state.mlocking.map(({ frame, drain }) => ({ frame: frameOf(frame), drain })),
    freeing: new Set([...state.freeing].map(frameOf)),
    activating: new Map([...state.activating].map(([frame, activation]) => [frameOf(frame), activation])),
  };
  return { state: copy, frames };
}
