import { describe, expect, it } from 'vitest';
import { compare } from '../../../harness/compare/compare.ts';
import { generateConcurrentPrograms } from '../../../harness/programs/generate-concurrent.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import { ROUND_SHIFT } from '../../../harness/programs/protocol.ts';
import type { ProgramTranscript } from '../../../model/observation.ts';
import { environmentOf, predict } from './predict.ts';

const environment = environmentOf({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });

const race = parseProgram(
  'race',
  `name: race
regions: {a: 1}
steps:
  - {mmap: a}
  - {cpu-write: a}
  - {open: 0}
  - {together: [[{migrate-to-dev: a, device: 0}], [{cpu-write: a}]]}
  - {cpu-read: a}
`,
);

describe('a step together', () => {
  it('is explained by each of its endings', () => {
    const seen = new Set<string>();
    for (let ending = 0; ending < 8; ending++) {
      const transcript = predict(race, environment, ending);
      seen.add(JSON.stringify(transcript.steps[3]!.parts?.map(({ outcome }) => outcome)));
      const { divergences, slack, steps } = compare(race, transcript, environment);
      expect(divergences).toEqual([]);
      expect(slack['order-of-actors']).toBe(1);
      expect(steps).toBe(5);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it('is explained in generated programs, in each design and architecture', () => {
    for (const design of ['pfn', 'offset'] as const) {
      for (const arch of ['x86_64', 'aarch64'] as const) {
        const other = environmentOf({ kernel: '7.3', design, arch });
        for (const program of generateConcurrentPrograms(3, 6, { profile: other.profile })) {
          if (program.steps.some((step) => step.op === 'together' && step.rounds > 1)) continue;
          for (const ending of [0, 1, 2]) {
            const { divergences } = compare(program, predict(program, other, ending), other);
            expect(divergences, program.name).toEqual([]);
          }
        }
      }
    }
  });

  it('diverges when no order explains it, and says which comes nearest', () => {
    const transcript = predict(race, environment);
    const lost = transcript.steps[4]!;
    lost.data = [{ word: 0n, uniform: true }];
    expect(compare(race, transcript, environment).divergences[0]).toMatchObject({ step: 4, field: 'data' });

    const unlikely = predict(race, environment);
    unlikely.steps[3]!.parts![1]!.outcome = { kind: 'signal', signal: 'SIGSEGV', page: 0 };
    const [first] = compare(race, unlikely, environment).divergences;
    expect(first).toMatchObject({ step: 3, field: 'outcome' });
    expect(first!.rule).toContain('the nearest order is list');
  });

  it('remembers what it could not tell apart: an order that a later step refutes is no longer one', () => {
    // ENOENT, and the page in RAM: the device's page table may have nothing, so its next read must fault.
    const transcript = predict(race, environment, 1);
    transcript.steps[4]!.data = [{ word: transcript.steps[4]!.data![0]!.word, uniform: false }];
    expect(compare(race, transcript, environment).divergences[0]).toMatchObject({ step: 4, field: 'data' });
  });
});

const long = parseProgram(
  'long',
  `name: long
regions: {a: 1}
steps:
  - {mmap: a}
  - {open: 0}
  - together: [[{migrate-to-dev: a, device: 0}], [{cpu-write: a}]]
    rounds: 7
  - {cpu-read: a}
  - {close: 0}
`,
);

/** As the model has it, with the rounds that it does not know. */
function predictLong(): ProgramTranscript {
  const transcript = predict(long, environment);
  const [, , together, read, close] = transcript.steps;
  for (const part of together!.parts!) part.rounds = 7;
  const last = read!.data![0]!.word ^ (6n << ROUND_SHIFT);
  read!.data![0]!.word = last;
  for (const step of [together!, read!, close!]) {
    for (const { pages } of step.regions) {
      const page = pages.at(0)!;
      if (page.words) page.words = [last, last];
    }
  }
  return transcript;
}

describe('steps of several rounds', () => {
  it('are checked by what must hold whatever the actors did', () => {
    const { divergences, steps, fieldsCompared } = compare(long, predictLong(), environment);
    expect(divergences).toEqual([]);
    expect(steps).toBe(5);
    expect(fieldsCompared.words).toBeGreaterThan(3);
  });

  const corruptions: [
    what: string,
    corrupt: (transcript: ProgramTranscript) => void,
    step: number,
    field: string,
  ][] = [
    [
      'a write that was lost',
      ({ steps }) => {
        steps[2]!.parts![1]!.lost = 1;
      },
      2,
      'words',
    ],
    [
      'content that nobody wrote',
      ({ steps }) => {
        steps[3]!.data![0]!.word = 0x1234n;
      },
      3,
      'data',
    ],
    [
      'half a page',
      ({ steps }) => {
        steps[3]!.data![0]!.uniform = false;
      },
      3,
      'data',
    ],
    [
      'an error that nothing explains',
      ({ steps }) => {
        steps[2]!.parts![0]!.outcome = { kind: 'errno', errno: 'EFAULT' };
      },
      2,
      'outcome',
    ],
    [
      'an end that is none',
      (transcript) => {
        transcript.end = { kind: 'hung', step: 4, stacks: [] };
      },
      4,
      'end',
    ],
  ];
  it.each(corruptions)('find %s', (_, corrupt, step, field) => {
    const transcript = predictLong();
    corrupt(transcript);
    expect(compare(long, transcript, environment).divergences[0]).toMatchObject({ step, field });
  });
});

const FORKS = parseProgram(
  'forks',
  `name: forks
regions: {a: 1}
steps:
  - {mmap: a}
  - {open: 0}
  - together: [[{cpu-write: a}], [{fork: p1}]]
    rounds: 7
  - {close: 0}
  - {cpu-read: a, by: p1}
`,
);

/** As the model has it, but the child has been forked in the middle of round 4. */
function predictForks(): ProgramTranscript {
  const transcript = predict(FORKS, environment);
  const [, , together, close, read] = transcript.steps;
  const before = read!.data![0]!.word;
  const word = (round: bigint) => before ^ (round << ROUND_SHIFT);
  for (const part of together!.parts!) part.rounds = 7;
  read!.data![0] = { word: word(4n), uniform: false };
  for (const { regions } of [together!, close!, read!]) {
    for (const { process, pages } of regions) {
      const page = pages.at(0)!;
      if (page.words) page.words = process === 0 ? [word(6n), word(6n)] : [word(4n), word(3n)];
    }
  }
  return transcript;
}

describe('a process that is forked in several rounds', () => {
  it('may have half a page, and has the devices open that were open when it was forked', () => {
    const transcript = predictForks();
    expect(compare(FORKS, transcript, environment).divergences).toEqual([]);
  });

  it('is the only one that may', () => {
    const transcript = predictForks();
    const parents = transcript.steps[2]!.regions.find(({ process }) => process === 0)!.pages.at(0)!;
    parents.words = [parents.words![0], parents.words![0] ^ (1n << ROUND_SHIFT)];
    expect(compare(FORKS, transcript, environment).divergences[0]).toMatchObject({
      step: 2,
      process: 0,
      field: 'words',
    });
  });
});
