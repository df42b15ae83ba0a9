import { describe, expect, it } from 'vitest';
import type { Divergence } from '../../../harness/compare/tally.ts';
import { fingerprintOfLoss } from '../../../harness/divergence/fingerprint.ts';
import { textOn } from '../../../harness/handover/c-arch.ts';
import { codeOnly } from '../../../harness/handover/c-parts.ts';
import { type EmitOptions, emitC } from '../../../harness/handover/emit-c.ts';
import { type Symptom, symptomOf } from '../../../harness/handover/symptom.ts';
import { generatePrograms } from '../../../harness/programs/generate.ts';
import { generateConcurrentPrograms } from '../../../harness/programs/generate-concurrent.ts';
import { loadLibrary, parseProgram } from '../../../harness/programs/load.ts';
import { makeProfile } from '../../../model/profile.ts';
import { ARCHITECTURES } from '../../../qemu/machine.ts';
import { everything } from './everything.ts';

const profile = makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' });

const SHARED = parseProgram(
  'shared.yaml',
  `
name: shared
about: A page that two processes share.
regions: { a: 4, b: 2 }
steps:
  - { mmap: a }
  - { cpu-write: "a[0..1]" }
  - { open: 0 }
  - { fork: p1 }
  - { migrate-to-dev: "a[0..1]", device: 0 }
  - { cpu-read: "a[1]", by: p1 }
  - { exit: p1 }
  - { cpu-read: "a[0..2]" }
`,
);

function differs(step: number, field: Divergence['field'], place: Partial<Divergence> = {}): Symptom {
  const texts = { expected: 'what the model says', seen: 'what the kernel did', rule: 'some_function' };
  return { kind: 'divergence', fields: [{ step, field, ...texts, ...place }] };
}

function emit(symptom: Symptom, options: Partial<EmitOptions> = {}, program = SHARED): string {
  return emitC(program, symptom, { profile, ...options });
}

/** The body of a function of the program. */
function body(text: string, name: string): string {
  return new RegExp(`^[^\\n]*\\b${name}\\(void\\)\\n\\{\\n(.*?)^\\}`, 'ms').exec(text)?.[1] ?? '';
}

