/** The frame of a stand-alone program: head, definitions, the functions that it uses, its processes, and main(). */
import { GAUGES } from '../../model/meminfo.ts';
import { isHugeRegion, type ProcessId, type Program } from '../../model/program.ts';
import {
  CONCURRENT_HEADERS,
  type ConcurrentParts,
  concurrentBuffers,
  concurrentShared,
  concurrentText,
} from './c-concurrent.ts';
import { definitions } from './c-definitions.ts';
import { mainText } from './c-main.ts';
import { codeOnly, mentions, partsFor } from './c-parts.ts';
import { filesOf } from './c-region-files.ts';
import { bufferPages, drainsAfter } from './c-steps.ts';
import { beforeVariable, comment, indent } from './c-text.ts';
import { bodies, MAIN, type Turn } from './c-turns.ts';
import type { EmitOptions } from './emit-c.ts';
import type { Symptom } from './symptom.ts';
import { fieldInWords, stepTitle } from './words.ts';

export interface FileParts {
  program: Program;
  symptom: Symptom;
  options: EmitOptions;
  turns: readonly Turn[];
  /** Elements of shared->frame[]. */
  slots: number;
  /** The step that is checked. */
  last: number;
  /** Fields that differed and are not checked. */
  unchecked: number;
  /** Of a program with steps that actors take together. */
  concurrent?: ConcurrentParts;
}

const HEADERS = `
errno.h fcntl.h linux/kernel-page-flags.h linux/memfd.h linux/userfaultfd.h sched.h setjmp.h signal.h stdarg.h stdbool.h stdint.h stdio.h stdlib.h string.h
sys/ioctl.h sys/mman.h sys/mount.h sys/prctl.h sys/stat.h sys/swap.h sys/syscall.h sys/wait.h unistd.h`
  .trim()
  .split(/\s+/);

const DEFAULT_LIMIT_S = 60;
/** A process that has nothing to do. */
const STAY = ['for (;;)', '\tpause();'];
/** What hands turns on; the last is main()'s. */
const TURNS = ['pass_turn', 'wait_for_turn', 'next'];

