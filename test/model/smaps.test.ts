import { describe, expect, it } from 'vitest';
import { apply } from '../../model/apply.ts';
import type { SmapsField } from '../../model/observation.ts';
import { hugeEntry } from '../../model/page-table.ts';
import { makeProfile, type Profile, type ProfileOptions } from '../../model/profile.ts';
import { expectSmaps } from '../../model/smaps.ts';
import { processOf } from '../../model/state.ts';
import { play, STOCK } from './play.ts';

/** The fields of each mapping that are not 0, without Size; a range where a flag may be either way. */
function smaps(steps: string, process = 0, profile = STOCK, regions = '{a: 4}') {
  const { state } = play(steps, profile, regions);
  return expectSmaps(state, processOf(state, process)).map(({ fields }) => {
    const shown: Partial<Record<SmapsField, number | string>> = {};
    for (const [name, { least, most }] of Object.entries(fields)) {
      if (name !== 'Size' && most > 0)
        shown[name as SmapsField] = least === most ? least : `${least}..${most}`;
    }
    return shown;
  });
}

function flags(steps: string, profile: Profile = STOCK) {
  const { state } = play(steps, profile, '{a: 4}');
  return expectSmaps(state, processOf(state, 0)).map(({ vmFlags }) => vmFlags);
}

describe('smaps (smaps_pte_entry, smaps_account)', () => {
  it('leaves the zero page out', () => {
    expect(smaps('{mmap: a}\n{cpu-read: a}')).toEqual([{}]);
  });

  it('counts pages in RAM by whom they belong to and whether they are dirty', () => {
    const written = '{mmap: a}\n{cpu-write: "a[0..1]"}';
    const private8 = { Rss: 8, Pss: 8, Pss_Dirty: 8, Private_Dirty: 8, Referenced: 8, Anonymous: 8 };
    expect(smaps(written)).toEqual([private8]);
    // Three processes: a third of 8 KiB each, rounded down; the entries of a child are old until it looks at them.
    const shared = { Rss: 8, Pss: 2, Pss_Dirty: 2, Shared_Dirty: 8, Referenced: 8, Anonymous: 8 };
    expect(smaps(`${written}\n{fork: p1}\n{fork: p2}`)).toEqual([shared]);
    expect(smaps(`${written}\n{fork: p1}\n{fork: p2}`, 2)).toEqual([shared]);
  });

  it('counts pages of a device as present, dirty if their page is, and never referenced', () => {
    const moved = '{mmap: a}\n{cpu-write: "a[0]"}\n{open: 0}\n{migrate-to-dev: "a[0..1]", device: 0}';
    expect(smaps(moved)).toEqual([
      { Rss: 8, Pss: 8, Pss_Dirty: 4, Private_Clean: 4, Private_Dirty: 4, Anonymous: 8 },
    ]);
    expect(smaps(`${moved}\n{fork: p1}`, 1)).toEqual([
      { Rss: 8, Pss: 4, Pss_Dirty: 2, Shared_Clean: 4, Shared_Dirty: 4, Anonymous: 8 },
    ]);
  });

  it('counts device-exclusive pages as shared by it does not know how many', () => {
    expect(smaps('{mmap: a}\n{open: 0}\n{exclusive: "a[0]", device: 0}')).toMatchObject([
      { Rss: 4, Pss: 4, Shared_Dirty: 4, Anonymous: 4 },
    ]);
  });

  it('allows both where 6.12 leaves a flag of an earlier life on a device page', () => {
    const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
    expect(smaps('{mmap: a}\n{open: 0}\n{migrate-to-dev: "a[0]", device: 0}', 0, old)).toMatchObject([
      { Rss: 4, Pss: 4, Pss_Dirty: '0..4', Private_Clean: '0..4', Private_Dirty: '0..4' },
    ]);
  });

  it('counts pages that MADV_FREE took until they are written again', () => {
    const freed = '{mmap: a}\n{cpu-write: "a[0..1]"}\n{madvise: a, advice: free}';
    expect(smaps(freed)).toMatchObject([{ Rss: 8, LazyFree: 8, Private_Clean: 8 }]);
    expect(smaps(`${freed}\n{cpu-write: "a[0]"}`)).toMatchObject([{ LazyFree: 4, Private_Dirty: 4 }]);
  });

  it('has an entry for each part of a split mapping', () => {
    expect(smaps('{mmap: a}\n{cpu-write: a}\n{munmap: "a[1]"}').map(({ Rss }) => Rss)).toEqual([4, 8]);
  });
});

