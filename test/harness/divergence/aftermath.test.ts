import { expect, it } from 'vitest';
import { endsGuest, leavesGuestUsable } from '../../../harness/divergence/aftermath.ts';
import type { Fingerprint } from '../../../harness/divergence/fingerprint.ts';

const shown: Fingerprint = {
  kind: 'splat',
  operation: 'end',
  field: 'console',
  expected: 'no report',
  seen: 'BUG: Bad rss-counter state MM_ANONPAGES < 0',
  design: 'offset',
  arch: 'x86_64',
};

it('goes on in a guest whose kernel has miscounted the pages of a process that is gone (check_mm)', () => {
  expect(leavesGuestUsable({ title: shown.seen })).toBe(true);
  expect(leavesGuestUsable({ title: 'BUG: non-zero pgtables_bytes on freeing mm' })).toBe(true);
  expect(endsGuest(shown)).toBe(false);
});

it('does not go on behind a warning, which may come once only, nor behind an oops', () => {
  for (const title of [
    'WARNING in memremap_pages (mm/memremap.c:158)',
    'BUG: Bad page map',
    'BUG: Bad rss',
  ]) {
    expect(leavesGuestUsable({ title }), title).toBe(false);
    expect(endsGuest({ ...shown, seen: title }), title).toBe(true);
  }
  expect(endsGuest({ ...shown, kind: 'lost', seen: 'it hangs' })).toBe(true);
});
