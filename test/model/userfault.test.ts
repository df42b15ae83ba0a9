import { describe, expect, it } from 'vitest';
import { apply } from '../../model/apply.ts';
import { scanCategories } from '../../model/page-scan.ts';
import { makeProfile } from '../../model/profile.ts';
import type { Step } from '../../model/program.ts';
import { hazardOf } from '../../model/safe.ts';
import { expectSmaps } from '../../model/smaps.ts';
import type { State } from '../../model/state.ts';
import { findVma } from '../../model/vma.ts';
import { devicePages, last, outcomes, pages, play, pte, STOCK } from './play.ts';

const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });

const READY = `
  {mmap: a}
  {cpu-write: "a[0..2]"}
  {open: 0}
  {uffd-open: p0}`;
const PROTECTED = `${READY}\n{uffd-register: a, for: wp}\n{uffd-protect: a}`;

/** Which pages of region a are protected: `p`, or a dot. */
function protectedPages(state: State, process = 0): string {
  return state.processes[process]!.mm.ptes[0]!.map((entry) => (entry?.uffdWp ? 'p' : '.')).join('');
}

describe('missing pages that are registered', () => {
  const MISSING = `${READY}\n{uffd-register: a, for: missing}`;

  it('are refused to the CPU, to devices and to GUP, and what is there is not: handle_userfault()', () => {
    const played = play(
      `${MISSING}\n{cpu-read: a}\n{cpu-write: a}\n{read: a, device: 0}\n{read: "a[0..2]", device: 0}\n{pin: a}\n{mlock: a}`,
    );
    expect(outcomes(played).slice(5)).toEqual([
      'SIGBUS at page 3',
      'SIGBUS at page 3',
      'EFAULT',
      'success',
      'EFAULT',
      'ENOMEM',
    ]);
    expect(pages(played.state)).toBe('ram+ ram+ ram+ -');
  });

  it('are not migrated to, though the device has allocated a page: migrate_vma_insert_page()', () => {
    const played = play(`${MISSING}\n{migrate-to-dev: a, device: 0}`);
    expect(last(played).outcome).toEqual({ kind: 'errno', errno: 'ENOENT' });
    expect(pages(played.state)).toBe('dev0+ dev0+ dev0+ -');
    expect(devicePages(played.state, 0, 0)).toBe('www-');
    expect(played.state.devices[0]!.free).toHaveLength(1);
    const zero =
      play(`{mmap: a}\n{cpu-read: "a[0]"}\n{open: 0}\n{uffd-open: p0}\n{uffd-register: a, for: both}
      {migrate-to-dev: "a[0]", device: 0}`);
    expect(pages(zero.state)).toBe('zero - - -');
  });

  it('are not migrated to as a whole PMD either: migrate_vma_insert_huge_pmd_page()', () => {
    const { state } = play(
      `{mmap: h}\n{open: 0}\n{uffd-open: p0}\n{uffd-register: h, for: missing}\n{migrate-to-dev: h, device: 0}`,
      STOCK,
      '{h: {pmds: 1}}',
    );
    expect(state.processes[0]!.mm.pmds[0]).toEqual([null]);
    expect(state.devices[0]!.live.size).toBe(0);
    expect(state.devices[0]!.freeHuge).toHaveLength(1);
  });

  it('can be filled, up to one that is there, within one registered mapping: mfill_atomic()', () => {
    const end = (steps: string) => outcomes(play(`${MISSING}\n${steps}`)).at(-1);
    expect(end('{uffd-copy: "a[3]"}')).toBe('success');
    expect(end('{uffd-copy: "a[2..3]"}')).toBe('EEXIST');
    expect(end('{munmap: "a[1]"}\n{uffd-zeropage: "a[1]"}')).toBe('ENOENT');
    expect(end('{madvise: "a[1]", advice: dontneed}\n{uffd-zeropage: "a[1..2]"}')).toBe('EAGAIN');
    expect(end('{uffd-copy: "a[3]", protect: true}')).toBe('EINVAL');
    const { state } = play(`${MISSING}\n{uffd-copy: "a[3]"}`);
    expect(pte(state, 0, 3)).toMatchObject({ write: true, dirty: true, softDirty: true });
    expect(pte(state, 0, 3)!.frame.word).toBe(5 * 2 ** 32 + 2 ** 32 + 2 ** 16 + 4);
  });
});

