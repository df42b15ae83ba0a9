import { describe, expect, it } from 'vitest';
import { findHazard } from '../../harness/programs/hazards.ts';
import { parseProgram } from '../../harness/programs/load.ts';
import { apply, endingsOf } from '../../model/apply.ts';
import { explore, TooManyWaysError } from '../../model/explore.ts';
import { initialState } from '../../model/initial-state.ts';
import { violations } from '../../model/invariants.ts';
import type { Outcome } from '../../model/observation.ts';
import { markObserved, observe } from '../../model/observe.ts';
import { pmdOf } from '../../model/page-table.ts';
import type { Program } from '../../model/program.ts';
import { isTorn } from '../../model/torn.ts';
import { STOCK } from './play.ts';

function programOf(steps: string, regions = '{a: 1}'): Program {
  const lines = steps.trim().split('\n');
  return parseProgram(
    'test',
    `name: test\nregions: ${regions}\nsteps:\n${lines.map((line) => `  - ${line.trim()}`).join('\n')}\n`,
  );
}

/** Of the last step, which is a `together`. */
function endings(steps: string, regions?: string) {
  const program = programOf(steps, regions);
  const state = initialState(STOCK, program.regions);
  for (const [index, step] of program.steps.entries()) {
    if (step.op === 'together') return endingsOf(state, step, index);
    apply(state, step, index);
    markObserved(state);
  }
  throw new Error('no step together');
}

/** One page that was written to, and a device for it. */
const WRITTEN = '{mmap: a}\n{cpu-write: a}\n{open: 0}';
const MIGRATED = `${WRITTEN}\n{migrate-to-dev: a, device: 0}`;

const name = (outcome: Outcome) => (outcome.kind === 'errno' ? outcome.errno : outcome.kind);
/** "outcome of each part; kind of the page in each process", of each ending. */
function summaries(steps: string): string[] {
  const all = endings(steps).map(({ parts, state }) => {
    const pages = observe(state).map(({ pages }) => pages[0]!.pte?.kind ?? 'none');
    return `${parts.map(({ outcome }) => name(outcome)).join(' ')}; ${pages.join(' ')}`;
  });
  return [...new Set(all)].sort();
}

