import { stackOf, symbolIn, treePath } from './kernel-log.ts';

/** What went wrong in a guest's kernel, as far as its console tells. */
export type SplatKind =
  | 'panic'
  | 'oops'
  | 'general-protection'
  | 'bug'
  | 'warning'
  | 'lockdep'
  | 'kasan'
  | 'sanitizer'
  | 'hung-task'
  | 'rcu-stall'
  | 'soft-lockup'
  | 'hard-lockup'
  | 'bad-page'
  | 'bad-rss-counter'
  | 'negative-counter'
  | 'bad-swap-entry'
  | 'slab'
  | 'memory-leak'
  | 'boot-hang';

/** Where a splat of this form stops. */
export type SplatEnd =
  /** At a line of its own; everything before it belongs to it. */
  | RegExp
  /** With the last line that looks like a report (registers, traces and so on). */
  | 'content';

export interface SplatForm {
  kind: SplatKind;
  /** Matches the text of the line that tells what it is. */
  head: RegExp;
  end: SplatEnd;
  /** @param texts all lines of the splat so far, the first match of `head` among them */
  title(match: RegExpExecArray, texts: readonly string[]): string;
}

const END_TRACE = /^---\[ end trace [0-9a-f]{16} \]---/;
const RULE = /^={20,}$/;
/** Everything up to the headline of the trace that closes a lockdep report; the trace itself is content. */
const BACKTRACE = /^stack backtrace:|^INFO: lockdep is turned off/;

/** Functions that only carry out what their caller asked for; a title that names them says nothing. */
const HELPERS =
  /^(?:_?_?(?:asan|kasan|msan|ubsan|hwasan)_\w*|kasan\w*|mem(?:cpy|set|move|cmp)\w*|__mem\w+|__pi_(?:mem|str)\w+|str\w+|_?_?copy_(?:from|to)_user\w*|rep_\w+|dump_stack\w*|show_stack|dump_backtrace|print_report|print_address_\w+|__warn\w*|report_bug|panic|vpanic|nmi_\w+|refcount_warn_saturate|__list_\w+_(?:valid|valid_or_report|report)|_raw_\w+|lock_acquire|__lock_acquire)$/;
/** What a task that waits sits in. */
const WAITING =
  /^(?:__switch_to|__?schedule\w*|schedule\w*|preempt_schedule\w*|io_schedule\w*|__?mutex_lock\w*|mutex_lock\w*|rwsem_\w+|down_\w+|down|__down\w*|wait_for_\w+|__wait_for_\w+|do_wait_for_common|bit_wait\w*|__wait_on_bit\w*|out_of_line_wait\w*|folio_wait_bit\w*|prepare_to_wait\w*|synchronize_rcu\w*|__synchronize_\w+|__wait_rcu_gp|percpu_\w+|msleep\w*|usleep_range\w*)$/;

/** What complains about its caller, and stands on top of the trace. */
const COMPLAINING =
  /^(?:dump_stack\w*|show_stack|__might_resched|__might_sleep|__schedule_bug|preempt_schedule\w*|check_preemption_disabled|debug_smp_processor_id|spin_bug|spin_dump|do_raw_\w+|_raw_\w+)$/;

function place(texts: readonly string[], skip: RegExp = HELPERS): string {
  const functions = stackOf(texts);
  return functions.find((name) => !skip.test(name)) ?? functions[0] ?? '';
}

function inPlace(what: string, where: string): string {
  return where === '' ? what : `${what} in ${where}`;
}

function find(texts: readonly string[], pattern: RegExp): string | undefined {
  for (const text of texts) {
    const match = pattern.exec(text);
    if (match) return match[1] ?? match[0];
  }
  return undefined;
}

function warningTitle(file: string, line: string, symbol: string, texts: readonly string[]): string {
  const named = symbolIn(symbol);
  const where = named !== undefined && !HELPERS.test(named) ? named : place(texts) || (named ?? '');
  return `${inPlace('WARNING', where)} (${treePath(file)}:${line})`;
}

/** The lock reports name the place as `..., at: function+0x1/0x2`, or on a line of its own behind its address. */
function lockdepTitle(what: string, texts: readonly string[]): string {
  const at = find(texts, /(?:\bat: |^\[<[0-9a-f]+>\] )(\S+\+0x.*)$/);
  return inPlace(what, (at !== undefined ? symbolIn(at) : undefined) ?? place(texts));
}

