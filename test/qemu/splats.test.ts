import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Splat, SplatScanner, scanConsole } from '../../qemu/splats.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/console');

interface Fixture {
  /** As in the file's head: kind, `, panicked`, lines and title. */
  splats: string[];
  log: string[];
}

/** A fixture is a head (`#` comments and `SPLAT` lines), an empty line, and the console as it was. */
function readFixture(name: string): Fixture {
  const lines = readFileSync(join(FIXTURES, name), 'utf8').trimEnd().split('\n');
  const empty = lines.indexOf('');
  return {
    splats: lines.slice(0, empty).filter((line) => !line.startsWith('#')),
    log: lines.slice(empty + 1),
  };
}

function summary(splat: Splat): string {
  const panicked = splat.panicked ? ', panicked' : '';
  return `SPLAT ${splat.kind}${panicked}, lines ${splat.firstLine}-${splat.lastLine}: ${splat.title}`;
}

/** Kinds and titles of what a console shows. */
function found(...lines: string[]): string[] {
  return scanConsole(lines).map((splat) => `${splat.kind}: ${splat.title}`);
}

const fixtures = readdirSync(FIXTURES).filter((name) => name.endsWith('.txt'));

describe('consoles of real guests', () => {
  it.each(fixtures)('%s', (name) => {
    const { splats, log } = readFixture(name);
    expect(scanConsole(log).map(summary)).toEqual(splats);
  });

  it.each(fixtures)('%s, when QEMU dies after any of its lines, is never less than a splat begun', (name) => {
    const { log } = readFixture(name);
    const whole = scanConsole(log);
    for (const splat of whole) {
      // The line that tells what it is may be the last that is ever printed.
      const head = headNumber(log, splat);
      const cut = scanConsole(log.slice(0, head));
      expect(cut).toContainEqual(expect.objectContaining({ kind: splat.kind, firstLine: splat.firstLine }));
    }
  });

  it.each(fixtures)('%s, when another program prints between its lines', (name) => {
    const { splats, log } = readFixture(name);
    const mixed = log.flatMap((line) => [line, 'ok 1 BUG: not the kernel']);
    expect(scanConsole(mixed).map((splat) => `${splat.kind}: ${splat.title}`)).toEqual(
      splats.map((line) => line.replace(/^SPLAT ([\w-]+)[^:]*: /, '$1: ')),
    );
  });
});

/** The number of the line with which the scanner says that a splat has begun. */
function headNumber(log: string[], wanted: Splat): number {
  let current = 0;
  let head = 0;
  const scanner = new SplatScanner({
    begin: (splat) => {
      if (splat.firstLine === wanted.firstLine) head = current;
    },
    end: () => {},
  });
  for (const line of log) scanner.push(line, ++current);
  scanner.flush();
  return head;
}