describe('steps together', () => {
  it('leave a state without violations, whatever the order', () => {
    const all = endings(`${WRITTEN}
      {fork: p1}
      {together: [[{migrate-to-dev: a, device: 0}], [{cpu-write: a, by: p1}, {munmap: a, by: p1}]]}`);
    expect(all.length).toBeGreaterThan(1);
    for (const { state } of all) expect(violations(state)).toEqual([]);
  });

  it('leave a page table behind where mprotect comes before a first write has its anon_vma: do_anonymous_page()', () => {
    const tables = endings('{mmap: a}\n{together: [[{mprotect: a, protection: read}], [{cpu-write: a}]]}')
      .filter(({ parts }) => parts[1]!.outcome.kind === 'signal')
      .map(({ state }) => pmdOf(state.processes[0]!.mm, 0, 0));
    expect(new Set(tables)).toEqual(new Set([null, 'table']));
  });

  it('have a page stay that somebody else has at the moment (migrate_vma_collect_pmd, migrate_device_unmap)', () => {
    expect(
      summaries(`${WRITTEN}
        {open: 1}
        {together: [[{migrate-to-dev: a, device: 0}], [{migrate-to-dev: a, device: 1}]]}`),
      // The notification of the second takes the page from the first device's page table before it is read back.
    ).toEqual(['ENOENT ENOENT; device', 'ENOENT ENOENT; present', 'ENOENT ok; device', 'ok ENOENT; device']);
  });

  it('put no page in where the hole is filled meanwhile (migrate_vma_insert_page)', () => {
    const filled = endings(`
      {mmap: a}
      {open: 0}
      {together: [[{migrate-to-dev: a, device: 0}], [{cpu-write: a}]]}`);
    for (const { state } of filled) {
      const [page] = observe(state)[0]!.pages;
      // The write came last, or before the migration: it is never under a page of zeroes.
      expect(page!.frame!.word).toBeGreaterThan(0);
    }
  });

  it('have a fork wait for a migration of its process, which holds mmap_lock, but not for an eviction', () => {
    const kinds = (steps: string) => new Set(endings(steps).map(({ order }) => order.join('')));
    expect(kinds(`${MIGRATED}\n{together: [[{migrate-to-sys: a, device: 0}], [{fork: p1}]]}`)).toEqual(
      new Set(['01', '10']),
    );
    expect(kinds(`${MIGRATED}\n{together: [[{close: 0}], [{fork: p1}]]}`)).toEqual(
      new Set(['01', '010', '10']),
    );
  });

  it('have both of two processes copy a page that they share, when each sees the other (wp_page_copy)', () => {
    const frames = endings(`
      {mmap: a}
      {cpu-write: a}
      {fork: p1}
      {together: [[{cpu-write: a}], [{cpu-write: a, by: p1}]]}`).map(({ state, frames }) => {
      const kept = [...frames.values()];
      return observe(state).map(({ pages }) => (kept.includes(pages[0]!.frame!) ? 'kept' : 'copied'));
    });
    expect(frames).toContainEqual(['copied', 'copied']);
    expect(frames).toContainEqual(['kept', 'copied']);
    expect(frames).toContainEqual(['copied', 'kept']);
  });

  it('have a page that a load brings back go away again before the load', () => {
    expect(
      summaries(`${WRITTEN}
        {open: 1}
        {migrate-to-dev: a, device: 0}
        {together: [[{migrate-to-dev: a, device: 1}], [{cpu-read: a}]]}`),
    ).toContain('ok ok; present');
  });

  it('show a page in the middle of a write', () => {
    const read = endings(`
      {mmap: a}
      {cpu-write: a}
      {together: [[{cpu-write: a}], [{cpu-read: a}]]}`).map(({ parts }) => parts[1]!.data![0]!);
    expect(read.filter(isTorn).length).toBeGreaterThan(0);
    expect(read.filter((word) => !isTorn(word)).length).toBe(2);
  });

  it('are refused where test_hmm itself has a race', () => {
    for (const parts of [
      '[{read: a, device: 0}], [{migrate-to-sys: a, device: 0}]',
      '[{write: a, device: 0}], [{cpu-read: a}]',
      '[{close: 0}], [{cpu-read: a}]',
      '[{madvise: a, advice: dontneed}], [{migrate-to-dev: a, device: 0}]',
    ]) {
      expect(findHazard(programOf(`${MIGRATED}\n{together: [${parts}]}`), STOCK)?.step, parts).toBe(4);
    }
    const rounds = `${MIGRATED}\n{together: [[{cpu-read: a}], [{read: a, device: 0}]], rounds: 9}`;
    expect(findHazard(programOf(rounds), STOCK)?.step).toBe(4);
  });

  it('are refused in several rounds where a process that ends may close a file that faults use', () => {
    const hazard = (first: string) =>
      findHazard(programOf(`${WRITTEN}\n{together: [[${first}], [{fork: p1}]], rounds: 9}`), STOCK);
    expect(hazard('{migrate-to-dev: a, device: 0}, {close: 0}')).toBeUndefined();
    expect(hazard('{migrate-to-dev: a, device: 0}, {cpu-read: a}')).toBeUndefined();
    expect(hazard('{migrate-to-dev: a, device: 0}, {cpu-read: a}, {close: 0}')?.reason).toMatch(
      /ends closes it/,
    );
  });
});

describe('explore', () => {
  it('goes all ways, each once', () => {
    const ways: string[] = [];
    explore((choose) => {
      const first = choose(2);
      ways.push(first === 0 ? `0${choose(3)}` : '1');
    }, 10);
    expect(ways).toEqual(['00', '01', '02', '1']);
  });

  it('refuses more ways than are wanted', () => {
    expect(() => explore((choose) => void choose(11), 10)).toThrow(TooManyWaysError);
  });
});
