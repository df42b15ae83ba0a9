import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { draw } from '../../../harness/handover/draw.ts';
import { parseProgram } from '../../../harness/programs/load.ts';
import type { PageObservation } from '../../../model/observation.ts';
import { environmentOf, predict } from '../compare/predict.ts';
import { pageAt, recorded, regionAt } from './corrupt.ts';

const NAME = 'shared-page-migrates-for-all';

/** The blocks of a drawing: the legend first. */
function blocks(text: string): string[] {
  return text.trimEnd().split('\n\n');
}

/** The lowest bit of a swap type tells device-private entries that are writable from those that are not. */
const OTHER_ACCESS = 1n;

describe('draw', () => {
  it('draws every step of a run that went well, one line for each region of each process', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    const [head, ...steps] = blocks(draw(program, transcript, environment));
    expect(head).toMatchInlineSnapshot(`
      "shared-page-migrates-for-all, rules of Linux 7.3, design pfn, x86_64
        .  mapped, no page yet
        S  page in RAM, writable
        s  page in RAM, read-only
        d  device-private entry, read-only, of the device with that number"
    `);
    expect(steps).toHaveLength(program.steps.length);
    expect(steps.at(-2)).toMatchInlineSnapshot(`
      "step 6  {cpu-read: "a[0]", by: p2}  success
        p0 a      s  d0
        p1 a      s  d0
        p2 a      s  d0"
    `);
  });

  it.each(['run-pfn-x86_64', 'run-pfn-aarch64', 'run-offset-x86_64'])(
    'draws the same pages for %s',
    (run) => {
      const reference = recorded('run-pfn-x86_64', NAME);
      const other = recorded(run, NAME);
      const without = ({ program, transcript, environment }: typeof other) =>
        blocks(draw(program, transcript, environment)).slice(1);
      expect(without(other)).toEqual(without(reference));
    },
  );

  it('ends at the step that differs, with both lines, a mark below the cell, and the fields', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    pageAt(transcript, 6, 1, 1).pagemap ^= OTHER_ACCESS;
    const all = blocks(draw(program, transcript, environment));
    expect(all.slice(7).join('\n\n')).toMatchInlineSnapshot(`
      "step 6  {cpu-read: "a[0]", by: p2}  success
        p0 a      s  d0
        p1 a      model  s  d0
                  kernel s  D0
                            ^
        p2 a      s  d0

      step 6, p1 a[1], pagemap.kind
        expected  device-read
        seen      device-write (type 28)
        rule      remove_migration_pte

      step 6, p0 a[1], invariant
        expected  one-writer
        seen      3 entries map a page, and 1 of them as if alone
        rule      one-writer

      step 6, p1 a[1], invariant
        expected  snapshot-is-pagemap
        seen      device 0: byte 0x21, device-write in pagemap
        rule      snapshot-is-pagemap"
    `);
  });

  it('draws both results where they differ', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    transcript.steps[5]!.outcome = { kind: 'errno', errno: 'ENOENT' };
    expect(blocks(draw(program, transcript, environment))[6]).toContain(
      '\n      model success, cpages 2, faults 0\n     kernel ENOENT, cpages 2, faults 0\n',
    );
  });

  it('marks the page whose byte of a snapshot differs', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    regionAt(transcript, 5, 1).snapshots[0]!.bytes[1] = 0;
    expect(blocks(draw(program, transcript, environment))[6]).toMatch(
      / {2}p1 a +model {2}d0 d0\n +kernel d0 d0\n {22}\^/,
    );
  });

  it('shows what only the kernel can have: a page that is not in any chunk, an entry of another kind', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    pageAt(transcript, 5, 0, 0).pagemap ^= 1n << 50n;
    // A poisoned page.
    pageAt(transcript, 5, 2, 0).pagemap = (1n << 62n) | 24n;
    const block = blocks(draw(program, transcript, environment))[6]!;
    expect(block).toContain('kernel d? d0\n');
    expect(block).toContain('kernel ?  d0\n');
  });

  it('tells of a program that ended early, behind the last step that there is', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    transcript.steps.length = 3;
    transcript.end = { kind: 'hung', step: 3, stacks: ['p1 in folio_lock'] };
    const all = blocks(draw(program, transcript, environment));
    expect(all).toHaveLength(1 + 3 + 1);
    expect(all.at(-1)).toMatch(
      /^step 3, end\n {2}expected {2}done\n {2}seen {6}hung in step 3\n {12}p1 in folio_lock\n/,
    );
  });

  it('marks by colour alone where there is one', () => {
    const { program, transcript, environment } = recorded('run-pfn-x86_64', NAME);
    pageAt(transcript, 6, 1, 1).pagemap ^= OTHER_ACCESS;
    const text = draw(program, transcript, environment, { paint: pc.createColors(true) });
    expect(text).not.toContain('^');
    expect(text).toContain('\u001b[31mD0\u001b[39m');
    expect(draw(program, transcript, environment)).not.toContain('\u001b');
  });

  it('fits 100 columns, and draws large regions as runs of pages that are alike', () => {
    const environment = environmentOf({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });
    const program = parseProgram('large', LARGE);
    const transcript = predict(program, environment);
    const all = draw(program, transcript, environment);
    expect(blocks(all).at(-1)).toContain('p0 a      D0*10 S*54');

    const { regions } = transcript.steps[3]!;
    for (let page = 1; page < 64; page += 2)
      (regions[0]!.pages.at(page) as PageObservation).pagemap ^= 1n << 55n;
    const text = draw(program, transcript, environment);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(text).toMatch(/\nand \d+ more fields\n$/);
    expect(blocks(text)[4]).toMatchInlineSnapshot(`
      "step 3  {migrate-to-dev: "a[0..9]", device: 0}  success, cpages 10, faults 0
        p0 a      model  D0 D0 D0 D0 D0 D0 D0 D0 D0 D0 S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S
                  kernel D0 D0 D0 D0 D0 D0 D0 D0 D0 D0 S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S
                            ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^
          from 27 model  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S
                  kernel S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S  S
                         ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^     ^
          from 54 model  S  S  S  S  S  S  S  S  S  S
                  kernel S  S  S  S  S  S  S  S  S  S
                            ^     ^     ^     ^     ^"
    `);
  });
});

const LARGE = `
name: large
regions: { a: 64 }
steps:
  - { mmap: a }
  - { cpu-write: a }
  - { open: 0 }
  - { migrate-to-dev: "a[0..9]", device: 0 }
`;
