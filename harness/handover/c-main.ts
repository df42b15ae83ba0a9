/** main() of a stand-alone program: it starts the first process, sees every end, and judges. */
import { GAUGES } from '../../model/meminfo.ts';
import type { ProcessId } from '../../model/program.ts';
import { VM_EVENT_NAMES } from '../../model/vm-events.ts';
import { mentions } from './c-parts.ts';
import { beforeVariable, indent } from './c-text.ts';

export interface MainOptions {
  processes: readonly ProcessId[];
  /** Whether the processes pass turns on by pipes. */
  turns: boolean;
  /** Minors that are opened. */
  devices: readonly number[];
  /** The text of the processes. */
  code: string;
  /** Whether the kernel's log is to be looked at. */
  log: boolean;
  /** Whether a region is made for huge pages. */
  huge: boolean;
  /** Slots of shared->frame[]. */
  slots: number;
  /** What main() itself checks when all have ended. */
  checks: readonly string[];
  /** So often it is all repeated until it fails; once by default. */
  attempts?: number;
  /** Whether LRU batches are drained before main() looks at /proc/meminfo behind the last step. */
  drains: boolean;
  /** Whether what was seen must be in a table. */
  judged?: boolean;
}

export function mainText(options: MainOptions): string {
  const { turns, devices, code, log, huge, slots, checks, attempts, judged = false } = options;
  const traces = mentions([code, ...checks].join('\n'), 'check_trace');
  const counters = VM_EVENT_NAMES.filter((name) => mentions(checks.join('\n'), beforeVariable(name)));
  const gauges = GAUGES.filter((name) => mentions([code, ...checks].join('\n'), beforeVariable(name)));
  return [
    attempts === undefined ? 'int main(void)' : 'int main(int argc, char **argv)',
    '{',
    ...(attempts === undefined ? [] : ['\tconst int attempts = argc > 1 ? atoi(argv[1]) : ATTEMPTS;']),
    ...counters.map((name) => `\tuint64_t ${beforeVariable(name)};`),
    '\tint status;',
    '\tpid_t pid;',
    '',
    '\tsetvbuf(stdout, NULL, _IONBF, 0);',
    '\tshared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);',
    '\tif (shared == MAP_FAILED)',
    '\t\treturn 2;',
    ...(slots > 0 ? ['\tmemset(shared->frame, 0xff, sizeof(shared->frame));'] : []),
    '\tif (geteuid() != 0)',
    '\t\tcannot("not root");',
    '\tif (sysconf(_SC_PAGESIZE) != PAGE)',
    '\t\tcannot("the pages of this kernel are not of %lu bytes", PAGE);',
    ...devices.flatMap((device) => [
      `\tif (access("/dev/hmm_dmirror${device}", R_OK | W_OK))`,
      `\t\tcannot("/dev/hmm_dmirror${device}: %s (is test_hmm loaded?)", strerror(errno));`,
    ]),
    ...(mentions(code, 'guarded') || FAULTING.some((name) => mentions(code, name))
      ? ['\tcatch_faults();']
      : []),
    ...(huge ? ['\tset_up_huge_pages();'] : []),
    ...(mentions(code, 'SWAP_DEVICE') ? ['\tmake_swap_device();'] : []),
    ...(traces ? ['\ttrace_open();'] : []),
    ...(log ? ['\topen_log();'] : []),
    ...(turns ? ['\tmake_turns();'] : []),
    ...counters.map((name) => `\t${beforeVariable(name)} = vmstat("${name}");`),
    // Else pages that somebody has left in the batches go while the program runs.
    ...(gauges.length > 0 ? ['\tcome_to_test_cpu();'] : []),
    ...gauges.map((name) => `\t${beforeVariable(name)} = meminfo("${name}");`),
    '\tsignal(SIGALRM, on_alarm);',
    ...(attempts === undefined ? once(options) : repeated(options, judged)),
    '}',
  ].join('\n');
}

/** The processes, from the first one's start to the end of all. */
function run({ processes, code, checks, drains }: MainOptions): string[] {
  const drain = drains && mentions(checks.join('\n'), 'check_meminfo') ? ['drain_lru_of_processes();'] : [];
  return [
    'alarm(LIMIT_S);',
    '',
    'come_to_test_cpu();',
    'pid = fork();',
    'if (pid == 0)',
    '\tp0();',
    'if (pid < 0)',
    '\tcannot("fork: %s", strerror(errno));',
    'shared->pid[0] = pid;',
    '',
    ...(mentions(code, 'shared->next') ? FOLLOW : mentions(code, 'end_child') ? WAIT_FOR_OWN : WAIT),
    '',
    `for (int i = 0; i < ${processes.length > 1 ? 'PROCESSES' : '1'}; i++)`,
    '\tif (shared->pid[i] > 0)',
    '\t\tkill(shared->pid[i], SIGKILL);',
    'while (wait(NULL) > 0)',
    '\t;',
    ...(checks.length > 0 ? ['', 'if (shared->finished) {', ...[...drain, ...checks].map(indent), '}'] : []),
  ];
}

function once(options: MainOptions): string[] {
  return [
    ...run(options),
    ...(options.log ? ['check_log();'] : []),
    'if (shared->failed)',
    '\treturn 1;',
    'if (!shared->finished)',
    '\treturn 2;',
    'puts("as expected");',
    'return 0;',
  ].map(indent);
}

function repeated(options: MainOptions, judged: boolean): string[] {
  return [
    '',
    'for (int attempt = 1; attempt <= attempts; attempt++) {',
    ...[
      'shared->finished = false;',
      'memset(shared->pid, 0, sizeof(shared->pid));',
      ...run(options),
      ...(judged
        ? ['if (shared->finished)', '\tjudge(allowed, sizeof(allowed) / sizeof(allowed[0]), columns);']
        : []),
      'check_log();',
      'if (shared->failed) {',
      '\tprintf("attempt %d\\n", attempt);',
      '\treturn 1;',
      '}',
      'if (!shared->finished)',
      '\treturn 2;',
    ].map(indent),
    '}',
    'printf("as expected, %d times\\n", attempts);',
    'return 0;',
  ].map(indent);
}

/** Until somebody says that it is finished, or dies: an end that is a step hands the turn on. */
const FOLLOW = `
	while ((pid = wait(&status)) > 0) {
		for (int i = 0; i < PROCESSES; i++)
			if (shared->pid[i] == pid)
				shared->pid[i] = 0;
		if (WIFSIGNALED(status))
			failed("process", "expected it to live, died of %s", strsignal(WTERMSIG(status)));
		if (WIFSIGNALED(status) || WEXITSTATUS(status) || shared->finished)
			break;
		pass_turn(shared->next);
	}`
  .trim()
  .split('\n')
  .map((line) => line.replace(/^\t/, ''));

const WAIT = [
  'pid = wait(&status);',
  'if (WIFSIGNALED(status))',
  '\tfailed("process", "expected it to live, died of %s", strsignal(WTERMSIG(status)));',
];

/** Some end because they are forked anew: those are known no more. */
const WAIT_FOR_OWN = [
  'do {',
  '\tpid = wait(&status);',
  '\tfor (int i = 0; i < PROCESSES; i++)',
  '\t\tif (shared->pid[i] == pid)',
  '\t\t\tpid = 0;',
  '} while (pid > 0);',
  ...WAIT.slice(1),
];

/** Functions that need the handlers of SIGSEGV and SIGBUS. */
const FAULTING = [
  ...['cpu_read', 'cpu_write', 'cpu_write_again', 'check_words', 'check_unreadable', 'observe'],
  ...['word_at', 'check_content', 'check_last', 'check_kept'],
];
