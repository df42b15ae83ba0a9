import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeProgram } from '../../../harness/programs/encode.ts';
import { generatePrograms, programArbitrary } from '../../../harness/programs/generate.ts';
import { findHazard } from '../../../harness/programs/hazards.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { printProgram } from '../../../harness/programs/print.ts';
import { WEIGHTS } from '../../../harness/programs/weights.ts';
import { makeProfile } from '../../../model/profile.ts';
import { MINORS } from '../../../model/program.ts';

const profile = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
const older = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

describe('generated programs', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(generatePrograms(7, 20)).toEqual(generatePrograms(7, 20));
    expect(generatePrograms(7, 5)).toEqual(generatePrograms(7, 20).slice(0, 5));
    expect(generatePrograms(8, 5)).not.toEqual(generatePrograms(7, 5));
  });

  it('have about as many steps as asked for', () => {
    const mean = (steps: number) => {
      const programs = generatePrograms(1, 200, { steps });
      return programs.reduce((sum, program) => sum + program.steps.length, 0) / programs.length;
    };
    expect(mean(40)).toBeGreaterThan(30);
    expect(mean(40)).toBeLessThan(55);
    expect(mean(10)).toBeLessThan(18);
  });

  it('reach every operation, several processes, all devices and inherited descriptors', () => {
    const programs = generatePrograms(6, 300);
    const steps = programs.flatMap((program) => program.steps);
    expect(new Set(steps.map(({ op }) => op)).size).toBe(Object.keys(WEIGHTS).length);
    expect(new Set(steps.map(({ by }) => by))).toEqual(new Set([0, 1, 2, 3]));
    expect(new Set(steps.map((step) => ('device' in step ? step.device : 0)))).toEqual(new Set(MINORS));
  });

  it.each([profile, older])('are safe, and accepted by the agent: $kernel', (profile) => {
    fc.assert(
      fc.property(programArbitrary({ profile }), (program) => {
        expect(findHazard(program, profile)).toBeUndefined();
        expect(() => encodeProgram(program, { sequence: 1, limitMs: 1 })).not.toThrow();
      }),
      { numRuns: 200 },
    );
  });

  it('stay safe when they are shrunk', () => {
    // Any program with a fork and a migration fails here; what fast-check makes of it must be small and safe.
    const found = fc.check(
      fc.property(programArbitrary({ profile }), ({ steps }) => {
        const forks = steps.some(({ op }) => op === 'fork');
        return !(forks && steps.some(({ op }) => op === 'migrate-to-dev'));
      }),
      { seed: 1, numRuns: 200 },
    );
    const [smallest] = found.counterexample!;
    expect(smallest.steps.length).toBeLessThanOrEqual(24);
    expect(findHazard(smallest, profile)).toBeUndefined();
  });

  it('are what they were after printing and parsing', () => {
    fc.assert(
      fc.property(
        programArbitrary(),
        fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
        (program, about) => {
          const whole = about === undefined ? program : { ...program, about };
          expect(parseProgram('p.yaml', printProgram(whole))).toEqual(whole);
        },
      ),
      { numRuns: 200 },
    );
  });
});
