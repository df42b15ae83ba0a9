/**
 * What a stand-alone program sees of steps that actors take together, as columns of a table; its rows are what one order of
 * the actors or another leads to. The program has behaved when one row has all that it saw.
 */
import { apply, endingsOf, type StepExpectation } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { type ExpectedPage, markObserved, observe, observeProcesses } from '../../model/observe.ts';
import type { Expected } from '../../model/outcome.ts';
import { flagMask } from '../../model/page-flags.ts';
import type { Profile } from '../../model/profile.ts';
import type { DeviceMinor, Part, ProcessId, Program, Step } from '../../model/program.ts';
import type { State } from '../../model/state.ts';
import { isTorn } from '../../model/torn.ts';
import { pagemapKind } from '../compare/pagemap.ts';
import type { Divergence, FieldName, Place } from '../compare/tally.ts';
import { typeMacro, withOneExclusiveType } from './c-checks.ts';
import { readsData } from './c-steps.ts';
import { addressOf, hex, outcomeCode, wordCode } from './c-text.ts';
import { placeInWords, stepInWords } from './words.ts';

/** When a value is seen: by the part or step itself, by the process whose page it is, or when all have looked. */
export type Sight =
  | { phase: 'part'; actor: number; part: number }
  | { phase: 'step' }
  | { phase: 'page'; process: ProcessId }
  | { phase: 'all' };

export interface Column {
  step: number;
  sight: Sight;
  /** For people. */
  name: string;
  field: FieldName;
  /** C that yields the value; of phase `all` a call. */
  code: string;
  /** Whether it can be had only when the call has succeeded. */
  onSuccess: boolean;
}

export interface Table {
  columns: readonly Column[];
  /** C of each value; ANY where it is free. */
  rows: readonly (readonly string[])[];
}

const ANY = 'ANY';

/** What the model says of one step in one world. */
interface View {
  expected: StepExpectation;
  parts: readonly Expected[];
  state: State;
}

interface World {
  state: State;
  row: string[];
}

/** A column with how its value is found in a world. */
type Cell = Column & { value: (view: View) => string };

/**
 * The table of the steps from the first `together` up to `last`, which the fields are of that differed.
 *
 * @throws HazardError, TooManyWaysError as the model does
 */
export function tableOf(
  program: Program,
  profile: Profile,
  last: number,
  fields: readonly Divergence[],
): Table {
  let worlds: World[] = [{ state: initialState(profile, program.regions), row: [] }];
  const columns: Column[] = [];
  let free = false;
  for (const [index, step] of program.steps.entries()) {
    if (index > last) break;
    const views = worlds.flatMap((world) => viewsOf(world, step, index));
    free ||= step.op === 'together';
    if (free) {
      const cells = cellsOf(program, index, views[0]!.view, fields);
      columns.push(...cells);
      for (const { view, row } of views) row.push(...cells.map(({ value }) => value(view)));
    }
    worlds = views.map(({ view, row }) => ({ state: view.state, row }));
    // The program reads its pages from the first step together on.
    if (free) for (const { state } of worlds) markObserved(state);
  }
  return { columns, rows: worlds.map(({ row }) => row) };
}

/** Leaves out columns that tell nothing, of all architectures' tables alike, and rows that are there already. */
export function condense(tables: readonly Table[], last: number): Table[] {
  const [{ columns }] = tables as [Table];
  const tells = columns.map(
    ({ step, field }, index) =>
      step === last ||
      field === 'outcome' ||
      // Reading a page makes its entry young.
      field === 'words' ||
      tables.some(({ rows }) => rows.some((row) => row[index] !== rows[0]![index])),
  );
  return tables.map(({ rows }) => ({
    columns: columns.filter((_, index) => tells[index]),
    rows: [
      ...new Map(
        rows.map((row) => row.filter((_, index) => tells[index])).map((row) => [row.join(), row]),
      ).values(),
    ],
  }));
}

function viewsOf({ state, row }: World, step: Step, index: number): { view: View; row: string[] }[] {
  if (step.op !== 'together')
    return [{ view: { expected: apply(state, step, index), parts: [], state }, row }];
  return endingsOf(state, step, index).map((ending) => ({
    view: {
      expected: { outcome: { kind: 'ok' }, rule: 'together', events: [] },
      parts: ending.parts,
      state: ending.state,
    },
    row: [...row],
  }));
}

