import { describe, expect, it } from 'vitest';
import { frameAt } from '../../model/page-table.ts';
import { makeProfile } from '../../model/profile.ts';
import { play, pte } from './play.ts';

/** Of a pinned folio, which cannot be split, some entries are set by themselves: fork restores them. */
const pinned = (exclusive: string) => `
  {mmap: h}
  {open: 0}
  {madvise: h, advice: hugepage}
  {pin: "h[509]"}
  {exclusive: "${exclusive}", device: 0}
  {fork: p1}
  {madvise: h, advice: pageout}`;

function flags(steps: string, arch: 'x86_64' | 'aarch64') {
  const profile = makeProfile({ kernel: '7.3', design: 'pfn', arch });
  const { state } = play(steps, profile, '{h: {pmds: 1}}');
  const { active, referenced } = frameAt(pte(state, 0, 0)!, 0).head;
  return { active, referenced };
}

describe('MADV_PAGEOUT of a folio that PTEs map whole', () => {
  it('takes it as a whole where all entries are alike: madvise_folio_pte_batch()', () => {
    expect(flags(pinned('h[362..364]'), 'x86_64')).toEqual({ active: false, referenced: false });
  });

  it('leaves it alone where PTE_CONT is missing in some: __contpte_try_unfold()', () => {
    expect(flags(pinned('h[362..364]'), 'aarch64')).toEqual({ active: true, referenced: true });
  });

  it('takes it as a whole where the last entry of a group folds it again: __contpte_try_fold()', () => {
    expect(flags(pinned('h[352..367]'), 'aarch64')).toEqual({ active: false, referenced: false });
  });
});