describe('protected pages', () => {
  it('are not written to by anybody, and holes are not protected: do_wp_page()', () => {
    const played = play(
      `${PROTECTED}\n{cpu-read: a}\n{cpu-write: "a[0]"}\n{write: "a[1]", device: 0}\n{exclusive: "a[1]", device: 0}\n{cpu-write: "a[3]"}`,
    );
    expect(outcomes(played).slice(6)).toEqual(['success', 'SIGBUS at page 0', 'EFAULT', 'EFAULT', 'success']);
    expect(protectedPages(played.state)).toBe('ppp.');
    expect(pages(played.state)).toBe('ram ram ram ram+');
  });

  it('stay so on a device and back, where a write is refused once the page is in RAM: remove_migration_pte()', () => {
    const there = `${PROTECTED}\n{migrate-to-dev: "a[0..2]", device: 0}`;
    expect(protectedPages(play(there).state)).toBe('ppp.');
    const back = play(`${there}\n{cpu-write: "a[1]"}\n{migrate-to-sys: a, device: 0}`);
    expect(outcomes(back).at(-2)).toBe('SIGBUS at page 1');
    expect(pages(back.state)).toBe('ram ram ram -');
    expect(protectedPages(back.state)).toBe('ppp.');
  });

  it('are writable again at once if they are ours alone, but not on a device: can_change_pte_writable()', () => {
    const there = `${READY}\n{migrate-to-dev: "a[0]", device: 0}\n{uffd-register: a, for: wp}\n{uffd-protect: a}`;
    const { state } = play(`${there}\n{fork: p1}\n{cpu-write: "a[2]", by: p1}\n{uffd-unprotect: a}`);
    expect(protectedPages(state)).toBe('....');
    expect(pages(state)).toBe('dev0 ram ram -');
    expect(pages(play(`${PROTECTED}\n{uffd-unprotect: "a[1..3]"}`).state)).toBe('ram ram+ ram+ -');
  });

  it('are not protected in a child, nor at the place that they are moved to: dup_userfaultfd(), move_ptes()', () => {
    const forked = play(`${PROTECTED}\n{migrate-to-dev: "a[0]", device: 0}\n{fork: p1}`);
    expect(protectedPages(forked.state, 1)).toBe('....');
    expect(protectedPages(forked.state)).toBe('ppp.');
    expect(findVma(forked.state.processes[1]!.mm, 0, 0)).toMatchObject({ uffdMissing: false, uffdWp: false });
    const moved = play(`${PROTECTED}\n{mremap: a, to: b, keep: true}`);
    const { mm } = moved.state.processes[0]!;
    expect(mm.ptes[1]!.map((entry) => entry?.uffdWp)).toEqual([false, false, false, undefined]);
    expect(findVma(mm, 1, 0)!.uffdWp).toBe(false);
    expect(findVma(mm, 0, 0)!.uffdWp).toBe(true);
  });

  it('stay so when a PMD is split, and a PMD that is protected in a part is: change_pmd_range()', () => {
    const huge = `{mmap: h}\n{madvise: h, advice: hugepage}\n{cpu-write: "h[0]"}\n{uffd-open: p0}\n{uffd-register: h, for: wp}`;
    const split = play(`${huge}\n{uffd-protect: "h[0..3]"}`, STOCK, '{h: {pmds: 1}}');
    expect(split.state.processes[0]!.mm.ptes[0]!.filter((entry) => entry?.uffdWp)).toHaveLength(4);
    const whole = play(`${huge}\n{uffd-protect: h}\n{munmap: "h[0]"}`, STOCK, '{h: {pmds: 1}}');
    expect(whole.state.processes[0]!.mm.ptes[0]!.filter((entry) => entry?.uffdWp)).toHaveLength(511);
  });

  it('are restored read-only from a device-exclusive entry: restore_exclusive_pte()', () => {
    const exclusive = `${READY}\n{exclusive: "a[0]", device: 0}\n{uffd-register: a, for: wp}\n{uffd-protect: a}`;
    const played = play(`${exclusive}\n{cpu-write: "a[0]"}`);
    expect(outcomes(played).at(-1)).toBe('SIGBUS at page 0');
    expect(pte(played.state, 0, 0)).toMatchObject({ kind: 'present', write: false, uffdWp: true });
  });
});

