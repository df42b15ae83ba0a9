import { describe, expect, it } from 'vitest';
import { encodeProgram } from '../../../harness/programs/encode.ts';
import { generateConcurrentPrograms } from '../../../harness/programs/generate-concurrent.ts';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { printProgram } from '../../../harness/programs/print.ts';
import { makeProfile } from '../../../model/profile.ts';

const profile = makeProfile({ kernel: '7.3', design: 'offset', arch: 'aarch64' });
const programs = generateConcurrentPrograms(1, 20, { profile });

describe('generated concurrent programs', () => {
  it('are as many as are asked for, the same for the same seed, and none for none', () => {
    expect(programs.length).toBe(20);
    expect(generateConcurrentPrograms(1, 3, { profile })).toEqual(programs.slice(0, 3));
    expect(generateConcurrentPrograms(1, 0, { profile })).toEqual([]);
  });

  it('are safe, the agent takes them, and files hold them', () => {
    for (const program of programs) {
      expect(findHazard(program, profile)).toBeUndefined();
      expect(() => encodeProgram(program, { sequence: 1, limitMs: 1000 })).not.toThrow();
      expect(parseProgram('file', printProgram(program))).toEqual(program);
    }
  });

  it('have steps of one round and of several, by threads and by processes', () => {
    const steps = programs.flatMap((program) =>
      program.steps.flatMap((s) => (s.op === 'together' ? [s] : [])),
    );
    expect(steps.length).toBe(20);
    expect(new Set(steps.map(({ rounds }) => rounds > 1))).toEqual(new Set([true, false]));
    const processes = steps.map(({ actors }) => new Set(actors.map(([part]) => part!.by)).size);
    expect(new Set(processes)).toEqual(new Set([1, 2]));
  });
});
