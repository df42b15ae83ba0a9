/** Beginnings of programs, by what some page is at the end of them. */
import { statesOf } from '../../model/coverage/coverage.ts';
import { stateName } from '../../model/coverage/page-state.ts';
import { initialState } from '../../model/initial-state.ts';
import type { Profile } from '../../model/profile.ts';
import { isHugeRegion, type Program, type Step } from '../../model/program.ts';
import type { State, Vma } from '../../model/state.ts';
import { takeStep } from './rows.ts';

/** Kept of each state of a page in each kind of mapping: the shortest. */
const KEPT = 4;
/** What a step of a huge region costs, in others. */
const HUGE_STEP = 10;

/** The steps of a program before `end`. */
export interface Beginning {
  program: Program;
  end: number;
  cost: number;
}

export class Beginnings {
  /** By the state of a page, and the kind of mapping that it is in. */
  readonly #byState = new Map<string, Map<string, Beginning[]>>();

  constructor(private readonly profile: Profile) {}

  /** @param program that is safe on kernels of the profile */
  addAll(program: Program): void {
    const state = initialState(this.profile, program.regions);
    for (const [index, step] of program.steps.entries()) {
      if (step.op === 'together') return;
      takeStep(state, step, index);
      this.add(state, program, index + 1);
    }
  }

  /** @param state of the program before its step `end` */
  add(state: State, program: Pick<Program, 'regions'> & { steps: readonly Step[] }, end: number): void {
    const cost = end * (program.regions.some(({ pages }) => isHugeRegion(pages)) ? HUGE_STEP : 1);
    let copy: Beginning | undefined;
    for (const [name, kinds] of statesIn(state)) {
      for (const kind of kinds) {
        const kept = this.#keptOf(name, kind);
        if (kept.length >= KEPT && cost >= kept.at(-1)!.cost) continue;
        copy ??= {
          program: { name: 'beginning', regions: program.regions, steps: program.steps.slice(0, end) },
          end,
          cost,
        };
        kept.push(copy);
        kept.sort((a, b) => a.cost - b.cost);
        kept.splice(KEPT);
      }
    }
  }

  /** With a page in `state`, named as on any device; each kind of mapping is as likely as others. */
  choose(state: string, kind: number, which: number): Beginning | undefined {
    const lists = [...(this.#byState.get(state)?.values() ?? [])];
    const list = lists[kind % lists.length];
    return list?.[which % list.length];
  }

  /** Those that some page is in at the end of a beginning, named as on any device. */
  states(): string[] {
    return [...this.#byState.keys()];
  }

  #keptOf(name: string, kind: string): Beginning[] {
    const kinds = this.#byState.get(name) ?? new Map<string, Beginning[]>();
    this.#byState.set(name, kinds);
    const kept = kinds.get(kind) ?? [];
    kinds.set(kind, kept);
    return kept;
  }
}

/** The states that pages are in, and the kinds of mappings where. */
function statesIn(state: State): Map<string, Set<string>> {
  const states = new Map<string, Set<string>>();
  const add = (code: number, kind: string) => {
    const name = stateName(code);
    const kinds = states.get(name) ?? new Set();
    states.set(name, kinds.add(kind));
  };
  for (const [id, regions] of statesOf(state).entries()) {
    for (const [region, codes] of (regions ?? []).entries()) {
      if (codes.includes(0)) add(0, '');
      for (const vma of state.processes[id]!.mm.vmas[region]!) {
        const kind = kindOf(state, vma);
        for (const code of new Set(codes.subarray(vma.first, vma.end))) add(code, kind);
      }
    }
  }
  return states;
}

function kindOf(state: State, vma: Vma): string {
  const { read, write, locked, shared, uffdMissing, uffdWp, mergeable, thp } = vma;
  const file = vma.file && `${state.files[vma.region]?.kind} ${shared}`;
  const huge = isHugeRegion(state.regions[vma.region]!);
  return [read, write, locked, uffdMissing, uffdWp, mergeable, thp, file, huge, state.swap !== null].join(
    ' ',
  );
}
