/** main() of a stand-alone program: it starts the first process, sees every end, and judges. */
import type { ProcessId } from '../../model/program.ts';
import { mentions } from './c-parts.ts';
import { indent } from './c-text.ts';

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
}

export function mainText(options: MainOptions): string {
  const { turns, devices, code, log, huge, slots, checks } = options;
  const traces = mentions([code, ...checks].join('\n'), 'check_trace');
  const many = options.processes.length > 1;
  return [
    'int main(void)',
    '{',
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
    ...(traces ? ['\ttrace_open();'] : []),
    ...(log ? ['\topen_log();'] : []),
    ...(turns ? ['\tmake_turns();'] : []),
    '\tsignal(SIGALRM, on_alarm);',
    '\talarm(LIMIT_S);',
    '',
    '\tpid = fork();',
    '\tif (pid == 0)',
    '\t\tp0();',
    '\tif (pid < 0)',
    '\t\tcannot("fork: %s", strerror(errno));',
    '\tshared->pid[0] = pid;',
    '',
    ...(mentions(code, 'shared->next') ? FOLLOW : WAIT),
    '',
    `\tfor (int i = 0; i < ${many ? 'PROCESSES' : '1'}; i++)`,
    '\t\tif (shared->pid[i] > 0)',
    '\t\t\tkill(shared->pid[i], SIGKILL);',
    '\twhile (wait(NULL) > 0)',
    '\t\t;',
    ...(checks.length > 0
      ? ['', '\tif (shared->finished) {', ...checks.map((line) => indent(indent(line))), '\t}']
      : []),
    ...(log ? ['\tcheck_log();'] : []),
    '\tif (shared->failed)',
    '\t\treturn 1;',
    '\tif (!shared->finished)',
    '\t\treturn 2;',
    '\tputs("as expected");',
    '\treturn 0;',
    '}',
  ].join('\n');
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
  .map((line, index) => (index === 0 ? `\t${line}` : line));

const WAIT = [
  '\tpid = wait(&status);',
  '\tif (WIFSIGNALED(status))',
  '\t\tfailed("process", "expected it to live, died of %s", strsignal(WTERMSIG(status)));',
];

/** Functions that need the handlers of SIGSEGV and SIGBUS. */
const FAULTING = ['cpu_read', 'cpu_write', 'check_words', 'check_unreadable', 'observe'];