describe('registration', () => {
  it('splits and merges mappings, and passes over holes: userfaultfd_register_range()', () => {
    const { state } = play(`${READY}\n{munmap: "a[1]"}\n{uffd-register: "a[0..2]", for: missing}`);
    const vmas = state.processes[0]!.mm.vmas[0]!;
    expect(vmas.map(({ first, end, uffdMissing }) => [first, end, uffdMissing])).toEqual([
      [0, 1, true],
      [2, 3, true],
      [3, 4, false],
    ]);
    const undone = play(`${READY}\n{uffd-register: "a[1]", for: both}\n{uffd-unregister: a}`);
    expect(undone.state.processes[0]!.mm.vmas[0]).toHaveLength(1);
  });

  it('is not taken back by a narrower one, and in 6.12 no program asks for that', () => {
    const narrower = '{uffd-register: a, for: missing}';
    expect(outcomes(play(`${PROTECTED}\n${narrower}`)).at(-1)).toBe('EBUSY');
    const step: Step = {
      op: 'uffd-register',
      by: 0,
      at: { region: 0, first: 0, count: 4 },
      kind: 'missing',
    };
    expect(hazardOf(play(PROTECTED, old).state, step)).toContain('protected');
    expect(hazardOf(play(PROTECTED).state, step)).toBeUndefined();
  });

  it('lets several mappings be moved in one call only if none of them is registered: vma_multi_allowed()', () => {
    const cut = `${READY}\n{mprotect: "a[2..3]", protection: read}`;
    expect(outcomes(play(`${cut}\n{mremap: a, to: b}`)).at(-1)).toBe('success');
    const late = play(`${cut}\n{uffd-register: "a[2..3]", for: wp}\n{mremap: a, to: b}`);
    expect(outcomes(late).at(-1)).toBe('EFAULT');
    expect(pages(late.state, 0, 1)).toBe('ram+ ram+ - -');
    const early = play(`${cut}\n{uffd-register: "a[0..1]", for: wp}\n{mremap: a, to: b}`);
    expect(outcomes(early).at(-1)).toBe('EFAULT');
    expect(pages(early.state, 0, 1)).toBe('- - - -');
  });

  it('shows in smaps, and PAGEMAP_SCAN calls written what is not protected: pagemap_page_category()', () => {
    const { state } = play(`${PROTECTED}\n{uffd-unprotect: "a[1]"}`);
    const [mapping] = expectSmaps(state, state.processes[0]!);
    expect(mapping!.vmFlags).toBe('rd wr mr mw me uw ac sd');
    const written = (page: number) => {
      const vma = findVma(state.processes[0]!.mm, 0, page);
      return (scanCategories(STOCK, vma, page, pte(state, 0, page))! & 2) !== 0;
    };
    expect([0, 1, 2, 3].map(written)).toEqual([false, true, false, true]);
  });
});

describe('a handler', () => {
  const HANDLED = `{mmap: a}\n{cpu-write: "a[0..1]"}\n{open: 0}\n{uffd-open: p0, handler: true}\n{uffd-register: a, for: both}`;
  const asked = (steps: string) => play(`${HANDLED}\n${steps}`).steps.map(({ messages }) => messages);

  it('is asked once for each missing page and each protected one, and then the access goes through', () => {
    const steps = '{cpu-read: a}\n{uffd-protect: a}\n{cpu-write: a}\n{cpu-write: a}';
    expect(asked(steps).slice(5)).toEqual([2, 0, 4, 0]);
    const { state, steps: taken } = play(`${HANDLED}\n${steps}`);
    expect(pages(state)).toBe('ram+ ram+ ram+ ram+');
    // exc_page_fault() handles the page until it is done: what is missing for a write is one fault.
    expect(taken[5]!.events).toHaveLength(2);
  });

  it('is asked about a page from a device when it is written to in RAM', () => {
    const steps = `{uffd-protect: a}\n{migrate-to-dev: "a[0..1]", device: 0}\n{cpu-read: "a[0]"}\n{cpu-write: "a[0..1]"}`;
    expect(asked(steps).slice(5)).toEqual([0, 0, 0, 2]);
  });

  it('leaves a page untouched that mlock() finds writable when it looks again, with its batches drained: populate_vma_page_range()', () => {
    const entryAfter = (op: 'mlock' | 'cpu-write', profile = STOCK) => {
      const { state, steps } = play(
        `${HANDLED}\n{exclusive: "a[0]", device: 0}\n{uffd-protect: "a[0]"}`,
        profile,
      );
      // What looks at the page afterwards reads it.
      apply(state, { op, by: 0, at: { region: 0, first: 0, count: 1 } }, steps.length);
      return pte(state, 0, 0);
    };
    expect(entryAfter('mlock')).toMatchObject({ write: true, young: false });
    expect(entryAfter('cpu-write')).toMatchObject({ write: true, young: true });
    // It is on the unevictable list by then, where marking it accessed has no effect.
    expect(entryAfter('mlock', old)!.frame).toMatchObject({ mlocked: true, referenced: true, active: false });
  });

  it('is not asked by those that hold mmap_lock: hmm_range_fault(), make_device_exclusive(), pin_user_pages()', () => {
    const steps = `{read: a, device: 0}\n{exclusive: "a[2]", device: 0}\n{pin: "a[2]"}\n{read-unlocked: "a[0..2]", device: 0}\n{mlock: a}`;
    const played = play(`${HANDLED}\n${steps}`);
    expect(outcomes(played).slice(5)).toEqual(['EFAULT', 'EFAULT', 'EFAULT', 'success', 'success']);
    expect(asked(steps).slice(5)).toEqual([0, 0, 0, 1, 1]);
  });

  it('makes READ_UNLOCKED begin anew, when its device must not have pages of the range', () => {
    const step: Step = { op: 'read-unlocked', by: 0, device: 0, at: { region: 0, first: 0, count: 4 } };
    const { state } = play(`${HANDLED}\n{migrate-to-dev: "a[1]", device: 0}`);
    expect(hazardOf(state, step)).toContain('handler');
    expect(hazardOf(play(HANDLED).state, step)).toBeUndefined();
  });
});

