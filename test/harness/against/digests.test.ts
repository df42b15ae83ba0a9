import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { digestOf, readDigests } from '../../../harness/against/digests.ts';
import { loadRun } from '../compare/recorded-runs.ts';
import { CtrlC } from './ctrl-c.ts';

const NAME = 'run-pfn-x86_64';
const file = fileURLToPath(new URL(`../../fixtures/transcripts/${NAME}.bin`, import.meta.url));
const { environment, programs: recorded } = loadRun(NAME);
const { profile } = environment;
const programs = recorded.map(({ program }) => program);

describe('the digests of a lane', () => {
  it('are those of its recorded transcripts, by the index of the program', async () => {
    const counts: number[] = [];
    const digests = await readDigests(profile, programs, [file], { progress: (done) => counts.push(done) });
    expect([...digests]).toEqual(
      recorded.map(({ program, transcript }, index) => [index, digestOf(profile, program, transcript)]),
    );
    expect(counts.at(-1)).toBe(programs.length);
  });

  it('are left alone within a moment of Ctrl-C, however many transcripts there are', async () => {
    const files = Array.from({ length: 10_000 }, () => file);
    const ctrlC = new CtrlC();
    ctrlC.press(100);
    const { signal } = ctrlC;
    await expect(readDigests(profile, programs, files, { signal })).rejects.toThrow('stopped');
    expect(ctrlC.elapsed).toBeLessThan(1000);
  });
});