describe('SplatScanner', () => {
  it('tells of a splat with its first telling line, and again when it is whole', () => {
    const events: string[] = [];
    const scanner = new SplatScanner({
      begin: (splat) => events.push(`begin ${splat.title}`),
      end: (splat) => events.push(`end ${splat.title}`),
    });
    const lines = [
      '[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008',
      '[    1.000000] Oops: Oops: 0002 [#1] SMP',
      '[    1.000000] RIP: 0010:at+0x0/0x10',
    ];
    scanner.push(lines[0]!, 1);
    expect(events).toEqual(['begin BUG: kernel NULL pointer dereference']);
    scanner.push(lines[1]!, 2);
    scanner.push(lines[2]!, 3);
    expect(scanner.pending).toBe(true);
    scanner.flush();
    expect(events[1]).toBe('end BUG: kernel NULL pointer dereference in at');
    expect(scanner.pending).toBe(false);
  });

  it('keeps two processors apart by their callers', () => {
    const splats = scanConsole([
      '[    1.000000][   T10] ------------[ cut here ]------------',
      '[    1.000000][   T11] ------------[ cut here ]------------',
      '[    1.000001][   T11] WARNING: mm/b.c:2 at second+0x1/0x2, CPU#1: b/11',
      '[    1.000001][   T10] WARNING: mm/a.c:1 at first+0x1/0x2, CPU#0: a/10',
      '[    1.000002][   T10] Modules linked in:',
      '[    1.000002][   T11] Call Trace:',
      '[    1.000003][   T11]  second+0x1/0x2',
      '[    1.000003][   T10] ---[ end trace 0000000000000000 ]---',
      '[    1.000004][   T11] ---[ end trace 0000000000000000 ]---',
    ]);
    expect(splats.map(({ title, lines }) => [title, lines.length])).toEqual([
      ['WARNING in second (mm/b.c:2)', 5],
      ['WARNING in first (mm/a.c:1)', 4],
    ]);
    expect(splats[0]?.lines.every((line) => line.includes('T11'))).toBe(true);
  });

  it('takes a panic for the consequence of what was reported before it', () => {
    const splats = scanConsole([
      'WARNING: mm/a.c:1 at first+0x1/0x2, CPU#0: a/10',
      'Kernel panic - not syncing: kernel: panic_on_warn set ...',
    ]);
    expect(splats).toMatchObject([{ kind: 'warning', panicked: true }]);
  });

  it('takes a panic with a reason of its own for a second report', () => {
    expect(
      found(
        'WARNING: mm/a.c:1 at first+0x1/0x2, CPU#0: a/10',
        '---[ end trace 0000000000000000 ]---',
        'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
      ),
    ).toEqual([
      'warning: WARNING in first (mm/a.c:1)',
      'panic: kernel panic: VFS: Unable to mount root fs on unknown-block(0,0)',
    ]);
  });

  it('reports a "cut here" that nothing known follows', () => {
    expect(found('------------[ cut here ]------------', 'something new')).toEqual([
      'warning: unknown report: something new',
    ]);
  });

  it('believes only lines with a time stamp once it has seen one', () => {
    expect(found('[    0.000000] Linux version 7.3.4', 'BUG: a test prints this')).toEqual([]);
    expect(found('[    0.000000] Linux version 7.3.4', '# RUN global.x ...[    9.000000] BUG: real')).toEqual(
      ['bug: BUG: real'],
    );
  });

  it('does not end for a few lines of somebody else, and does not keep them behind its end', () => {
    const [splat] = scanConsole([
      'INFO: task a:12 blocked for more than 10 seconds.',
      'eth0: link up',
      'task:a  state:D stack:0 pid:12',
      'Call Trace:',
      ' wait_here+0x1/0x2',
      'random: crng init done',
      'random: 1 missed',
      'random: 2 missed',
      'random: 3 missed',
    ]);
    expect(splat).toMatchObject({ title: 'INFO: task hung in wait_here', firstLine: 1, lastLine: 5 });
    expect(splat?.lines).toHaveLength(5);
  });
});