describe('smaps of huge pages (smaps_pmd_entry)', () => {
  const written = '{mmap: a}\n{madvise: a, advice: hugepage}\n{cpu-write: "a[0]"}';
  const onDevice = `${written}\n{open: 0}\n{migrate-to-dev: a, device: 0}`;
  const huge = (steps: string, options: Partial<ProfileOptions> = {}, process = 0) =>
    smaps(
      steps,
      process,
      makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64', ...options }),
      '{a: {pmds: 1}}',
    );

  it('counts all of a PMD, as private or shared by its pages', () => {
    const own = { Rss: 2048, Pss: 2048, Private_Dirty: 2048, Anonymous: 2048, AnonHugePages: 2048 };
    expect(huge(written)).toMatchObject([own]);
    expect(huge(`${written}\n{fork: p1}`, {}, 1)).toMatchObject([
      { Rss: 2048, Pss: 1024, Shared_Dirty: 2048, AnonHugePages: 2048 },
    ]);
  });

  it('leaves the huge zero page out', () => {
    expect(huge('{mmap: a}\n{madvise: a, advice: hugepage}\n{cpu-read: a}')).toEqual([{}]);
  });

  it('counts a PMD of a device as shared with all of its Pss, by bits that mean something else there', () => {
    const all = { Rss: 2048, Pss: 2048, Anonymous: 2048, AnonHugePages: 2048 };
    const [x86] = huge(onDevice);
    expect(x86).toEqual({ ...all, Pss_Dirty: 2048, Shared_Dirty: 2048 });
    const [arm] = huge(onDevice, { arch: 'aarch64' });
    expect(arm).toMatchObject({ ...all, Referenced: 2048 });
  });

  it('takes what a device fault brought back for accessed on aarch64 alone (pmdp_set_access_flags)', () => {
    const state = (arch: 'x86_64' | 'aarch64') => {
      const { state } = play(
        `${onDevice}\n{open: 1}`,
        makeProfile({ kernel: '7.3', design: 'pfn', arch }),
        '{a: {pmds: 1}}',
      );
      apply(state, { op: 'read', by: 0, device: 1, at: { region: 0, first: 0, count: 512 } }, 9);
      return hugeEntry(state.processes[0]!.mm, 0, 0);
    };
    expect(state('x86_64')).toMatchObject({ kind: 'present', young: false });
    expect(state('aarch64')).toMatchObject({ kind: 'present', young: true });
  });

  it('counts PTEs once the PMD is split', () => {
    expect(huge(`${onDevice}\n{munmap: "a[511]"}`)).toMatchObject([{ Rss: 2044, Private_Dirty: 2044 }]);
  });

  it('loses what is dirty in mprotect() of a writable PMD on x86 of 6.12 alone (pmd_modify)', () => {
    const there = `${written}\n{mprotect: a, protection: read}`;
    const [kept, lost] = [{ Private_Dirty: 2048 }, { Private_Clean: 2048 }];
    expect(huge(there)).toMatchObject([kept]);
    expect(huge(there, { kernel: '6.12' })).toMatchObject([lost]);
    expect(huge(there, { kernel: '6.12', arch: 'aarch64' })).toMatchObject([kept]);
    const back = `${there}\n{mprotect: a}\n{cpu-write: "a[7]"}`;
    expect(huge(back, { kernel: '6.12' })).toMatchObject([kept]);
  });
});

describe('VmFlags (show_smap_vma_flags)', () => {
  it('are those of the protection, accounted if it may be written', () => {
    const map = (protection: string) => flags(`{mmap: a, protection: ${protection}}`);
    expect(map('read-write')).toEqual(['rd wr mr mw me ac sd']);
    expect(map('read')).toEqual(['rd mr mw me sd']);
    expect(map('none')).toEqual(['mr mw me sd']);
  });

  it('stay accounted when writing is no longer allowed, unless nothing was written (mprotect_fixup)', () => {
    const protect = '{mprotect: a, protection: read}';
    expect(flags(`{mmap: a}\n{cpu-write: "a[0]"}\n${protect}`)).toEqual(['rd mr mw me ac sd']);
    expect(flags(`{mmap: a}\n${protect}`)).toEqual(['rd mr mw me sd']);
  });

  it('have no soft-dirty bit where the kernel has none', () => {
    const aarch64 = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'aarch64' });
    expect(flags('{mmap: a}', aarch64)).toEqual(['rd wr mr mw me ac']);
  });
});
