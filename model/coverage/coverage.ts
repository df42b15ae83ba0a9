/**
 * Which rows of the model's tables programs have reached. What there is to reach is declared as data (tables.ts); what
 * a program reaches is seen from outside of the model, which is not slowed down where nobody asks.
 */
import { apply, fileOf, type StepExpectation } from '../apply.ts';
import { initialState } from '../initial-state.ts';
import type { Outcome } from '../observation.ts';
import { markObserved } from '../observe.ts';
import { entryAt, hugeEntry, pmdEnd, pmdStart } from '../page-table.ts';
import type { Profile } from '../profile.ts';
import {
  type DeviceMinor,
  type PageRange,
  PMD_PAGES,
  type ProcessId,
  type Program,
  type RegionId,
  type Step,
} from '../program.ts';
import type { Mm, State } from '../state.ts';
import { isHugeCode, stateCode, stateName } from './page-state.ts';
import { type CoverageTraits, rowsFor } from './tables.ts';

/**
 * - `operations`: each operation with each of its outcomes
 * - `states`: what a page can be
 * - `transitions`: what an operation makes of a page in its range, of other pages that change with it (`elsewhere`),
 *   of a page in the copy that a fork makes (`child`), and of a page that mremap moves (`moved`)
 * - `rules`: kernel functions that decide an outcome, make an entry or fire an event
 */
export const TABLE_NAMES = ['operations', 'states', 'transitions', 'rules'] as const;
export type TableName = (typeof TABLE_NAMES)[number];

/** How often each row was reached. */
export type Coverage = Record<TableName, Map<string, number>>;

export function newCoverage(): Coverage {
  return { operations: new Map(), states: new Map(), transitions: new Map(), rules: new Map() };
}

function reach(coverage: Coverage, table: TableName, row: string): void {
  coverage[table].set(row, (coverage[table].get(row) ?? 0) + 1);
}

/** Notes what a program reaches while it is played on the model. */
export class CoverageRecorder {
  readonly #coverage: Coverage;
  readonly #state: State;
  #before: PageStates;
  /** What was before that, to be written over. */
  #spare: PageStates = [];
  #device: DeviceMinor | undefined;
  #actor: ProcessId | undefined;

  /** @param state before the first step */
  constructor(coverage: Coverage, state: State) {
    this.#coverage = coverage;
    this.#state = state;
    this.#before = statesOf(state);
  }

  /** To be called before a step is applied. */
  begin(step: Step): void {
    this.#device = 'device' in step && 'at' in step ? step.device : undefined;
    // The mm that a device operation acts on is that of whoever opened the device.
    this.#actor = this.#device === undefined ? step.by : fileOf(this.#state, step.by, this.#device)?.mm.id;
  }

  /** To be called when it was applied. */
  end(step: Step, expected: StepExpectation): void {
    const after = statesOf(this.#state, this.#spare);
    noteOutcome(this.#coverage, step, expected);
    notePages(this.#coverage, {
      state: this.#state,
      step,
      device: this.#device,
      actor: this.#actor,
      moves: step.op === 'mremap' && step.how !== 'resize' && expected.outcome.kind === 'ok',
      before: this.#before,
      after,
    });
    this.#spare = this.#before;
    this.#before = after;
  }
}

/**
 * Plays `program` and notes in `coverage` what it reaches.
 *
 * @throws HazardError for a program that is not safe to run (model/safe.ts)
 */
export function cover(coverage: Coverage, program: Program, profile: Profile): void {
  const state = initialState(profile, program.regions);
  const recorder = new CoverageRecorder(coverage, state);
  for (const [index, step] of program.steps.entries()) {
    // Behind it there are several states, and the recorder follows one.
    if (step.op === 'together') return;
    recorder.begin(step);
    recorder.end(step, apply(state, step, index));
    markObserved(state);
  }
}

function noteOutcome(coverage: Coverage, step: Step, { outcome, rule, events }: StepExpectation): void {
  reach(coverage, 'operations', `${step.op}: ${describeOutcome(outcome)}`);
  reach(coverage, 'rules', rule);
  // Faults are told on x86 alone.
  for (const event of events) if (event.name !== 'page_fault_user') reach(coverage, 'rules', event.rule);
}

function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'errno') return outcome.errno;
  return outcome.kind === 'signal' ? outcome.signal : 'ok';
}

/** By process and region, the state of each page (stateCode). */
export type PageStates = (Uint8Array[] | null)[];

export function statesOf(state: State, spare: PageStates = []): PageStates {
  return state.processes.map((process, id) => process && statesOfMm(process.mm, spare[id] ?? []));
}

function statesOfMm(mm: Mm, spare: Uint8Array[]): Uint8Array[] {
  return mm.ptes.map((table, region) => {
    const codes = spare[region]?.fill(0) ?? new Uint8Array(table.length);
    for (const vma of mm.vmas[region]!) {
      for (let page = vma.first; page < vma.end; ) {
        const pmd = hugeEntry(mm, region, page);
        if (pmd) {
          const end = pmdEnd(page, vma.end);
          codes.fill(stateCode(vma, page, pmd), page, end);
          page = end;
        } else {
          codes[page] = stateCode(vma, page, table[page]!);
          page++;
        }
      }
    }
    return codes;
  });
}

interface Change {
  state: State;
  step: Step;
  /** Through which the step acts, and the process that it acts on. */
  device: DeviceMinor | undefined;
  actor: ProcessId | undefined;
  /** An mremap that moved pages. */
  moves: boolean;
  before: PageStates;
  after: PageStates;
}