/** Forms that no guest here could be brought to print; the lines follow the format strings of 6.12 and 7.3. */
describe('forms taken from the source', () => {
  it('WARN of kernels up to 6.18 (kernel/panic.c)', () => {
    expect(
      found('WARNING: CPU: 1 PID: 77 at lib/test_hmm.c:260 dmirror_do_fault+0x2c/0x90 [test_hmm]'),
    ).toEqual(['warning: WARNING in dmirror_do_fault (lib/test_hmm.c:260)']);
  });

  it('oopses of x86 (arch/x86/kernel/dumpstack.c, traps.c)', () => {
    expect(found('Oops: divide error: 0000 [#1] SMP NOPTI', 'RIP: 0010:f+0x1/0x2')).toEqual([
      'oops: divide error in f',
    ]);
    expect(found('stack segment: 0000 [#1] PREEMPT SMP', 'RIP: 0010:f+0x1/0x2')).toEqual([
      'oops: stack segment in f',
    ]);
    expect(found('traps: PANIC: double fault, error_code: 0x0')).toEqual(['oops: double fault']);
    expect(
      found('general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]'),
    ).toEqual(['general-protection: general protection fault']);
  });

  it('oopses of arm64 (arch/arm64/mm/fault.c, kernel/traps.c)', () => {
    const lines = [
      'Unable to handle kernel read from unreadable memory at virtual address 0000000000000010',
      'Internal error: Oops: 0000000096000004 [#1]  SMP',
      'pc : f+0x1/0x2',
    ];
    expect(found(...lines)).toEqual(['oops: Unable to handle kernel read from unreadable memory in f']);
    expect(
      found('Internal error: synchronous external abort: 0000000096000210 [#1]  SMP', 'pc : f+0x1/0x2'),
    ).toEqual(['oops: synchronous external abort in f']);
    expect(found('SError Interrupt on CPU1, code 0x00000000bf000002 -- SError')).toEqual([
      'oops: SError Interrupt on CPU',
    ]);
  });

  it('bad entries of page tables and swap (mm/memory.c, mm/pgtable-generic.c, mm/swapfile.c)', () => {
    expect(found('unrecognized swap entry 0x7c00000000000123')).toEqual([
      'bad-swap-entry: unrecognized swap entry',
    ]);
    expect(found('get_swap_device: Bad swap file entry 3ffffffffffff')).toEqual([
      'bad-swap-entry: get_swap_device: Bad swap file entry',
    ]);
    expect(found('mm/pgtable-generic.c:56: bad pmd ffff888000bdbd60(0000000000000123)')).toEqual([
      'bad-page: bad pmd (mm/pgtable-generic.c:56)',
    ]);
    expect(found('BUG: Bad page map in process a  pte:8000000012345067 pmd:12345067')).toEqual([
      'bad-page: BUG: Bad page map',
    ]);
    expect(found('BUG: non-zero pgtables_bytes on freeing mm: 4096')).toEqual([
      'bad-rss-counter: BUG: non-zero pgtables_bytes on freeing mm',
    ]);
  });

  it('a counter of the machine that is negative once all CPUs have told what they counted (mm/vmstat.c)', () => {
    expect(found('vmstat_refresh: nr_anon_transparent_hugepages -512')).toEqual([
      'negative-counter: vmstat_refresh: nr_anon_transparent_hugepages < 0',
    ]);
  });

  it('time-outs (kernel/rcu, kernel/watchdog.c, kernel/hung_task.c)', () => {
    expect(found('rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... }')).toEqual([
      'rcu-stall: INFO: rcu_preempt detected stall',
    ]);
    expect(found('rcu: rcu_preempt kthread starved for 2500 jiffies! g9 f0x0')).toEqual([
      'rcu-stall: INFO: rcu_preempt kthread starved',
    ]);
    expect(found('watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1')).toEqual([
      'hard-lockup: Watchdog detected hard LOCKUP',
    ]);
    expect(found('INFO: task a:7 blocked in I/O wait for more than 10 seconds.')).toEqual([
      'hung-task: INFO: task a hung',
    ]);
  });

  it('lockdep (kernel/locking/lockdep.c)', () => {
    const lock = 'a/7 is trying to acquire lock:';
    const at = 'ffff888000bdbd60 (&mm->mmap_lock){++++}-{3:3}, at: f+0x1/0x2';
    for (const head of [
      'WARNING: inconsistent lock state',
      'WARNING: possible irq lock inversion dependency detected',
      'WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected',
      'WARNING: bad unlock balance detected!',
      'WARNING: held lock freed!',
      'WARNING: lock held when returning to user space!',
      '[ BUG: Invalid wait context ]',
    ]) {
      expect(found(head, lock, at)).toEqual([`lockdep: ${head} in f`]);
    }
    expect(
      found('WARNING: suspicious RCU usage', '7.3.4 #1 Not tainted', 'mm/x.c:12 suspicious rcu_check!'),
    ).toEqual(['lockdep: WARNING: suspicious RCU usage (mm/x.c:12)']);
    expect(found('WARNING: kernel/locking/lockdep.c:12 at f+0x1/0x2, CPU#0: a/7')).toEqual([
      'lockdep: WARNING in f (kernel/locking/lockdep.c:12)',
    ]);
  });

  it('sanitizers other than KASAN (mm/kfence/report.c, lib/ubsan.c, mm/kmemleak.c)', () => {
    expect(found('BUG: KFENCE: use-after-free read in f+0x1/0x2')).toEqual([
      'sanitizer: KFENCE: use-after-free read in f',
    ]);
    expect(found('UBSAN: array-index-out-of-bounds in ../mm/x.c:12:7')).toEqual([
      'sanitizer: UBSAN: array-index-out-of-bounds (mm/x.c:12)',
    ]);
    expect(found('kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)')).toEqual([
      'memory-leak: kmemleak: new suspected memory leaks',
    ]);
  });

  it('anything else that calls itself a bug or a warning', () => {
    expect(found('BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 30s!')).toEqual([
      'soft-lockup: BUG: workqueue lockup - pool',
    ]);
    expect(found('BUG: something new')).toEqual(['bug: BUG: something new']);
    expect(found('WARNING: something new')).toEqual(['warning: WARNING: something new']);
  });
});
