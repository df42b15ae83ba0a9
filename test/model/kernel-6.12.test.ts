import { expect, it } from 'vitest';
import { findHazard } from '../../harness/programs/hazards.ts';
import { apply } from '../../model/apply.ts';
import { initialState } from '../../model/initial-state.ts';
import { observe } from '../../model/observe.ts';
import { pageFlags } from '../../model/page-flags.ts';
import { makeProfile } from '../../model/profile.ts';
import type { Program, Step } from '../../model/program.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
const current = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
const at = { region: 0, first: 0, count: 1 };

it('shows KSM for every anonymous page: stable_page_flags() of 6.12 tests a bit that PAGE_MAPPING_ANON shares', () => {
  const flagsOf = (profile: typeof old) => {
    const state = initialState(profile, [{ pages: 1 }]);
    const steps: Step[] = [
      { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
      { op: 'cpu-write', by: 0, at },
    ];
    for (const [index, step] of steps.entries()) apply(state, step, index);
    const frame = observe(state)[0]!.pages[0]!.frame!;
    return pageFlags(frame, state)!.set;
  };
  expect(flagsOf(old)).toContain('KSM');
  expect(flagsOf(current)).not.toContain('KSM');
});

it('never reads through the mirror of a process that is gone: dmirror_read() of 6.12 tries again for ever', () => {
  const program: Program = {
    name: 'dead-mirror',
    regions: [{ name: 'a', pages: 1 }],
    steps: [
      { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
      { op: 'fork', by: 0, child: 1 },
      { op: 'open', by: 1, device: 0 },
      { op: 'fork', by: 1, child: 2 },
      { op: 'exit', by: 1 },
      { op: 'read', by: 2, device: 0, at },
    ],
  };
  expect(findHazard(program, old)?.step).toBe(5);
  expect(findHazard(program, current)).toBeUndefined();
});

it('faults in pieces of 64 pages, 7.3 in pieces of 32', () => {
  // Page 40 is on the device: a fault of page 33 in one piece with it brings it back, in a piece of its own it does not.
  const program: Program = {
    name: 'pieces',
    regions: [{ name: 'a', pages: 64 }],
    steps: [
      { op: 'mmap', by: 0, region: 0, protection: 'read-write' },
      { op: 'open', by: 0, device: 0 },
      { op: 'migrate-to-dev', by: 0, device: 0, at: { region: 0, first: 33, count: 1 } },
      { op: 'read', by: 0, device: 0, at: { region: 0, first: 0, count: 34 } },
    ],
  };
  expect(findHazard(program, old)).toBeUndefined();
  // The second piece of 7.3 begins with page 32, which faults and takes page 33 with it.
  expect(findHazard(program, current)).toBeUndefined();
  const piece: Program = {
    ...program,
    steps: [
      ...program.steps.slice(0, 2),
      { op: 'migrate-to-dev', by: 0, device: 0, at: { region: 0, first: 32, count: 1 } },
      { op: 'read', by: 0, device: 0, at: { region: 0, first: 0, count: 33 } },
    ],
  };
  expect(findHazard(piece, old)).toBeUndefined();
  expect(findHazard(piece, current)?.step).toBe(3);
});