function notePages(coverage: Coverage, change: Change): void {
  const { step, device, actor, before, after } = change;
  const direct = namesOf(step.op, device);
  const elsewhere = 'at' in step ? namesOf(`${step.op} elsewhere`, device) : direct;
  for (let process = 0; process < after.length; process++) {
    const regions = after[process];
    if (!regions) continue;
    const isChild = step.op === 'fork' && process === step.child;
    const indirect = isChild ? namesOf('fork child', device) : elsewhere;
    const old = before[isChild ? step.by : process]!;
    for (let region = 0; region < regions.length; region++) {
      const within = 'at' in step && step.at.region === region && process === actor ? step.at : undefined;
      const codes = regions[region]!;
      noteRegion(coverage, change, {
        process,
        region,
        isChild,
        within,
        old: old[region]!,
        codes,
        direct,
        indirect,
      });
    }
  }
  if (change.moves && step.op === 'mremap') noteMoved(coverage, change, step);
}

/** What has become of each page at its new place. A hole leaves what is there. */
function noteMoved(
  coverage: Coverage,
  { device, before, after }: Change,
  { by, at, to }: Extract<Step, { op: 'mremap' }>,
): void {
  const old = before[by]![at.region]!;
  const codes = after[by]![to.region]!;
  for (let i = 0; i < Math.min(at.count, to.count); i++) {
    const was = stateName(old[at.first + i]!, device);
    const now = stateName(codes[to.first + i]!, device);
    if (was !== 'unmapped') reach(coverage, 'transitions', `mremap moved: ${was} > ${now}`);
  }
}

/** What was where mremap moves pages to is gone (noteMoved). */
function isTarget(moves: boolean, step: Step, process: ProcessId, region: RegionId, page: number): boolean {
  if (!moves || step.op !== 'mremap' || process !== step.by || region !== step.to.region) return false;
  return step.to.first <= page && page < step.to.first + step.to.count;
}

interface RegionChange {
  process: ProcessId;
  region: RegionId;
  isChild: boolean;
  within: PageRange | undefined;
  old: Uint8Array;
  codes: Uint8Array;
  /** Of pages in the range of the step, and of others. */
  direct: TransitionNames;
  indirect: TransitionNames;
}

function noteRegion(
  coverage: Coverage,
  { state, step, moves }: Change,
  { process, region, isChild, within, old, codes, direct, indirect }: RegionChange,
): void {
  let last = -1;
  for (let page = 0; page < codes.length; page++) {
    const [was, now] = [old[page]!, codes[page]!];
    const isDirect = within !== undefined && isWithin(page, within, isHugeCode(now));
    if (was === now && !isDirect && !isChild) continue;
    if (isTarget(moves, step, process, region, page)) continue;
    // Of a huge region, pages that go the same way one after the other count once.
    const way = was * 512 + now * 2 + Number(isDirect);
    if (codes.length >= PMD_PAGES && way === last) continue;
    last = way;
    reach(coverage, 'transitions', (isDirect ? direct : indirect).of(was, now));
    reach(coverage, 'states', stateName(now));
    const entry = entryAt(state.processes[process]!.mm, region, page);
    if (entry) reach(coverage, 'rules', entry.rule);
  }
}

/** Names of an operation's transitions, each made once. */
class TransitionNames {
  readonly #names = new Map<number, string>();

  constructor(
    private readonly operation: string,
    private readonly device: DeviceMinor | undefined,
  ) {}

  of(was: number, now: number): string {
    const known = this.#names.get(was * 256 + now);
    if (known !== undefined) return known;
    const name = `${this.operation}: ${stateName(was, this.device)} > ${stateName(now, this.device)}`;
    this.#names.set(was * 256 + now, name);
    return name;
  }
}

const TRANSITION_NAMES = new Map<string, TransitionNames>();

function namesOf(operation: string, device: DeviceMinor | undefined): TransitionNames {
  const key = `${operation} ${device}`;
  const names = TRANSITION_NAMES.get(key) ?? new TransitionNames(operation, device);
  TRANSITION_NAMES.set(key, names);
  return names;
}

/** A PMD entry that the range touches is in it as a whole. */
function isWithin(page: number, { first, count }: PageRange, byPmd: boolean): boolean {
  const start = byPmd ? pmdStart(page) : page;
  const end = byPmd ? start + PMD_PAGES : page + 1;
  return start < first + count && first < end;
}

export interface CoverageReport {
  /** Rows of the table that this kernel can reach. */
  rows: number;
  reached: number;
  /** Rows that no program reached, in the order of the table. */
  missing: string[];
  /** What was reached and is no row: the table is not whole. */
  undeclared: string[];
}

/** Compares what was reached with what the tables have for this kernel. */
export function reportCoverage(
  coverage: Coverage,
  kernel: CoverageTraits,
): Record<TableName, CoverageReport> {
  const report = (name: TableName): CoverageReport => {
    const declared = rowsFor(name, kernel);
    const known = new Set(declared);
    const missing = declared.filter((row) => !coverage[name].has(row));
    return {
      rows: known.size,
      reached: known.size - missing.length,
      missing,
      undeclared: [...coverage[name].keys()].filter((row) => !known.has(row)).sort(),
    };
  };
  return {
    operations: report('operations'),
    states: report('states'),
    transitions: report('transitions'),
    rules: report('rules'),
  };
}
