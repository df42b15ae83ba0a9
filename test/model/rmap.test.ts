import { describe, expect, it } from 'vitest';
import { rmapWalk } from '../../model/rmap.ts';
import { play, pte } from './play.ts';

function walk(steps: string, process: number, page: number): string[] {
  const { state } = play(steps);
  return rmapWalk(pte(state, process, page)!.frame).map(
    ({ vma }) => `p${vma.mm.id} ${vma.first}..${vma.end}`,
  );
}

describe('the reverse mapping (mm/rmap.c)', () => {
  it('visits processes in the order of their forks', () => {
    const steps = `
      {mmap: a}
      {cpu-write: a}
      {fork: p1}
      {fork: p2, by: p1}
      {fork: p3}`;
    expect(walk(steps, 0, 0)).toEqual(['p0 0..4', 'p1 0..4', 'p2 0..4', 'p3 0..4']);
  });

  it('visits a vma that was split before, or after, by where it starts now', () => {
    const steps = `
      {mmap: a}
      {cpu-write: a}
      {fork: p1}
      {munmap: "a[0]"}`;
    // The rest of the parent's vma starts at page 1, behind the child's, which starts at page 0.
    expect(walk(steps, 0, 2)).toEqual(['p1 0..4', 'p0 1..4']);
  });

  it('puts a vma whose end was cut off behind others that start where it does', () => {
    const steps = `
      {mmap: a}
      {cpu-write: a}
      {fork: p1}
      {munmap: "a[3]"}`;
    expect(walk(steps, 0, 0)).toEqual(['p1 0..4', 'p0 0..3']);
  });

  it('knows a page that was born in a child by the child and its children only', () => {
    const steps = `
      {mmap: a}
      {cpu-write: "a[0]"}
      {fork: p1}
      {cpu-write: "a[1]", by: p1}
      {fork: p2, by: p1}
      {fork: p3}`;
    expect(walk(steps, 1, 1)).toEqual(['p1 0..4', 'p2 0..4']);
  });

  it('moves a page that is reused to the anon_vma of its new owner', () => {
    const steps = `
      {mmap: a}
      {cpu-write: "a[0]"}
      {fork: p1}
      {munmap: "a[0]"}
      {fork: p2}
      {cpu-write: "a[0]", by: p1}`;
    expect(walk(steps, 1, 0)).toEqual(['p1 0..4']);
  });

  it('gives a grandchild the anon_vma of a child that has ended (maybe_reuse_anon_vma)', () => {
    const steps = `
      {mmap: a}
      {cpu-write: "a[0]"}
      {fork: p1}
      {fork: p2, by: p1}
      {exit: p1}
      {fork: p3, by: p2}
      {cpu-write: "a[0]", by: p3}`;
    const { state } = play(steps);
    const ofChild = state.processes[2]!.mm.vmas[0]![0]!.chain;
    const own = state.processes[3]!.mm.vmas[0]![0]!.anonVma!;
    expect(ofChild).toContain(own);
    expect(own).not.toBe(state.processes[2]!.mm.vmas[0]![0]!.anonVma);
  });

  it('is not there for a vma that only mapped the zero page', () => {
    const { state } = play(`
      {mmap: a}
      {cpu-read: a}
      {fork: p1}`);
    expect(state.processes[0]!.mm.vmas[0]![0]!.anonVma).toBeNull();
    expect(pte(state, 1, 0)).toBeNull();
  });
});
