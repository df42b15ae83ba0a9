import { describe, expect, it } from 'vitest';
import { observe } from '../../model/observe.ts';
import { makeProfile } from '../../model/profile.ts';
import type { Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { tokenNumber } from '../../model/token.ts';
import { outcomes, type Played, play, pte, STOCK } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
const FILES =
  '{s: {pages: 4, backing: shared-shmem}, p: {pages: 3, backing: private-filled-shmem}, q: {pages: 2, backing: private-shmem}, h: {pmds: 1, backing: shared-hugetlb}}';
const [SHARED, PRIVATE] = [0, 1];
const playFiles = (steps: string, profile = STOCK) => play(steps, profile, FILES);

const READY = '{mmap: s}\n{mmap: p}\n{mmap: q}\n{open: 0}\n{uffd-open: p0}';
const MISSING = `${READY}\n{uffd-register: s, for: missing}`;
const PROTECTED = `${READY}\n{cpu-write: "s[0..1]"}\n{cpu-read: p}\n{uffd-register: s, for: wp}\n{uffd-register: p, for: wp}
  {uffd-protect: s}\n{uffd-protect: p}`;

/** One word per page: `-`, `marker`, or the page's place, with `+` where writable and `=` where protected. */
function entries({ state }: Played, region: number, process = 0): string {
  return state.processes[process]!.mm.ptes[region]!.map((entry) => {
    if (!entry) return '-';
    const place = entry.kind === 'present' ? (entry.frame.file ? 'file' : 'ram') : entry.kind;
    return `${place}${entry.write ? '+' : ''}${entry.uffdWp ? '=' : ''}`;
  }).join(' ');
}

describe('missing pages of shmem', () => {
  it('are those that the file does not have, whoever else maps it: shmem_get_folio_gfp()', () => {
    const steps = `${MISSING}
      {fork: p1}
      {cpu-write: "s[1]", by: p1}
      {cpu-read: "s[1]"}
      {cpu-read: "s[0]"}
      {read: "s[2]", device: 0}
      {mlock: "s[3]"}`;
    for (const profile of [STOCK, old]) {
      const played = playFiles(steps, profile);
      expect(outcomes(played).slice(-4)).toEqual(['success', 'SIGBUS at page 0', 'EFAULT', 'ENOMEM']);
      expect(entries(played, SHARED)).toBe('- file+ - -');
    }
  });

  it('do not keep faults from mapping others around, which protection does: uffd_disable_fault_around()', () => {
    const around = (kind: string) =>
      entries(
        playFiles(
          `${READY}\n{fork: p1}\n{cpu-write: "s[0..1]", by: p1}\n{uffd-register: s, for: ${kind}}\n{cpu-read: "s[0]"}`,
        ),
        SHARED,
      );
    expect(['missing', 'wp', 'both'].map(around)).toEqual(['file+ file+ - -', 'file - - -', 'file - - -']);
  });

  it('are not those in swap', () => {
    const played = playFiles(`${READY}
      {cpu-write: "s[0]"}
      {swapon: p0}
      {madvise: s, advice: pageout}
      {uffd-register: s, for: missing}
      {cpu-read: "s[0]"}`);
    expect(outcomes(played).at(-1)).toBe('success');
  });

  it('become pages of the file by UFFDIO_COPY and UFFDIO_ZEROPAGE: mfill_atomic_install_pte()', () => {
    const played = playFiles(
      `${MISSING}\n{uffd-copy: "s[0]"}\n{uffd-zeropage: "s[1]"}\n{uffd-copy: "s[1..2]"}`,
    );
    expect(outcomes(played).slice(-3)).toEqual(['success', 'success', 'EEXIST']);
    expect(entries(played, SHARED)).toBe('file+ file+ - -');
    expect(played.state.files[SHARED]!.pages[0]!.word).toBe(tokenNumber(6, SHARED, 0));
    expect(pte(played.state, 0, 0, SHARED)).toMatchObject({ dirty: true, frame: { dirty: false } });
  });

  it('are filled with pages of their own in a private mapping, which the file has nothing of: mfill_atomic_pte_copy()', () => {
    const played = playFiles(
      `${READY}\n{uffd-register: q, for: missing}\n{cpu-write: "q[0]"}\n{uffd-copy: q}\n{cpu-write: "q[0]"}`,
    );
    expect(outcomes(played).slice(-3)).toEqual(['SIGBUS at page 0', 'success', 'success']);
    expect(entries(played, 2)).toBe('ram+ ram+');
    expect(played.state.files[2]!.pages).toEqual([null, null]);
  });

  it('are made of zeroes by a handler, for all who map the file: mfill_atomic_pte_zeroed_folio()', () => {
    const played =
      playFiles(`{mmap: s}\n{fork: p1}\n{uffd-open: p0, handler: true}\n{uffd-register: s, for: missing}
      {cpu-write: "s[0]"}\n{cpu-read: "s[0]", by: p1}`);
    expect(played.steps[4]!.messages).toBe(1);
    expect(played.steps[5]!.data).toEqual([tokenNumber(4, SHARED, 0)]);
  });
});

describe('protected pages of files', () => {
  it('are marked where there is no entry, whatever the features: userfaultfd_wp_use_markers()', () => {
    const played = playFiles(PROTECTED);
    expect(entries(played, SHARED)).toBe('file= file= marker= marker=');
    // mincore asks the file behind a marker.
    const gone = playFiles(`${PROTECTED}\n{madvise: "s[0]", advice: dontneed}`);
    expect(observe(gone.state)[SHARED]!.pages.map(({ mincore }) => mincore)).toEqual([1, 1, 0, 0]);
  });

  it('stay so when they are zapped or reclaimed, and are not when they are unmapped: zap_install_uffd_wp_if_needed()', () => {
    const zapped = playFiles(
      `${PROTECTED}\n{madvise: s, advice: dontneed}\n{madvise: "p[0]", advice: dontneed}`,
    );
    expect(entries(zapped, SHARED)).toBe('marker= marker= marker= marker=');
    expect(entries(zapped, PRIVATE)).toBe('marker= file= file=');
    const swapped = playFiles(
      `${PROTECTED}\n{swapon: p0}\n{madvise: s, advice: pageout}\n{cpu-read: "s[0]"}`,
    );
    expect(entries(swapped, SHARED)).toBe('file= marker= marker= marker=');
    expect(entries(playFiles(`${PROTECTED}\n{munmap: s}\n{mmap: s}`), SHARED)).toBe('- - - -');
  });

  it('are mapped protected in the place of a marker, so that a store is refused: vmf_orig_pte_uffd_wp()', () => {
    const played = playFiles(
      `${PROTECTED}\n{cpu-write: "s[2]"}\n{madvise: p, advice: dontneed}\n{cpu-write: "p[1]"}`,
    );
    expect(outcomes(played).slice(-3)).toEqual(['SIGBUS at page 2', 'success', 'SIGBUS at page 1']);
    expect(entries(played, SHARED)).toBe('file= file= file= marker=');
    expect(entries(played, PRIVATE)).toBe('marker= ram= marker=');
  });

  it('can be written to when they are not, by a fault first: vma_wants_writenotify()', () => {
    const played = playFiles(`${PROTECTED}\n{uffd-unprotect: "s[0]"}\n{cpu-read: "s[0]"}`);
    expect(entries(played, SHARED)).toBe('file file= marker= marker=');
    const unregistered = playFiles(`${PROTECTED}\n{uffd-unregister: s}\n{cpu-read: "s[2]"}`);
    expect(entries(unregistered, SHARED)).toBe('file file file+ -');
  });

  it('are not protected in a child, where shared memory is made writable at once: dup_userfaultfd()', () => {
    const played = playFiles(`${PROTECTED}\n{fork: p1}\n{cpu-read: "s[0]", by: p1}`);
    expect(entries(played, SHARED, 1)).toBe('file+ file+ - -');
    expect(entries(played, PRIVATE, 1)).toBe('- - -');
  });
});

it('is not asked for what the model has no rules for: hugetlb, zero pages in private shmem, and what is behind a file', () => {
  const at = (region: number, first: number, count: number) => ({ region, first, count });
  const state = (open: string) =>
    playFiles(`{mmap: s}\n{mmap: p}\n{mmap: q}\n{mmap: h}\n{uffd-open: p0${open}}`).state;
  const register = (region: number): Step => ({
    op: 'uffd-register',
    by: 0,
    at: at(region, 0, 1),
    kind: 'missing',
  });
  expect(hazardOf(state(''), { ...register(3), at: at(3, 0, 512) } as Step)).toContain('hugetlb');
  expect(hazardOf(state(''), register(2))).toBeUndefined();
  expect(hazardOf(state(', handler: true'), register(2))).toContain('zero page');
  expect(hazardOf(state(''), { op: 'uffd-zeropage', by: 0, at: at(2, 0, 1) })).toContain('zero page');
  const longer = play(
    '{mmap: s}\n{mremap: s, to: "a[0..1]"}\n{mremap: "a[0..1]", pages: 3}\n{uffd-open: p0}',
    STOCK,
    '{s: {pages: 2, backing: shared-shmem}, a: 4}',
  ).state;
  expect(hazardOf(longer, { op: 'uffd-copy', by: 0, at: at(1, 1, 1), protect: false })).toBeUndefined();
  expect(hazardOf(longer, { op: 'uffd-copy', by: 0, at: at(1, 1, 2), protect: false })).toContain('behind');
});
