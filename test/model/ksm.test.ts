import { describe, expect, it } from 'vitest';
import { makeProfile } from '../../model/profile.ts';
import type { Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { expectSmaps } from '../../model/smaps.ts';
import type { State } from '../../model/state.ts';
import { devicePages, outcomes, pages, play, pte, STOCK } from './play.ts';

const series = makeProfile({ kernel: '7.3', design: 'offset', arch: 'x86_64' });

const ZEROES = '{mmap: a}\n{pin: "a[0..2]"}\n{unpin: p0}\n{cpu-write: "a[3]"}\n{open: 0}';
const MERGED = `${ZEROES}\n{madvise: a, advice: mergeable}\n{ksmd: p0}`;

/** Numbers of the pages behind entries, from 0 on in the order in which they are met; `k` behind those of KSM. */
function frames(state: State, process = 0, region = 0): string {
  const known: number[] = [];
  return state.processes[process]!.mm.ptes[region]!.map((entry) => {
    if (!entry) return '-';
    if (!known.includes(entry.frame.id)) known.push(entry.frame.id);
    return `${known.indexOf(entry.frame.id)}${entry.frame.ksm ? 'k' : ''}`;
  }).join(' ');
}

function at(count: number): { region: number; first: number; count: number } {
  return { region: 0, first: 0, count };
}

describe('ksmd', () => {
  it('maps pages of the same content by one, read-only: try_to_merge_two_pages()', () => {
    const { state } = play(MERGED);
    expect(frames(state)).toBe('0k 0k 0k 1');
    expect(pages(state)).toBe('ram ram ram ram+');
    expect(pte(state, 0, 0)!.frame).toMatchObject({ mapcount: 3, exclusive: false, dirty: true });
    expect(expectSmaps(state, state.processes[0]!)[0]).toMatchObject({
      vmFlags: 'rd wr mr mw me ac sd mg',
      fields: { KSM: { least: 12, most: 12 } },
    });
  });

  it('keeps the page that it comes to second, and its entry but for writing: write_protect_page()', () => {
    const { state } = play(ZEROES);
    const second = pte(state, 0, 1)!.frame.word;
    const merged = play(
      `{mmap: a}\n{pin: "a[0..1]"}\n{unpin: p0}\n{madvise: a, advice: mergeable}\n{ksmd: p0}`,
    ).state;
    expect(second).toBe(0);
    expect(pte(merged, 0, 1)).toMatchObject({ softDirty: true, rule: 'write_protect_page' });
    expect(pte(merged, 0, 0)).toMatchObject({ softDirty: false, rule: 'replace_page' });
  });

  it('leaves the device without the page, which it may read again: MMU_NOTIFY_CLEAR', () => {
    const steps = `${ZEROES}\n{read: "a[0..1]", device: 0}\n{madvise: a, advice: mergeable}\n{ksmd: p0}`;
    expect(devicePages(play(steps).state, 0, 0)).toBe('----');
    expect(devicePages(play(`${steps}\n{read: a, device: 0}`).state, 0, 0)).toBe('rrrw');
  });

  it('is undone by a write, even to the last mapping, and by MADV_UNMERGEABLE: wp_can_reuse_anon_folio(), break_ksm()', () => {
    const { state } = play(`${MERGED}\n{munmap: "a[1..2]"}\n{cpu-write: "a[0]"}`);
    expect(pte(state, 0, 0)).toMatchObject({ write: true, rule: 'wp_page_copy' });
    const broken = play(`${MERGED}\n{madvise: "a[1..3]", advice: unmergeable}`).state;
    expect(frames(broken)).toBe('0k 1 2 3');
    expect(pte(broken, 0, 1)).toMatchObject({ write: false, dirty: false, frame: { exclusive: true } });
    const moved = play(`${MERGED}\n{mremap: "a[0..1]", to: "b[0..1]"}`).state;
    expect(frames(moved, 0, 1)).toBe('0 1 - -');
  });

  it('merges what a process has with what another has, in the order in which it came to know them: __ksm_enter()', () => {
    const { state } =
      play(`{mmap: a}\n{madvise: a, advice: mergeable}\n{fork: p1}\n{pin: "a[0]", by: p1}\n{unpin: p1}
      {pin: "a[1]"}\n{unpin: p0}\n{ksmd: p0}`);
    expect(pte(state, 0, 1)!.frame).toBe(pte(state, 1, 0)!.frame);
    expect(pte(state, 1, 0)!.rule).toBe('write_protect_page');
    expect(pte(state, 0, 1)!.rule).toBe('replace_page');
  });

  it('has pages that do not migrate in our series, and that no program migrates elsewhere', () => {
    const played = play(`${MERGED}\n{migrate-to-dev: a, device: 0}`, series);
    expect(outcomes(played).at(-1)).toBe('ENOENT');
    expect(pages(played.state)).toBe('ram ram ram dev0+');
    const step: Step = { op: 'migrate-to-dev', by: 0, device: 0, at: at(2) };
    expect(hazardOf(play(MERGED).state, step)).toContain('ksmd would read');
    expect(hazardOf(play(MERGED, series).state, step)).toBeUndefined();
  });

  it('is not asked where it has nothing to scan, or would find what the model does not know', () => {
    const step: Step = { op: 'ksmd', by: 0 };
    const reason = (steps: string) => hazardOf(play(steps).state, step);
    expect(reason(ZEROES)).toContain('nothing to scan');
    expect(reason(`${ZEROES}\n{madvise: a, advice: mergeable}`)).toBeUndefined();
    expect(reason(`${ZEROES}\n{madvise: a, advice: mergeable}\n{pin: "a[0]"}`)).toContain('pinned');
    expect(reason(`${ZEROES}\n{madvise: a, advice: mergeable}\n{mlock: "a[0]"}`)).toContain('mlocked');
    const { state } = play(MERGED);
    expect(hazardOf(state, { op: 'mlock', by: 0, at: at(1) })).toContain('KSM');
    expect(hazardOf(state, { op: 'madvise', by: 0, at: at(1), advice: 'pageout' })).toContain('KSM');
    const huge = play('{mmap: h}', STOCK, '{h: {pmds: 1}}').state;
    expect(hazardOf(huge, { op: 'madvise', by: 0, at: at(512), advice: 'mergeable' })).toContain('large');
  });
});

describe('ksmd, of mappings of files', () => {
  const regions = '{p: {pages: 3, backing: private-shmem}, s: {pages: 2, backing: shared-shmem}}';

  it('merges what was copied, and not pages of the file, though they are alike: ksm_next_page_pmd_entry()', () => {
    const { state } = play(
      '{mmap: p}\n{pin: "p[0..1]"}\n{unpin: p0}\n{cpu-read: "p[2]"}\n{madvise: p, advice: mergeable}\n{ksmd: p0}',
      STOCK,
      regions,
    );
    expect(frames(state)).toBe('0k 0k 1');
    expect(pte(state, 0, 2)!.frame.file).not.toBeNull();
  });

  it('does not heed advice on shared ones: vma_ksm_compatible()', () => {
    const { state } = play('{mmap: s}\n{madvise: s, advice: mergeable}', STOCK, regions);
    expect(expectSmaps(state, state.processes[0]!)[0]!.vmFlags).not.toContain('mg');
    expect(state.ksmMms).toEqual([]);
  });
});