function lockdep(head: RegExp): SplatForm {
  return { kind: 'lockdep', head, end: BACKTRACE, title: (match, texts) => lockdepTitle(match[0], texts) };
}

function oops(head: RegExp, what?: string): SplatForm {
  return {
    kind: 'oops',
    head,
    end: END_TRACE,
    title: (match, texts) => inPlace(what ?? match[1] ?? match[0], place(texts)),
  };
}

/**
 * Every form of report that counts, the particular before the general: the first whose head matches names the splat.
 * The wording is that of Linux 6.12 to 7.3; the functions that print it stand at the ends of the lines.
 */
export const SPLAT_FORMS: readonly SplatForm[] = [
  {
    kind: 'kasan', // mm/kasan/report.c print_error_description
    head: /^BUG: KASAN: (\S+) in (.+)$/,
    end: RULE,
    title: (match, texts) => {
      const access = find(texts, /^(Read|Write) of size/);
      const named = symbolIn(match[2]!) ?? match[2]!;
      const where = HELPERS.test(named) ? place(texts) || named : named;
      return `KASAN: ${match[1]}${access ? ` ${access}` : ''} in ${where}`;
    },
  },
  {
    kind: 'sanitizer', // mm/kfence/report.c, kernel/kcsan/report.c
    head: /^BUG: (KFENCE|KCSAN|KMSAN): (.+?)(?: in (.+))?$/,
    end: RULE,
    title: (match) => inPlace(`${match[1]}: ${match[2]}`, symbolIn(match[3] ?? '') ?? match[3] ?? ''),
  },
  {
    kind: 'sanitizer', // lib/ubsan.c ubsan_prologue
    head: /^UBSAN: (\S+) in (\S+?):(\d+)(?::\d+)?/,
    end: /^---\[ end trace \]---|^={20,}$/,
    title: (match) => `UBSAN: ${match[1]} (${treePath(match[2]!)}:${match[3]})`,
  },

  // kernel/locking/lockdep.c
  lockdep(/^WARNING: possible (?:circular|recursive) locking(?: dependency)? detected/),
  lockdep(/^WARNING: possible irq lock inversion dependency detected/),
  lockdep(/^WARNING: \S+-safe -> \S+-unsafe lock order detected/),
  lockdep(/^WARNING: inconsistent lock state/),
  lockdep(/^WARNING: bad (?:unlock balance|contention) detected!/),
  lockdep(/^WARNING: (?:held lock freed!|Nested lock was not taken|chain_key collision)/),
  lockdep(/^WARNING: lock held (?:when returning to user space|at task exit time)[^!]*!/),
  {
    ...lockdep(/^WARNING: \S+?\/\d+ still has locks held!/),
    title: (_match, texts) => lockdepTitle('WARNING: still has locks held', texts),
  },
  lockdep(/^\[ BUG: Invalid wait context \]/),
  {
    kind: 'lockdep',
    head: /^WARNING: suspicious RCU usage/,
    end: BACKTRACE,
    title: (match, texts) => {
      const at = find(texts, /^(\S+:\d+) /);
      return at === undefined ? lockdepTitle(match[0], texts) : `${match[0]} (${treePath(at)})`;
    },
  },
  {
    kind: 'lockdep',
    head: /^(INFO: trying to register non-static key|BUG: key \S+ has not been registered|BUG: looking up invalid subclass|BUG: MAX_(?:LOCK|STACK_TRACE)\w+ too low)/,
    end: 'content',
    title: (match, texts) => inPlace(match[1]!.replace(/ key \S+ has/, ' key has'), place(texts)),
  },

  // kernel/panic.c __warn: since 6.19 "WARNING: FILE:LINE at FUNC, CPU#", before "WARNING: CPU: n PID: n at FILE:LINE FUNC"
  {
    kind: 'lockdep',
    head: /^WARNING: (?:CPU: \d+ PID: \d+ at )?(\S*kernel\/locking\/lockdep\.c):(\d+) (?:at )?(\S+)/,
    end: END_TRACE,
    title: (match, texts) => warningTitle(match[1]!, match[2]!, match[3]!, texts),
  },
  {
    kind: 'warning',
    head: /^WARNING: (?:CPU: \d+ PID: \d+ at )?(\S+?):(\d+) (?:at )?(\S+\+0x\S+)/,
    end: END_TRACE,
    title: (match, texts) => warningTitle(match[1]!, match[2]!, match[3]!, texts),
  },
  {
    kind: 'warning',
    head: /^WARNING: (?:CPU: \d+ PID: \d+ )?at (\S+\+0x\S+)/,
    end: END_TRACE,
    title: (match) => inPlace('WARNING', symbolIn(match[1]!) ?? ''),
  },

  // mm/
  {
    kind: 'bad-page', // mm/page_alloc.c bad_page
    head: /^BUG: Bad page (state|cache) in process/,
    end: 'content',
    title: (match, texts) => {
      const why = find(texts, /^page dumped because: (.+)$/);
      return `BUG: Bad page ${match[1]}${why === undefined ? '' : ` (${why})`}`;
    },
  },
  {
    kind: 'bad-page', // mm/memory.c print_bad_page_map
    head: /^BUG: Bad page map in process (.+?) +(\S+)$/,
    end: 'content',
    title: () => 'BUG: Bad page map',
  },
  {
    kind: 'bad-page', // mm/pgtable-generic.c pmd_ERROR and its like
    head: /^(\S+):(\d+): (bad p[gu4m]d|bad pte) /,
    end: 'content',
    title: (match) => `${match[3]} (${treePath(match[1]!)}:${match[2]})`,
  },
  {
    kind: 'bad-rss-counter', // kernel/fork.c check_mm
    head: /^BUG: Bad rss-counter state mm:\S+ (?:type:(\S+)|idx:(\d+)) val:(-?\d+)/,
    end: 'content',
    // How many pages it is off depends on the program, and more than that on the kernel's batches.
    title: (match) =>
      `BUG: Bad rss-counter state ${match[1] ?? `idx ${match[2]}`} ${match[3]!.startsWith('-') ? '< 0' : '> 0'}`,
  },
  {
    kind: 'bad-rss-counter',
    head: /^BUG: non-zero pgtables_bytes on freeing mm/,
    end: 'content',
    title: (match) => match[0],
  },
  {
    kind: 'negative-counter', // mm/vmstat.c vmstat_refresh, which the agent has look before it reads /proc/meminfo
    head: /^vmstat_refresh: (\w+) -\d+$/,
    end: 'content',
    title: (match) => `vmstat_refresh: ${match[1]} < 0`,
  },
  {
    kind: 'bad-swap-entry', // mm/memory.c zap_nonpresent_ptes, mm/swapfile.c
    head: /^(unrecognized swap entry|(?:\w+: )?Bad swap (?:file|offset) entry|(?:\w+: )?Unused swap (?:file|offset) entry)/,
    end: 'content',
    title: (match) => match[1]!,
  },
  {
    kind: 'slab', // mm/slub.c __slab_bug
    head: /^BUG (\S+) \((?:Not tainted|Tainted[^)]*|[A-Z ]+)[^)]*\): (.+?)(?: 0x\S+)?$/,
    end: 'content',
    title: (match) => `BUG ${match[1]}: ${match[2]}`,
  },
  {
    kind: 'memory-leak', // mm/kmemleak.c
    head: /^kmemleak: \d+ new suspected memory leaks/,
    end: 'content',
    title: () => 'kmemleak: new suspected memory leaks',
  },

  // Time.
  {
    kind: 'hung-task', // kernel/hung_task.c
    head: /^INFO: task (\S+?):\d+ (?:blocked|<blocked)[^.]* for more than \d+ seconds/,
    end: 'content',
    title: (match, texts) => {
      const where = place(texts, WAITING);
      return where === '' ? `INFO: task ${match[1]} hung` : `INFO: task hung in ${where}`;
    },
  },
  {
    kind: 'rcu-stall', // kernel/rcu/tree_stall.h, tasks.h
    head: /^(?:rcu: )?INFO: (\w+) (?:self-detected stall|detected (?:expedited )?stalls?)/,
    end: 'content',
    title: (match, texts) => inPlace(`INFO: ${match[1]} detected stall`, stallPlace(texts)),
  },
  {
    kind: 'rcu-stall',
    head: /^rcu: (\w+) kthread (?:starved|timer wakeup didn't happen) for/,
    end: 'content',
    title: (match) => `INFO: ${match[1]} kthread starved`,
  },
  {
    kind: 'soft-lockup', // kernel/watchdog.c
    head: /^(?:watchdog: )?BUG: soft lockup - CPU#\d+ stuck/,
    end: 'content',
    title: (_match, texts) => inPlace('BUG: soft lockup', stallPlace(texts)),
  },
  {
    kind: 'hard-lockup',
    head: /^(?:watchdog: )?(?:CPU\d+: )?Watchdog detected hard LOCKUP/,
    end: 'content',
    title: (_match, texts) => inPlace('Watchdog detected hard LOCKUP', stallPlace(texts)),
  },
  {
    kind: 'soft-lockup', // kernel/workqueue.c
    head: /^BUG: workqueue lockup - pool/,
    end: 'content',
    title: (match) => match[0],
  },

  // Faults of x86 (arch/x86/mm/fault.c, kernel/dumpstack.c) and arm64 (arch/arm64/mm/fault.c, kernel/traps.c).
  oops(/^(BUG: kernel NULL pointer dereference)/),
  oops(/^(BUG: unable to handle (?:page fault|kernel (?:paging request|NULL pointer dereference)))/),
  oops(/^(Unable to handle kernel .+?) at virtual address/),
  {
    kind: 'general-protection',
    head: /^(?:Oops: )?general protection fault\b/,
    end: END_TRACE,
    title: (_match, texts) => inPlace('general protection fault', place(texts)),
  },
  {
    kind: 'bug', // include/asm-generic/bug.h
    head: /^kernel BUG at (\S+?):(\d+)!/,
    end: END_TRACE,
    title: (match, texts) => `${inPlace('kernel BUG', place(texts))} (${treePath(match[1]!)}:${match[2]})`,
  },
  oops(/^(?:traps: )?PANIC: (double fault)/),
  oops(/^BUG: (?:TASK|IRQ|\S+) stack guard page was hit/, 'BUG: stack guard page was hit'),
  oops(/^(Insufficient stack space to handle exception!)/, 'stack overflow'),
  oops(/^(SError Interrupt on CPU|Bad mode in \S+(?: \S+)?)/),
  oops(/^(?:Internal error|Oops): (?:Oops(?: - |: )?)?(.*?):? [0-9a-f]{4,16} \[#\d+\]/),
  oops(/^(.{3,60}?): [0-9a-f]{4} \[#\d+\]/),

  // The rest of what calls itself a bug.
  {
    kind: 'bug', // kernel/sched/core.c, lib/smp_processor_id.c, kernel/locking/spinlock_debug.c
    head: /^BUG: (sleeping function called from invalid context|scheduling (?:while atomic|in a non-blocking section)|using \S+ in preemptible|assuming (?:atomic|non migratable) context|spinlock [\w ]+|rwlock [\w ]+|workqueue leaked atomic, lock or RCU)/,
    end: 'content',
    title: (match, texts) => {
      const where = stackOf(texts).find((name) => !COMPLAINING.test(name) && !WAITING.test(name)) ?? '';
      return inPlace(`BUG: ${match[1]!.trim().replace(/ on CPU.*/, '')}`, where);
    },
  },
  {
    kind: 'panic',
    head: /^Kernel panic - not syncing: (.+)$/,
    end: /^---\[ end Kernel panic/,
    title: (match) => `kernel panic: ${match[1]!.trim()}`,
  },
  { kind: 'bug', head: /^BUG: (.+)$/, end: 'content', title: (match) => `BUG: ${match[1]}` },
  { kind: 'warning', head: /^WARNING: (.+)$/, end: 'content', title: (match) => `WARNING: ${match[1]}` },
];

/** A stalled processor reports from inside the timer interrupt; what it was doing is the interrupted place. */
function stallPlace(texts: readonly string[]): string {
  const registers = texts.filter((text) => /^(?:RIP: 0010:|pc : )/.test(text));
  const busy = registers.map((text) => symbolIn(text)).filter((name) => name !== undefined);
  const idle = /idle|safe_halt|default_idle|cpu_do_idle|^__?delay/;
  return busy.find((name) => !idle.test(name)) ?? busy[0] ?? '';
}