/** The functions that a text defines. */
function functionsOf(text: string): string[] {
  return [...text.matchAll(/^static (?!const)[^;=(]*?(\w+)\([^;]*\n\{/gm)].map(([, name]) => name!);
}

/** The functions that it mentions where they are defined, and nowhere else: gcc -Wall warns of them. */
function unused(text: string): string[] {
  const code = codeOnly(text);
  const words = code.match(/\w+/g)!;
  return functionsOf(code.replace(/__attribute__\(\(.*?\)\) /g, '')).filter(
    (name) => words.filter((word) => word === name).length === 1,
  );
}

describe('emitC', () => {
  it('says at the head what differs, where it was found, and how to build and run it', () => {
    const text = emit(differs(5, 'pagemap.kind', { process: 0, region: 0, page: 1 }), {
      foundOn: 'Linux 7.3.4, aarch64',
    });
    expect(text.slice(0, text.indexOf('#define _GNU_SOURCE'))).toMatchInlineSnapshot(`
      "// SPDX-License-Identifier: GPL-2.0-only
      /*
       * shared: A page that two processes share.
       *
       * Not as expected after step 5 (p1 reads a[1]):
       *	p0 a[1] pagemap.kind
       *		expected what the model says (some_function)
       *		seen what the kernel did
       *
       * Found by hmmdiff on: Linux 7.3.4, aarch64
       *
       * Build, with the headers of the kernel tree:
       *	gcc -static -Wall -Wextra -O2 -I LINUX/lib -o repro THIS.c
       * Run as root, with test_hmm freshly loaded and nothing else that uses it. Exit status:
       *	0 it behaves as expected
       *	1 it does not; what was expected and seen is printed
       *	2 that could not be tried
       */

      "
    `);
  });

  it('takes the steps by libc calls and ioctls, each process in its turn, and checks at the failing one', () => {
    const text = emit(differs(5, 'pagemap.kind', { process: 0, region: 0, page: 1 }));
    expect(body(text, 'p0')).toMatchInlineSnapshot(`
      "	struct hmm_dmirror_cmd cmd;
      	pid_t pid;
      	int err;

      	prctl(PR_SET_PDEATHSIG, SIGKILL);
      	send_main_away();

      	/* Step 0: p0 maps a, read-write. */
      	shared->step = 0;
      	err = mmap((void *)REGION_A, REGION_A_PAGES * PAGE, PROT_READ | PROT_WRITE,
      		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? errno : 0;
      	need(err, 0);

      	/* Step 1: p0 writes a[0..1]. */
      	shared->step = 1;
      	err = cpu_write(REGION_A, 2, TOKEN(1, 0, 0));
      	need(err, 0);

      	/* Step 2: p0 opens device 0. */
      	shared->step = 2;
      	device[0] = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
      	err = device[0] < 0 ? errno : 0;
      	need(err, 0);

      	/* Step 3: p0 forks p1. */
      	shared->step = 3;
      	pid = spawn();
      	if (pid == 0)
      		p1();
      	err = pid < 0 ? errno : 0;
      	shared->pid[1] = pid;
      	need(err, 0);

      	/* Step 4: p0 migrates a[0..1] to device 0. */
      	shared->step = 4;
      	memset(buffer, 0xa5, 2 * PAGE);
      	cmd = (struct hmm_dmirror_cmd){
      		.addr = REGION_A,
      		.ptr = (uintptr_t)buffer,
      		.npages = 2,
      	};
      	err = ioctl(device[0], HMM_DMIRROR_MIGRATE_TO_DEV, &cmd) ? errno : 0;
      	need(err, 0);

      	pass_turn(1);
      	wait_for_turn(0);

      	check_bits("p0 a[1] pagemap.kind (present)", pagemap(REGION_A + 1 * PAGE),
      		PM_PRESENT | PM_SWAP, PM_PRESENT);

      	shared->finished = true;
      	_exit(0);
      "
    `);
    expect(body(text, 'p1')).toMatchInlineSnapshot(`
      "	int err;

      	prctl(PR_SET_PDEATHSIG, SIGKILL);
      	wait_for_turn(1);

      	/*
      	 * Step 5: p1 reads a[1].
      	 *
      	 *	p0 a[1] pagemap.kind
      	 *		expected what the model says (some_function)
      	 *		seen what the kernel did
      	 */
      	shared->step = 5;
      	err = cpu_read(REGION_A + 1 * PAGE, 1);
      	check_result("result", err, 0);

      	pass_turn(0);
      	for (;;)
      		pause();
      "
    `);
  });

  it('defines regions by name where the agent has them', () => {
    const text = emit(differs(5, 'outcome'));
    expect(text).toContain('#define REGION_A\t0x200000010000ul\n#define REGION_A_PAGES\t4\n');
    expect(text).toContain('#define REGION_B\t0x200040010000ul\n');
    const twice = {
      ...SHARED,
      regions: [
        { name: 'a-b', pages: 4 },
        { name: 'a_b', pages: 2 },
      ],
    };
    expect(emit(differs(5, 'outcome'), {}, twice)).toMatch(/#define REGION_A_B_0\t.*#define REGION_A_B_1\t/s);
  });

  it('leaves out the steps behind the failing one', () => {
    const text = emit(differs(2, 'outcome'));
    expect(text).not.toContain('Step 3');
    expect(text).not.toContain('spawn');
  });

  it('checks the result and what came with it: counts, data, bytes of a snapshot', () => {
    expect(emit(differs(4, 'cpages'))).toContain(
      'if (check_result("result", err, 0)) {\n\t\tcheck_number("cpages", cmd.cpages, 2);\n\t}',
    );
    // Page 2 was never written.
    expect(emit(differs(7, 'data'))).toContain(
      'check_data(0, 2, TOKEN(1, 0, 0), 1);\n\t\tcheck_data(2, 1, 0, 0);\n',
    );
    const bytes = emit(differs(4, 'snapshot.bytes', { process: 0, region: 0 }));
    expect(bytes).toContain('[0 ... 1] = HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL | HMM_DMIRROR_PROT_READ,\n');
    expect(bytes).toContain('[2 ... 3] = HMM_DMIRROR_PROT_NONE,\n');
  });

  it('names swap types as the kernel under test numbers them', () => {
    const symptom = differs(4, 'pagemap.kind', { process: 1, region: 0, page: 0 });
    expect(emit(symptom)).toContain('#define SWP_DEVICE_READ\t29\n');
    const offset = makeProfile({ kernel: '7.3', design: 'offset', arch: 'x86_64' });
    expect(emit(symptom, { profile: offset })).toContain('#define SWP_DEVICE_READ\t26\n');
  });

  it('takes both types of device-exclusive entries of 6.12 for one (make_readable_device_exclusive_entry)', () => {
    const program = parseProgram(
      'exclusive.yaml',
      `
name: exclusive
regions: { a: 1 }
steps:
  - { mmap: a }
  - { cpu-write: a }
  - { open: 0 }
  - { exclusive: a, device: 0 }
  - { mprotect: a, protection: read }
`,
    );
    const symptom = differs(4, 'pagemap.kind', { process: 0, region: 0, page: 0 });
    const old = makeProfile({ kernel: '6.12', design: 'pfn', arch: 'x86_64' });
    expect(emit(symptom, { profile: old }, program)).toContain('with_one_exclusive_type(pagemap(REGION_A))');
    expect(emit(symptom, {}, program)).not.toContain('with_one_exclusive_type');
  });

  it('expects soft-dirty bits of x86_64 alone, wherever it was found', () => {
    const symptom = differs(1, 'pagemap.soft-dirty', { process: 0, region: 0, page: 0 });
    const text = emit(symptom, { profile: makeProfile({ kernel: '7.3', design: 'pfn', arch: 'aarch64' }) });
    expect(text).toMatch(
      /#if defined\(__x86_64__\)\n[^#]*PM_SOFT_DIRTY,\s+PM_SOFT_DIRTY\);\n#else\n[^#]*PM_SOFT_DIRTY, 0\);\n#endif/,
    );
  });

  it('has a function where it is used alone: what one architecture checks, the other has no use for', async () => {
    const coherent = (await loadLibrary()).find(({ name }) => name === 'coherent-page-is-present')!;
    const migrated = coherent.steps.findIndex(({ op }) => op === 'migrate-to-dev');
    // /proc/kpagecount has nothing of a coherent page on x86_64.
    const text = emit(differs(migrated, 'kpagecount', { process: 0, region: 0, page: 0 }), {}, coherent);
    expect(functionsOf(textOn('aarch64', text))).toContain('check_kpage');
    expect(functionsOf(textOn('x86_64', text))).not.toContain('check_kpage');
    expect(functionsOf(textOn('x86_64', text))).toContain('check_result');
  });

  it('has a child forget what is pinned before it is forked, and not what is pinned later', () => {
    const pinned = parseProgram(
      'pinned.yaml',
      `
name: pinned
regions: { a: 1 }
steps:
  - { mmap: a }
  - { fork: p1 }
  - { pin: a }
  - { fork: p2 }
`,
    );
    expect(emit(differs(1, 'outcome'), {}, pinned)).not.toContain('gup_test');
    const text = emit(differs(3, 'outcome'), {}, pinned);
    expect(body(text, 'p0').match(/forget_pins\(\);\n\t\tp\d/g)).toEqual(['forget_pins();\n\t\tp2']);
    expect(text.indexOf('static int gup_test_fd')).toBeLessThan(text.indexOf('static void forget_pins'));
  });

  it('masks the flags of a page that may be either way', () => {
    const symptom = differs(1, 'kpageflags', { process: 0, region: 0, page: 0 });
    expect(emit(symptom)).toMatch(/KPAGEFLAGS, REGION_A,\s+~\(KPF\(LRU\)\),/);
  });

  it('compares a page with where it was first seen', () => {
    const text = emit(differs(5, 'pagemap.frame', { process: 0, region: 0, page: 0 }));
    expect(text).toContain('"p0 a[0]: the same page as p0 a[0] after step 4"');
    // Noted after step 4, by the process that maps it.
    expect(body(text, 'p0')).toMatch(/shared->step = 4;.*frame\[1\] = frame_at\(REGION_A\);.*frame\[0\] =/s);
  });

  it('wants a new page to be none of the others, and a device page in a chunk of its device', () => {
    const text = emit(differs(4, 'pagemap.frame', { process: 0, region: 0, page: 1 }));
    expect(text).toContain('"p0 a[1]: another page than p0 a[0]"');
    expect(text).toMatch(/check_chunk\("p0 a\[1\]", shared->frame\[0\], 0\)/);
  });

  it('wants the device page that was freed last when one is taken again', () => {
    const again = parseProgram(
      'again.yaml',
      `
name: again
regions: { a: 2 }
steps:
  - { mmap: a }
  - { open: 0 }
  - { migrate-to-dev: "a[0]", device: 0 }
  - { cpu-read: "a[0]" }
  - { migrate-to-dev: "a[1]", device: 0 }
`,
    );
    const text = emit(differs(4, 'pagemap.frame', { process: 0, region: 0, page: 1 }), {}, again);
    expect(text).toContain('the device page that was freed last, which was that of p0 a[0] after step 2');
  });

  it('traces the failing step alone, and names the events with what their entries are', () => {
    const text = emit(differs(5, 'trace.bits'));
    expect(text.match(/trace_start\(\);/g)).toHaveLength(1);
    expect(text).toMatch(/shared->step = 5;\n\ttrace_start\(\);.*\ttrace_stop\(\);/s);
    expect(text).toContain(
      '/* present: soft-dirty */\n\t\t\t{ "remove_migration_pte", REGION_A + 1 * PAGE, 0,',
    );
    // exceptions:page_fault_user is x86's.
    expect(text).toMatch(
      /#if defined\(__x86_64__\)\n[^#]*"page_fault_user"[^#]*#else\n(?![^#]*"page_fault_user")/,
    );
  });

  it('has main() look when the processes have ended', () => {
    const text = emit(differs(SHARED.steps.length, 'trace.count'));
    expect(body(text, 'main')).toMatch(/if \(shared->finished\) \{\n\t\ttrace_stop\(\);\n.*check_trace\(/s);
    expect(body(text, 'p0')).toMatch(/shared->finished = true;\n\t_exit\(0\);\n$/);
  });

  it('has main() note counters of /proc/vmstat at first, and look again when all is over', () => {
    const text = emit(differs(SHARED.steps.length, 'vmstat.thp_split_pmd'));
    const main = text.slice(text.indexOf('int main(void)'));
    expect(main).toMatch(/thp_split_pmd_before = vmstat\("thp_split_pmd"\);.*fork\(\)/s);
    expect(main).toMatch(/wait\(.*check_vmstat\("thp_split_pmd", thp_split_pmd_before, 0\);/s);
  });

  it('has main() note lines of /proc/meminfo at first; who is last after a step looks again, or main() when all is over', () => {
    const text = emit(differs(4, 'meminfo.AnonHugePages'));
    expect(text).toContain('static uint64_t AnonHugePages_before;');
    expect(body(text, 'main')).toMatch(/AnonHugePages_before = meminfo\("AnonHugePages"\);.*fork\(\)/s);
    expect(text).toMatch(/migrate.*check_meminfo\("AnonHugePages", AnonHugePages_before, 0\);/s);
    const over = emit(differs(SHARED.steps.length, 'meminfo.AnonHugePages'));
    expect(body(over, 'main')).toMatch(/wait\(.*check_meminfo\("AnonHugePages", AnonHugePages_before, 0\);/s);
  });

  it('hands the turn on through main() when a process ends by a step', () => {
    const text = emit(differs(7, 'data'));
    expect(body(text, 'p1')).toMatch(/shared->next = 0;\n\t_exit\(0\);\n$/);
    expect(body(text, 'main')).toContain('pass_turn(shared->next);');
  });

  it('has all processes on one CPU from their first page on, and main() on others (wp_can_reuse_anon_folio)', () => {
    const text = emit(differs(5, 'pagemap.kind', { process: 0, region: 0, page: 1 }));
    expect(body(text, 'main')).toMatch(/come_to_test_cpu\(\);\s+pid = fork\(\);/);
    expect(body(text, 'p0')).toMatch(/prctl\(.*\);\s+send_main_away\(\);/);
  });

  it('does what an ended process has left in the batches of the CPU before another looks (munlock_vma_folio)', () => {
    const program = parseProgram(
      'locked.yaml',
      `
name: locked
regions: { a: 1 }
steps:
  - { mmap: a }
  - { cpu-write: a }
  - { fork: p1 }
  - { mlock: a, by: p1 }
  - { exit: p1 }
`,
    );
    const text = emit(differs(4, 'kpageflags', { process: 0, region: 0, page: 0 }), {}, program);
    expect(body(text, 'p0')).toMatch(/wait_for_turn\(0\);\s+drain_lru\(\);\s+check_kpage\(/);
    expect(body(text, 'p1')).toMatch(/mlock\(.*drain_lru\(\);.*_exit/s);
  });

  it('looks into the log for a splat, and waits for a lost kernel as long as it was told', () => {
    const splat = emit({ kind: 'splat', title: 'WARNING in frob (mm/frob.c:1)', step: 4 });
    expect(splat).toContain('WARNING in frob (mm/frob.c:1)');
    expect(body(splat, 'main')).toMatch(/open_log\(\);.*check_log\(\);/s);
    const lost = emit({ kind: 'lost', reason: 'hung in step 4', step: 4 }, { limitSeconds: 7 });
    expect(lost).toContain(
      'The kernel is lost in step 4 (p0 migrates a[0..1] to device 0):\n *\thung in step 4',
    );
    expect(lost).toContain('#define LIMIT_S\t\t7\t');
  });

  it('says in which step a guest was lost, and ends with it', () => {
    const fingerprint = fingerprintOfLoss(SHARED, 5, 'its kernel panicked: oops in frob', profile);
    const lost = { fingerprint, divergences: [], lost: 'its kernel panicked: oops in frob\na trace' };
    expect(symptomOf(lost, SHARED)).toEqual({ kind: 'lost', reason: lost.lost, step: 7 });
    const atEnd = { ...lost, fingerprint: fingerprintOfLoss(SHARED, undefined, 'it hangs', profile) };
    expect(symptomOf(atEnd, SHARED)).toEqual({ kind: 'lost', reason: lost.lost });
    const text = emit(symptomOf(lost, SHARED));
    expect(text).toContain('The kernel is lost in step 7 (p0 reads a[0..2]):');
    expect(text).not.toContain('The end of the program');
  });

  it('observes after every step what the agent does, where that is asked for', () => {
    const text = emit(differs(5, 'outcome'), { observed: true });
    expect(body(text, 'p0')).toMatch(
      /observe\(REGION_A, REGION_A_PAGES\);\n\tsnapshot\(device\[0\], REGION_A/,
    );
    expect(emit(differs(5, 'outcome'))).not.toContain('observe(');
  });

  it('observes after the last step too where the kernel was lost: a look at it may have been what was too much', () => {
    const looks = (symptom: Symptom) => emit(symptom, { observed: true }).match(/\tobserve\(/g)?.length ?? 0;
    const lost = (step: number): Symptom => ({ kind: 'lost', reason: 'panicked', step });
    expect(looks(lost(1))).toBe(looks(differs(2, 'outcome')));
    expect(unused(textOn('x86_64', emit(lost(1), { observed: true })))).toEqual([]);
    expect(emit(lost(1), { observed: true })).toMatch(/self\/smaps.*read_kpage\(KPAGEFLAGS.*scan\(addr/s);
  });

  it('checks as many fields as it is told, and says how many it does not', () => {
    const all = everything(SHARED, profile, (step) => step === 5);
    expect(emit(all, { checks: 3 })).toContain(`${all.fields.length - 3} more fields differ`);
    expect(emit(all, { checks: Number.POSITIVE_INFINITY })).not.toContain('more fields differ');
  });

  it('cannot be broken by what texts say', () => {
    const evil = { expected: 'ends */ here', seen: 'observe() a snapshot\nof "check_trace"', rule: 'scan' };
    const text = emit(differs(2, 'outcome', evil));
    expect(text).toContain('expected ends * / here (scan)');
    for (const part of ['static void observe', 'static int snapshot', 'struct event', 'scan_range'])
      expect(text).not.toContain(part);
  });

  it('is the same each time', () => {
    const all = everything(SHARED, profile);
    expect(emit(all)).toBe(emit(all));
  });

  it('has nothing of programs with actors in others', () => {
    expect(emit(differs(5, 'pagemap.kind', { process: 0, region: 0, page: 1 }))).not.toMatch(
      /pthread|ACTORS|atomic/,
    );
  });

  it('has C for every program of the library, and for whatever is generated', async () => {
    const library = await loadLibrary();
    const concurrent = generateConcurrentPrograms(11, 10);
    for (const program of [...library, ...generatePrograms(11, 10), ...concurrent]) {
      const last = program.steps.length - 1;
      const text = emit(
        everything(program, profile, (step) => step === last),
        {},
        program,
      );
      expect(text, program.name).not.toMatch(/undefined|NaN|\[object/);
      const steps = [...text.matchAll(/\/\*(?:\n\t \*)? Step (\d+): /g)].map((match) => Number(match[1]));
      expect(new Set(steps), program.name).toEqual(new Set(program.steps.keys()));
      for (const arch of ARCHITECTURES)
        expect(unused(textOn(arch, text)), `${program.name}, ${arch}`).toEqual([]);
    }
  }, 60_000);
});