describe('pages that are not there and are protected', () => {
  const MARKED = `{mmap: a}\n{cpu-write: "a[0]"}\n{open: 0}\n{uffd-open: p0, unpopulated: true}
    {uffd-register: a, for: wp}\n{uffd-protect: "a[0..2]"}`;
  const kinds = (state: State, region = 0) =>
    state.processes[0]!.mm.ptes[region]!.map((entry) => entry?.kind ?? '-').join(' ');

  it('are markers, which are no pages to anybody, but are neither migrated nor zero-filled: change_pte_range()', () => {
    const played = play(
      `${MARKED}\n{migrate-to-dev: a, device: 0}\n{uffd-zeropage: "a[1]"}\n{uffd-copy: "a[1]"}`,
    );
    expect(outcomes(played).slice(6)).toEqual(['ENOENT', 'EEXIST', 'success']);
    expect(kinds(played.state)).toBe('device present marker device');
    expect(pte(played.state, 0, 1)!.uffdWp).toBe(false);
  });

  it('become protected pages by a fault, and a write is refused after it: do_anonymous_page()', () => {
    const played = play(`${MARKED}\n{cpu-read: "a[1]"}\n{cpu-write: "a[2]"}\n{read: a, device: 0}`);
    expect(outcomes(played).slice(6)).toEqual(['success', 'SIGBUS at page 2', 'success']);
    expect(pages(played.state)).toBe('ram zero ram zero');
    expect(protectedPages(played.state)).toBe('ppp.');
    expect(played.steps[7]!.events).toHaveLength(2);
  });

  it('go when they are unprotected, unregistered, given up, moved or inherited', () => {
    const left = (steps: string, region = 0) => kinds(play(`${MARKED}\n${steps}`).state, region);
    expect(left('{uffd-unprotect: "a[1]"}')).toBe('present - marker -');
    expect(left('{uffd-unregister: a}')).toBe('present - - -');
    expect(left('{madvise: "a[1]", advice: dontneed}')).toBe('present - marker -');
    expect(left('{mremap: a, to: b}', 1)).toBe('present - - -');
    expect(left('{mprotect: a, protection: read}')).toBe('present marker marker -');
    const { state } = play(`${MARKED}\n{fork: p1}`);
    expect(state.processes[1]!.mm.ptes[0]!.map((entry) => entry?.kind)).toEqual([
      'present',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('userfaultfd in programs with files', () => {
  const FILES = '{f: {pages: 2, backing: private-file}, s: {pages: 2, backing: shared-shmem}, a: 4}';
  const MAPPED = '{mmap: f}\n{mmap: s}\n{mmap: a}\n{uffd-open: p0}';

  it('does not take pages of ramfs, nor a range that has some: vma_can_userfault()', () => {
    const steps = `${MAPPED}
      {uffd-register: f, for: wp}
      {uffd-unregister: f}
      {mremap: "f[1]", to: "a[2]"}
      {uffd-register: a, for: missing}
      {uffd-register: "a[0..1]", for: missing}
      {cpu-read: "a[0]"}`;
    for (const profile of [STOCK, old]) {
      expect(outcomes(play(steps, profile, FILES)).slice(4)).toEqual([
        'EINVAL',
        'EINVAL',
        'success',
        'EINVAL',
        'success',
        'SIGBUS at page 0',
      ]);
    }
  });
});