function cellsOf(program: Program, index: number, view: View, fields: readonly Divergence[]): Cell[] {
  const step = program.steps[index]!;
  const own = fields.filter((field) => field.step === index);
  const results =
    step.op === 'together'
      ? step.actors.flatMap((parts, actor) =>
          parts.flatMap((part, place) => {
            const number = step.actors.slice(0, actor).flat().length + place;
            const sight: Sight = { phase: 'part', actor, part: place };
            return resultCells(program, index, part, sight, ({ parts }) => parts[number]!);
          }),
        )
      : step.op === 'exit'
        ? []
        : resultCells(program, index, step, { phase: 'step' }, ({ expected }) => expected);
  return [...results, ...pageCells(program, index, view, own), ...statusCells(index, view, own)];
}

function resultCells(
  program: Program,
  index: number,
  step: Part | Exclude<Step, { op: 'together' }>,
  sight: Sight,
  expectedOf: (view: View) => Expected,
): Cell[] {
  const what = `step ${index}, ${stepInWords(step, program.regions)}`;
  const first = 'at' in step ? step.at.first : 0;
  const cell = (
    field: FieldName,
    name: string,
    code: string,
    value: (expected: Expected) => string | undefined,
  ): Cell => ({
    step: index,
    sight,
    name: `${what}: ${name}`,
    field,
    code,
    onSuccess: field !== 'outcome',
    value: (view) => {
      const expected = expectedOf(view);
      return (field === 'outcome' || expected.outcome.kind === 'ok' ? value(expected) : undefined) ?? ANY;
    },
  });
  const cells = [cell('outcome', 'result', 'err', ({ outcome }) => outcomeCode(outcome, first))];
  if ('device' in step && 'at' in step) {
    cells.push(cell('cpages', 'cpages', 'cmd.cpages', ({ cpages }) => numberCode(cpages)));
    cells.push(cell('faults', 'faults', 'cmd.faults', ({ faults }) => numberCode(faults)));
  }
  if (readsData(step) && 'at' in step) {
    for (let page = 0; page < step.at.count; page++) {
      cells.push(
        cell('data', `page ${page} of what was read`, `word_of(buffer + ${page} * PAGE)`, ({ data }) => {
          const word = data?.[page];
          return word === undefined || isTorn(word) ? undefined : wordCode(word);
        }),
      );
    }
  }
  return cells;
}

const numberCode = (number: number | undefined) => (number === undefined ? undefined : String(number));

/** A field of a page that is looked at only where it differed. */
interface PageField {
  code: (at: string) => string;
  value: (page: ExpectedPage) => string;
}

const PAGE_FIELDS: Readonly<Partial<Record<FieldName, PageField>>> = {
  'pagemap.soft-dirty': bitField('PM_SOFT_DIRTY', ({ softDirty }) => softDirty),
  'pagemap.exclusive': bitField('PM_EXCLUSIVE', ({ exclusive }) => exclusive),
  'pagemap.other-bits': bitField('PM_UNEXPECTED', () => false),
  kpagecount: {
    code: (at) => `kpage(KPAGECOUNT, ${at})`,
    value: ({ count }) => (count === undefined ? 'NOTHING' : String(count)),
  },
  kpageflags: {
    code: (at) => `kpage(KPAGEFLAGS, ${at})`,
    value: ({ flags }) => {
      if (!flags) return 'NOTHING';
      // One table has one mask: where a bit is free, the whole is.
      if (flags.free.length > 0) return ANY;
      return hex(flagMask(flags.set));
    },
  },
  mincore: { code: (at) => `resident(${at})`, value: ({ mincore }) => String(mincore) },
};

function bitField(mask: string, set: (page: ExpectedPage) => boolean): PageField {
  return { code: (at) => `pagemap(${at}) & ${mask}`, value: (page) => (set(page) ? mask : '0') };
}

