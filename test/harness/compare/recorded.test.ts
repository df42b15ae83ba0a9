/** Transcripts of real guests, compared with the model (recorded-runs.ts). */
import { describe, expect, it } from 'vitest';
import { compare } from '../../../harness/compare/compare.ts';
import { makeProfile } from '../../../model/profile.ts';
import { mutations } from './mutate.ts';
import { loadRun, withListedPages } from './recorded-runs.ts';

const names = ['run-pfn-x86_64', 'run-pfn-aarch64', 'run-offset-x86_64'];

describe.each(names)('the recorded run %s', (name) => {
  const { environment, programs } = loadRun(name);

  it('is what the model predicts', () => {
    for (const { program, transcript } of programs) {
      const { divergences, steps } = compare(program, transcript, environment);
      expect(divergences, program.name).toEqual([]);
      expect(steps).toBe(program.steps.length);
    }
  });

  it('diverges by what is read with the wrong kernel in mind', () => {
    const { kernel, design, arch, softDirty } = environment.profile;
    const other = makeProfile({ kernel, design: design === 'pfn' ? 'offset' : 'pfn', arch, softDirty });
    const fields = programs.flatMap(({ program, transcript }) =>
      compare(program, transcript, { ...environment, profile: other }).divergences.map(({ field }) => field),
    );
    expect(fields).toContain('pagemap.kind');
    expect(fields).toContain('trace.kind');
  });

  it('diverges wherever one thing in it is changed', () => {
    // Every page of this program is seen more than once, so that its number is bound.
    // The fields of the recording that say how the agent fared are not the kernel's; PG_lru and PG_active may be free.
    // RssFile and RssShmem change with the agent's own text and transcript; the rollup is checked by an invariant.
    const isNoChange =
      /^(strayEvents|stuck)|kpageflags bit [56]$|(words|fields) (lengthened|shortened)$|shmem plus 1$|rollup/;
    const { program, transcript } = programs.find(
      ({ program }) => program.name === 'shared-page-migrates-for-all',
    )!;
    const unnoticed: string[] = [];
    for (const { name, transcript: changed } of mutations(withListedPages(transcript))) {
      if (isNoChange.test(name)) continue;
      const { divergences } = compare(program, changed, environment, undefined, { invariants: false });
      if (divergences.length === 0) unnoticed.push(name);
    }
    expect(unnoticed).toEqual([]);
  }, 60_000);
});
