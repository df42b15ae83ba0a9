import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { RunEvents } from '../../../harness/events.ts';
import { applySeries, findSeries } from '../../../harness/kernels/series.ts';
import type { SourceContext, SourceTree } from '../../../harness/kernels/source.ts';
import { cachePaths } from '../../../harness/paths.ts';
import { temporaryDirectory } from '../temporary.ts';

const file = 'mm/a.c';
const content = Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`).join('');

function patch(...hunks: [line: number, from: string, to: string][]): string {
  const body = hunks.map(
    ([line, from, to]) =>
      `@@ -${line},3 +${line},3 @@ f\n line ${line}\n-${from}\n+${to}\n line ${line + 2}\n`,
  );
  return `Subject: [PATCH] a change\n\n---\ndiff --git a/${file} b/${file}\n--- a/${file}\n+++ b/${file}\n${body.join('')}`;
}

describe('applySeries', () => {
  let base: SourceTree;
  let context: SourceContext;
  let patches: string;

  beforeEach(async () => {
    const root = await temporaryDirectory();
    const cache = cachePaths(root);
    const directory = join(cache.sources, 'base');
    patches = join(root, 'patches');
    await mkdir(join(directory, 'mm'), { recursive: true });
    await mkdir(patches);
    await writeFile(join(directory, file), content);
    base = { directory, key: 'base', release: '7.3.4', origin: 'the base' };
    context = { cache, events: new RunEvents() };
  });

  it('patches a copy, leaves the base as it is, and finds the copy the next time', async () => {
    await writeFile(join(patches, '0001-a.patch'), patch([5, 'line 6', 'changed']));
    await writeFile(join(patches, '0002-b.patch'), patch([20, 'line 21', 'changed too']));
    const tree = await applySeries(base, await findSeries(patches), context);
    await expect(readFile(join(tree.directory, file), 'utf8')).resolves.toContain(
      'line 20\nchanged too\nline 22',
    );
    await expect(readFile(join(base.directory, file), 'utf8')).resolves.toBe(content);
    await expect(applySeries(base, await findSeries(patches), context)).resolves.toEqual(tree);
  });

  describe('of a series that comes after another', () => {
    let first: string;

    beforeEach(async () => {
      first = join(patches, '../first');
      await mkdir(first);
      await writeFile(join(first, '0001-first.patch'), patch([5, 'line 6', 'one']));
      await writeFile(join(patches, '0001-second.patch'), patch([5, 'one', 'two']));
      await writeFile(join(patches, 'series.yaml'), 'design: offset\nkernel: debian-7.3\nafter: ../first\n');
    });

    it('applies the other first, and has both in its origin and its key', async () => {
      const series = await findSeries(patches);
      expect(series.after).toMatchObject({ name: 'first', patches: [join(first, '0001-first.patch')] });
      const tree = await applySeries(base, series, context);
      await expect(readFile(join(tree.directory, file), 'utf8')).resolves.toContain('line 5\ntwo\nline 7');
      expect(tree.origin).toBe('the base + first (1 patch) + patches (1 patch)');
      expect(tree.key).toMatch(/^patches_/);

      await writeFile(join(first, '0002-more.patch'), patch([20, 'line 21', 'more']));
      const changed = await applySeries(base, await findSeries(patches), context);
      expect(changed.key).not.toBe(tree.key);
    });

    it("names the other's patch when that does not apply, and its own with what it was applied to", async () => {
      await writeFile(join(patches, '0001-second.patch'), patch([5, 'line 6', 'two']));
      await expect(applySeries(base, await findSeries(patches), context)).rejects.toThrow(
        /^0001-second\.patch does not apply to the base \+ first \(1 patch\): mm\/a\.c, hunk 1/,
      );
      await writeFile(join(first, '0001-first.patch'), patch([5, 'something else', 'one']));
      await expect(applySeries(base, await findSeries(patches), context)).rejects.toThrow(
        /^0001-first\.patch does not apply to the base: mm\/a\.c, hunk 1/,
      );
    });

    it('names the file that asks for a series that is not there, or for itself', async () => {
      const about = (after: string) =>
        writeFile(join(patches, 'series.yaml'), `design: offset\nkernel: debian-7.3\nafter: ${after}\n`);
      await about('../nowhere');
      await expect(findSeries(patches)).rejects.toThrow(/series\.yaml: after: \.\.\/nowhere: neither/);
      await about('../patches');
      await expect(findSeries(patches)).rejects.toMatchObject({
        code: 'series',
        exitStatus: 2,
        message: expect.stringMatching(/after: \.\.\/patches: that series comes after this one$/),
      });
    });
  });

  it('names patch, file and hunk that do not apply, and leaves nothing behind', async () => {
    await writeFile(join(patches, '0001-a.patch'), patch([5, 'line 6', 'changed']));
    await writeFile(
      join(patches, '0002-b.patch'),
      patch([10, 'line 11', 'fine'], [20, 'something else', 'changed']),
    );
    await expect(applySeries(base, await findSeries(patches), context)).rejects.toMatchObject({
      code: 'series-apply',
      exitStatus: 2,
      message: expect.stringMatching(
        /^0002-b\.patch does not apply to the base: mm\/a\.c, hunk 2 \(@@ -20,3/,
      ),
    });
    await expect(readdir(context.cache.sources)).resolves.toEqual(['base']);
  });

  it('says so when a patch is for a file that the tree does not have, or is no patch', async () => {
    await writeFile(
      join(patches, '0001-a.patch'),
      patch([5, 'line 6', 'x']).replaceAll('mm/a.c', 'mm/other.c'),
    );
    await expect(applySeries(base, await findSeries(patches), context)).rejects.toThrow(
      /mm\/other\.c, which this tree does not have/,
    );
    await writeFile(join(patches, '0001-a.patch'), 'nothing\n');
    await expect(applySeries(base, await findSeries(patches), context)).rejects.toThrow(
      /0001-a\.patch does not apply.*No valid patches/,
    );
  });
});

it('refuses a series that is not there, or has no patch', async () => {
  await expect(findSeries('nonsense')).rejects.toMatchObject({ code: 'series', exitStatus: 2 });
  await expect(findSeries(await temporaryDirectory())).rejects.toThrow(/has no \*\.patch file/);
});