export function fileText(parts: FileParts): string {
  const { program, symptom, turns, options, slots, last, concurrent } = parts;
  const all = bodies(turns);
  const forked = program.steps
    .slice(0, last + 1)
    .flatMap((step) => (step.op === 'together' ? step.actors.flat() : [step]))
    .flatMap((step) => (step.op === 'fork' ? [step.child] : []));
  const processes = [0, ...forked].sort((a, b) => a - b);
  const status = [...all.values()]
    .flat()
    .some((line) => /check_status\(|own_status\(|check_rss\(/.test(line));
  const prepare = [
    'send_main_away();',
    ...filesOf(program),
    ...(concurrent ? ['prepare_actors();'] : []),
    ...(status ? ['note_status();'] : []),
  ];
  const ownFunctions = processes.map((process) =>
    processFunction(process, all.get(process) ?? STAY, prepare),
  );
  const actors = concurrent ? concurrentText(concurrent, ownFunctions) : [];
  const functions = [...actors, ...ownFunctions];
  const main = mainText({
    processes,
    turns: TURNS.some((name) => functions.some((text) => mentions(codeOnly(text), name))),
    devices: [
      ...new Set(
        program.steps.slice(0, last + 1).flatMap((step) => (step.op === 'open' ? [step.device] : [])),
      ),
    ].sort(),
    code: codeOnly(functions.join('\n')),
    log: symptom.kind === 'splat' || concurrent !== undefined,
    huge: program.regions.some(({ pages }) => isHugeRegion(pages)),
    slots,
    checks: all.get(MAIN) ?? [],
    drains: drainsAfter(program, last),
    ...(concurrent ? { attempts: concurrent.attempts, judged: concurrent.columns > 0 } : {}),
  });
  const used = partsFor([...functions, main].join('\n'));
  const code = codeOnly([...used, ...functions, main].join('\n'));
  const count = Math.max(...processes) + 1;
  const sections = [
    head(parts),
    [
      '#define _GNU_SOURCE',
      ...[...HEADERS, ...(concurrent ? CONCURRENT_HEADERS : [])]
        .sort()
        .map((header) => `#include <${header}>`),
      '',
      '#include <test_hmm_uapi.h>',
    ],
    definitions(
      {
        program,
        profile: options.profile,
        processes: count,
        limit: options.limitSeconds ?? DEFAULT_LIMIT_S,
        concurrent,
      },
      code,
    ),
    sharedStruct(count, slots, code, concurrent),
    globals(parts, code),
    ...used.map((part) => [part]),
    count > 1 ? processes.map((process) => `static void p${process}(void) __attribute__((noreturn));`) : [],
    ...actors.map((text) => [text]),
    ...ownFunctions.toReversed().map((text) => [text]),
    [main],
  ];
  const text = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return `// SPDX-License-Identifier: GPL-2.0-only\n${text.join('\n\n')}\n`;
}

function head({ program, symptom, options, last, unchecked, concurrent }: FileParts): string[] {
  const { kernel, design, arch } = options.profile;
  const foundOn = options.foundOn ?? `rules of Linux ${kernel}, design ${design}, ${arch}`;
  const paragraphs = [
    `${program.name}${program.about ? `: ${program.about}` : ''}`,
    '',
    ...what(symptom, program, last),
  ];
  if (unchecked > 0) paragraphs.push(`${unchecked} more fields differ, which this program does not check.`);
  return comment([
    ...paragraphs,
    '',
    `Found by hmmdiff on: ${foundOn}`,
    '',
    'Build, with the headers of the kernel tree:',
    '\tgcc -static -Wall -Wextra -O2 -I LINUX/lib -o repro THIS.c',
    'Run as root, with test_hmm freshly loaded and nothing else that uses it. Exit status:',
    '\t0 it behaves as expected',
    '\t1 it does not; what was expected and seen is printed',
    '\t2 that could not be tried',
    ...(concurrent
      ? [
          '',
          'It is all repeated until it fails, at most ATTEMPTS times, or as often as the first argument says.',
        ]
      : []),
  ]);
}

function what(symptom: Symptom, program: Program, last: number): string[] {
  if (symptom.kind === 'splat') return ['The kernel complains in its log:', `\t${symptom.title}`];
  if (symptom.kind === 'lost')
    return [`The kernel is lost in ${stepTitle(program, last)}:`, `\t${symptom.reason}`];
  const [field] = symptom.fields;
  if (!field) return ['All steps go as the model of hmmdiff expects.'];
  return [
    `Not as expected after ${stepTitle(program, field.step)}:`,
    ...fieldInWords(field, program.regions),
  ];
}

function sharedStruct(
  processes: number,
  slots: number,
  code: string,
  concurrent: ConcurrentParts | undefined,
): string[] {
  return [
    '/* What all processes see. */',
    'struct shared {',
    '\tint\t\tstep;\t\t/* that is being taken */',
    '\tbool\t\tfailed;',
    '\tbool\t\tfinished;',
    ...(mentions(code, 'shared->next')
      ? ['\tint\t\tnext;\t\t/* whose turn it is when a process has ended */']
      : []),
    `\tpid_t\t\tpid[${processes}];`,
    ...(mentions(code, 'messages')
      ? ['\tunsigned int\tmessages;\t/* that userfaultfds have sent in this step */']
      : []),
    ...(mentions(code, 'frame')
      ? [`\tuint64_t\tframe[${Math.max(slots, 1)}];\t/* page numbers that were noted */`]
      : []),
    ...(concurrent ? concurrentShared(concurrent, code) : []),
    '};',
    '',
    'static struct shared *shared;',
  ];
}

function globals({ program, concurrent }: FileParts, code: string): string[] {
  const size = `${bufferPages(program)} * PAGE`;
  const buffer = concurrent
    ? concurrentBuffers(size)
    : [`static char buffer[${size}] __attribute__((aligned(PAGE)));`];
  return [
    ...GAUGES.filter((name) => mentions(code, beforeVariable(name))).map(
      (name) => `static uint64_t ${beforeVariable(name)};\t/* of /proc/meminfo */`,
    ),
    ...(mentions(code, 'device') ? ['static int device[4];\t/* files of /dev/hmm_dmirrorN */'] : []),
    ...(concurrent || mentions(code, 'buffer') ? buffer : []),
  ];
}

function processFunction(process: ProcessId, body: readonly string[], prepare: readonly string[]): string {
  const text = codeOnly(body.join('\n'));
  const locals = [
    ...(mentions(text, 'cmd') ? ['\tstruct hmm_dmirror_cmd cmd;'] : []),
    ...(mentions(text, 'pid = spawn') ? ['\tpid_t pid;'] : []),
    ...(mentions(text, 'err') ? ['\tint err;'] : []),
  ];
  return [
    `static void${process === 0 ? ' __attribute__((noreturn))' : ''} p${process}(void)`,
    '{',
    ...locals,
    ...(locals.length > 0 ? [''] : []),
    '\tprctl(PR_SET_PDEATHSIG, SIGKILL);',
    ...(process === 0 ? [...prepare.map(indent), ''] : []),
    ...body.map(indent),
    '}',
  ].join('\n');
}
