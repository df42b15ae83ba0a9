import { describe, expect, it } from 'vitest';
import { html } from '../../../harness/handover/html.ts';
import { printProgram } from '../../../harness/programs/print.ts';
import { pageAt, recorded } from './corrupt.ts';

const NAME = 'shared-page-migrates-for-all';

function diverging() {
  const run = recorded('run-pfn-x86_64', NAME);
  pageAt(run.transcript, 6, 1, 1).pagemap ^= 1n;
  return run;
}

/** Names of the elements that are left open, or closed without being open. */
function unbalanced(text: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, slash, name] of text.matchAll(/<(\/?)([a-z]\w*)[^>]*>/g)) {
    if (name === 'meta') continue;
    if (slash !== '/') open.push(name!);
    else if (open.at(-1) === name) open.pop();
    else wrong.push(name!);
  }
  return [...open, ...wrong];
}

describe('html', () => {
  it('is one page that needs nothing else: no script, nothing to load', () => {
    const { program, transcript, environment } = diverging();
    const text = html(program, transcript, environment);
    expect(text).toMatch(/^<!DOCTYPE html>\n<html lang="en">/);
    expect(unbalanced(text)).toEqual([]);
    expect(text).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
    expect(text).toContain('prefers-color-scheme: dark');
  });

  it('has the program, what it was seen on, what differs, and the functions that decide it', () => {
    const { program, transcript, environment } = diverging();
    const text = html(program, transcript, environment, { environmentLine: 'Linux 7.3.4 <stock> & x86_64' });
    expect(text).toContain('<p class="environment">Linux 7.3.4 &lt;stock&gt; &amp; x86_64</p>');
    expect(text).toContain(`<pre>${printProgram(program).replaceAll('"', '&quot;')}</pre>`);
    expect(text).toContain(
      '<td>step 6, p1 a[1]</td><td>pagemap.kind</td><td>device-read</td><td>device-write (type 28)</td>' +
        '<td><code>remove_migration_pte</code></td>',
    );
  });

  it('has a block for every step up to the one that differs, whose cells are marked', () => {
    const { program, transcript, environment } = diverging();
    const text = html(program, transcript, environment);
    expect(text.match(/<section/g)).toHaveLength(7);
    const [last] = /<section class="differs">.*<\/section>/s.exec(text) ?? [];
    expect(last).toContain('<h3>step 6 <code>{cpu-read: &quot;a[0]&quot;, by: p2}</code>');
    expect(last).toContain('<td class="device differs" title="a[1], pagemap.kind">d0</td>');
    expect(last).toContain('<td class="device writable differs" title="a[1], pagemap.kind">D0</td>');
  });

  it('says so when nothing differs', () => {
    const { program, transcript, environment } = recorded('run-offset-x86_64', NAME);
    const text = html(program, transcript, environment);
    expect(text).toContain('All is as the model expects.');
    expect(text).not.toContain('class="device differs"');
  });
});