/** Of every page its kind, its content and who shares it; and what differed of it. */
function pageCells(program: Program, index: number, view: View, own: readonly Divergence[]): Cell[] {
  const regions = observe(view.state);
  const places = regions.flatMap(({ process, region, pages }) =>
    pages.map((_, page) => ({ step: index, process, region, page })),
  );
  const pageIn = ({ state }: View, { process, region, page }: Place): ExpectedPage =>
    observe(state).find((other) => other.process === process && other.region === region)!.pages[page!]!;
  const cells: Cell[] = [];
  for (const [number, place] of places.entries()) {
    const { process, region, page } = place;
    const at = addressOf(program, region, page);
    const add = (field: FieldName, code: string, value: Cell['value'], sight: Sight) =>
      cells.push({
        step: index,
        sight,
        name: `step ${index}, ${placeInWords(place, program.regions)}: ${field}`,
        field,
        code,
        onSuccess: false,
        value,
      });
    const byOwner: Sight = { phase: 'page', process };
    add(
      'pagemap.kind',
      withOneExclusiveType(`kind_of(${at})`, view.state.profile),
      (other) => kindCode(pageIn(other, place)),
      byOwner,
    );
    add('words', `word_at(${at})`, (other) => contentCode(pageIn(other, place)), byOwner);
    for (const field of new Set(own.map((divergence) => divergence.field))) {
      const known = PAGE_FIELDS[field];
      if (known) add(field, known.code(at), (other) => known.value(pageIn(other, place)), byOwner);
    }
    add(
      'pagemap.frame',
      `first_sharer(${number})`,
      (other) => {
        const id = pageIn(other, place).pte?.frame.id;
        return String(places.findIndex((earlier) => pageIn(other, earlier).pte?.frame.id === id));
      },
      { phase: 'all' },
    );
  }
  const seesSnapshots = own.some(({ field }) => field.startsWith('snapshot.'));
  if (seesSnapshots) cells.push(...snapshotCells(program, index, view));
  return cells;
}

function snapshotCells(program: Program, index: number, view: View): Cell[] {
  return observe(view.state).flatMap(({ process, region, pages, snapshots }) =>
    snapshots.flatMap(({ device }) =>
      pages.map(
        (_, page): Cell => ({
          step: index,
          sight: { phase: 'page', process },
          name: `step ${index}, ${placeInWords({ step: index, process, region, page }, program.regions)}: SNAPSHOT by device ${device}`,
          field: 'snapshot.bytes',
          code: `snapshot_byte(device[${device}], ${addressOf(program, region, page)})`,
          onSuccess: false,
          value: ({ state }) => String(byteIn(state, process, region, device, page)),
        }),
      ),
    ),
  );
}

function byteIn(state: State, process: ProcessId, region: number, device: DeviceMinor, page: number): number {
  const seen = observe(state).find((other) => other.process === process && other.region === region)!;
  return seen.snapshots.find((snapshot) => snapshot.device === device)!.bytes[page]!;
}

function kindCode({ pte }: ExpectedPage): string {
  const kind = pagemapKind(pte);
  if (kind === 'none') return '0';
  return kind === 'present' ? 'PM_PRESENT' : `PM_SWAP | ${typeMacro(kind)}`;
}

function contentCode({ word }: ExpectedPage): string {
  if (word === undefined) return 'NOTHING';
  return isTorn(word) ? ANY : wordCode(word);
}

function statusCells(index: number, view: View, own: readonly Divergence[]): Cell[] {
  const names = { 'status.rss-anon': ['anon', 'RssAnon'], 'status.swap': ['swap', 'VmSwap'] } as const;
  return (Object.keys(names) as (keyof typeof names)[]).flatMap((field) => {
    if (own.every((divergence) => divergence.field !== field)) return [];
    const [key, name] = names[field];
    return observeProcesses(view.state).map(
      ({ process }): Cell => ({
        step: index,
        sight: { phase: 'page', process },
        name: `step ${index}, p${process}: ${name} in KiB, beside what was there before the first step`,
        field,
        code: `own_status("${name}")`,
        onSuccess: false,
        value: ({ state }) =>
          String(observeProcesses(state).find((other) => other.process === process)!.rss[key]),
      }),
    );
  });
}
