/** Emitted programs with a wrong expectation in them. */
import { emitC } from '../../../harness/handover/emit-c.ts';
import type { Symptom } from '../../../harness/handover/symptom.ts';
import { makeProfile, type Profile } from '../../../model/profile.ts';
import type { Program } from '../../../model/program.ts';
import { everything } from '../../harness/handover/everything.ts';
import type { EmittedProgram } from './emitted.ts';

/** Changes to an emitted program that make its expectation wrong, and what it must say then. */
const WRONG: Record<string, { replace: [RegExp, string]; prints: RegExp }> = {
  result: {
    replace: [/check_result\("result", err, 0\)/, 'check_result("result", err, ENOENT)'],
    prints: /result: expected No such file or directory, seen success/,
  },
  cpages: { replace: [/cmd\.cpages, \d+/, 'cmd.cpages, 77'], prints: /cpages: expected 77, seen 2/ },
  data: {
    replace: [/check_data\(0, 2, TOKEN\(\d+/, 'check_data(0, 2, TOKEN(99'],
    prints: /data: page 0 of the range/,
  },
  kind: {
    replace: [/PM_PRESENT \| PM_SWAP,\s+PM_PRESENT\)/, 'PM_PRESENT | PM_SWAP, 0)'],
    prints: /pagemap\.kind/,
  },
  'device type': {
    replace: [/#define SWP_DEVICE_READ\t\d+/, '#define SWP_DEVICE_READ 3'],
    prints: /pagemap\.kind/,
  },
  exclusive: {
    replace: [/(PM_EXCLUSIVE), (0|PM_EXCLUSIVE)\)/, '$1, PM_EXCLUSIVE - $2)'],
    prints: /pagemap\.exclusive/,
  },
  flags: { replace: [/KPF\(UPTODATE\) \| /, ''], prints: /kpageflags: expected 0x/ },
  count: { replace: [/~0ull, (\d)\)/, '~0ull, $1 + 1)'], prints: /kpagecount: expected / },
  words: {
    replace: [/(check_words\([^;]*)TOKEN\(\d+/, '$1TOKEN(99'],
    prints: /words: expected 0x\w+ throughout, seen 0x\w+/,
  },
  snapshot: { replace: [/HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL \|/, ''], prints: /SNAPSHOT by device 0: page / },
  'same page': {
    replace: [/check_same\(("[^"]*"),\s+(shared->frame\[\d+\]),\s+[^)]*\)/, 'check_same($1, $2, $2 + 1)'],
    prints: /the same page as .*: expected page 0x\w+, seen 0x\w+/,
  },
  'another page': {
    replace: [
      /check_different\(("[^"]*"),\s+(shared->frame\[\d+\]),\s+[^)]*\)/,
      'check_different($1, $2, $2)',
    ],
    prints: /another page than .*: expected a page of its own/,
  },
  chunk: { replace: [/(check_chunk\([^;]*), 0\)/, '$1, 1)'], prints: /expected a page of device 1/ },
  // In both architectures' branches.
  'event missing': {
    replace: [/check_trace\(expected, (\d+)\)/g, 'check_trace(expected, $1 - 1)'],
    prints: /seen one more/,
  },
  'event name': {
    replace: [/\{ "remove_migration_pte"/g, '{ "set_migration_pte"'],
    prints: /expected set_migration_pte/,
  },
  'event entry': { replace: [/ {2}0x(\w+)ull, 0x/g, '  0x$1ull ^ 1, 0x'], prints: /expected entry/ },
  'event page': {
    replace: [
      /(static const struct event expected)/g,
      'shared->frame[0] = 1;\n\t\tfor (unsigned int i = 1; i < sizeof(shared->frame) / 8; i++)\n\t\t\tshared->frame[i] = 1;\n\t\t$1',
    ],
    prints: /expected page 0x1, seen/,
  },
  crash: {
    replace: [/(shared->step = 6;)/, '$1\n\traise(SIGILL);'],
    prints: /step 6, process: expected it to live, died of Illegal/,
  },
  hang: {
    replace: [/(shared->step = 6;)/, '$1\n\talarm(0);\n\tfor (;;);'],
    prints: /step 6, time limit: .* it hangs/,
  },
  log: {
    replace: [
      /(shared->step = 6;)/,
      '$1\n\tif (write(open("/dev/kmsg", O_WRONLY), "WARNING: made up\\n", 17) < 0)\n\t\tabort();',
    ],
    prints: /kernel log: expected no complaint, seen WARNING: made up/,
  },
};

/** Programs that must fail on a kernel that behaves, each by one expectation that is wrong. */
export function wrongPrograms(program: Program, profile: Profile): EmittedProgram[] {
  const all = everything(program, profile);
  const findingOf = (name: string): Symptom =>
    name === 'log' ? { kind: 'splat', title: 'WARNING in somewhere' } : all;
  const changed = Object.entries(WRONG).map(([name, { replace, prints }]): EmittedProgram => {
    const text = emitC(program, findingOf(name), {
      profile,
      checks: Number.POSITIVE_INFINITY,
      limitSeconds: name === 'hang' ? 2 : 60,
    });
    const other = text.replace(...replace);
    if (other === text) throw new Error(`${name}: there is no ${replace[0]} to be replaced`);
    return { name: `wrong-${name.replaceAll(' ', '-')}`, text: other, status: 1, prints };
  });
  // The swap types of the other design.
  const other = makeProfile({
    kernel: '7.3',
    design: 'offset',
    arch: profile.arch,
    softDirty: profile.softDirty,
  });
  const finding = everything(program, profile, (step) => step === 5);
  const design = {
    name: 'wrong-design',
    text: emitC(program, finding, { profile: other }),
    status: 1 as const,
    prints: /pagemap\.kind \(device-read\)/,
  };
  return [...changed, design];
}

/** Of programs with actors: by name of the library program, a wrong expectation and what it must say. */
const WRONG_TOGETHER: Record<string, { replace: [RegExp, string]; prints: RegExp }> = {
  // Whatever the order, the process reads what it wrote.
  'first-write-meets-migration-of-the-hole': {
    replace: [/^(\t\{ .*?TOKEN\(\d+), 0, 0\)/gm, '$1, 0, 1)'],
    prints: /no order of what was done at the same time explains it/,
  },
  'fork-meets-migration': {
    replace: [/^\t\{ (?:0|E\w+),/gm, '\t{ EPERM,'],
    prints: /result: expected 0x1, seen 0/,
  },
  'writes-survive-migrations': {
    replace: [/(= \(token \+ i \/ WORDS\) \^ ROUND\(round) - 1\)/, '$1 - 2)'],
    prints: /a write is lost: round 1/,
  },
  'two-devices-fight-for-pages': {
    replace: [/(\{ REGION_A(?: \+ \d+ \* PAGE)?, TOKEN\(\d+), 0,/g, '$1, 7,'],
    prints: /expected what somebody wrote to/,
  },
};

export function wrongConcurrentPrograms(library: readonly Program[], profile: Profile): EmittedProgram[] {
  return Object.entries(WRONG_TOGETHER).map(([name, { replace, prints }]) => {
    const program = library.find((other) => other.name === name)!;
    const last = program.steps.length - 1;
    const symptom = everything(program, profile, (step) => step === last);
    const right = emitC(program, symptom, { profile, attempts: 20 });
    const text = right.replace(replace[0], replace[1]);
    if (text === right) throw new Error(`nothing to make wrong in ${name}`);
    return { name: `${name}-wrong`, text, status: 1, prints };
  });
}
