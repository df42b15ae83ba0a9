/** A step as plain C, as the agent does it (qemu/guest/ops.c). */
import {
  type DeviceFlags,
  type DeviceMinor,
  type DeviceOp,
  type Flaw,
  isHugeRegion,
  type PageRange,
  type Program,
  type Protection,
  type RegionId,
  type Step,
  type UserfaultKind,
} from '../../model/program.ts';
import { addressOf, pagesOf, regionMacro } from './c-text.ts';

/** Whether a userfaultfd has a handler, which counts what it is asked. */
export function hasHandler({ steps }: Program): boolean {
  return steps.some((step) => step.op === 'uffd-open' && step.mode === 'handler');
}

/** Whether a step hands back pages, into the buffer of the process that takes it. */
export function readsData(step: Step): boolean {
  return step.op === 'cpu-read' || ('at' in step && 'device' in step && HANDS_BACK[step.op] === 'pages');
}

/** Whether what waits in the CPU's batches is done before anything is looked at: where there are files, and from the first mlock on. */
export function drainsAfter({ regions, steps }: Program, index: number): boolean {
  const hasFiles = regions.some(({ backing }) => backing !== undefined);
  return hasFiles || steps.slice(0, index + 1).some(({ op }) => op === 'mlock');
}

/** Statements that take step `index` and leave its result in `err`: 0, an errno, or FAULT(). */
export function stepStatements(program: Program, step: Step, index: number): string[] {
  const statements = statementsOf(program, step, index);
  const drained = statements.includes('drain_lru();') || statements.length === 0;
  return drainsAfter(program, index) && !drained ? [...statements, 'drain_lru();'] : statements;
}

function statementsOf(program: Program, step: Step, index: number): string[] {
  switch (step.op) {
    case 'mmap':
      return map(program, step.region, step.protection);
    case 'munmap': {
      const { at } = step;
      const start = `(void *)(${addressOf(program, at.region, at.first)})`;
      return [`err = munmap(${start}, ${pagesOf(program, at)} * PAGE) ? errno : 0;`];
    }
    case 'madvise': {
      const start = `(void *)(${addressOf(program, step.at.region, step.at.first)})`;
      const size = `${pagesOf(program, step.at)} * PAGE`;
      return [
        `err = madvise(${start}, ${size}, MADV_${step.advice.toUpperCase()}) ? errno : 0;`,
        'drain_lru();',
      ];
    }
    case 'mlock':
    case 'munlock': {
      const start = `(void *)(${addressOf(program, step.at.region, step.at.first)})`;
      return [`err = ${step.op}(${start}, ${pagesOf(program, step.at)} * PAGE) ? errno : 0;`];
    }
    case 'mremap':
      return [remap(program, step)];
    case 'pin':
      return [`err = pin_pages(${range(program, step.at)});`];
    case 'unpin':
      return ['err = unpin_pages();'];
    case 'reload':
      return ['err = reload_test_hmm();'];
    case 'swapon':
      return ['err = swapon(SWAP_DEVICE, 0) ? errno : 0;'];
    case 'swapoff':
      return ['err = swapoff(SWAP_DEVICE) ? errno : 0;'];
    case 'clear-refs':
      return ['err = clear_refs();'];
    case 'mprotect': {
      const start = `(void *)(${addressOf(program, step.at.region, step.at.first)})`;
      const size = `${pagesOf(program, step.at)} * PAGE`;
      return [`err = mprotect(${start}, ${size}, ${PROTECTIONS[step.protection]}) ? errno : 0;`];
    }
    case 'ksmd':
      return ['err = run_ksmd();'];
    case 'uffd-open':
      return [
        step.mode === 'handler'
          ? 'err = uffd_open_with_handler();'
          : `err = uffd_open(UFFD_FEATURE_SIGBUS${step.unpopulated ? ' | UFFD_FEATURE_WP_UNPOPULATED' : ''});`,
      ];
    case 'uffd-register':
      return [`err = uffd_register(${range(program, step.at)}, ${REGISTER_MODES[step.kind]});`];
    case 'uffd-unregister':
      return [`err = uffd_unregister(${range(program, step.at)});`];
    case 'uffd-protect':
      return [`err = uffd_protect(${range(program, step.at)}, UFFDIO_WRITEPROTECT_MODE_WP);`];
    case 'uffd-unprotect':
      return [`err = uffd_protect(${range(program, step.at)}, 0);`];
    case 'uffd-zeropage':
      return [`err = uffd_zeropage(${range(program, step.at)});`];
    case 'uffd-copy':
      return [
        `fill(buffer, ${pagesOf(program, step.at)}, ${token(index, step.at)});`,
        `err = uffd_copy(${range(program, step.at)}, ${step.protect ? 'UFFDIO_COPY_MODE_WP' : '0'});`,
      ];
    case 'uffd-move':
      return [
        `err = uffd_move(${range(program, step.at)}, ${addressOf(program, step.to.region, step.to.first)}, ${step.holes ? 'UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES' : '0'});`,
      ];
    case 'cpu-read':
      return [`err = cpu_read(${range(program, step.at)});`];
    case 'cpu-write':
      return [`err = cpu_write(${range(program, step.at)}, ${token(index, step.at)});`];
    case 'fork':
      return [
        'pid = spawn();',
        ...(hasPinned(program, index)
          ? ['if (pid == 0) {', '\tforget_pins();', `\tp${step.child}();`, '}']
          : ['if (pid == 0)', `\tp${step.child}();`]),
        'err = pid < 0 ? errno : 0;',
        `shared->pid[${step.child}] = pid;`,
      ];
    case 'together':
      throw new RangeError('there is no C for steps together');
    // It does not return: what comes after it is another's turn (c-turns.ts).
    case 'exit':
      return [];
    case 'open':
      return [
        `device[${step.device}] = open("/dev/hmm_dmirror${step.device}", O_RDWR | O_CLOEXEC);`,
        `err = device[${step.device}] < 0 ? errno : 0;`,
      ];
    case 'close':
      return [`err = close(device[${step.device}]) ? errno : 0;`];
    case 'flags':
      return setFlags(program, step.device, step.flags);
    default:
      return deviceOp(program, step, index);
  }
}

function remap(program: Program, { at, to, how, flaw }: Extract<Step, { op: 'mremap' }>): string {
  const source = `${addressOf(program, at.region, at.first)}${flaw === 'misaligned' ? ' + 1' : ''}`;
  const target = `${addressOf(program, to.region, to.first)}${flaw === 'misaligned-target' ? ' + 1' : ''}`;
  const flags = [
    ...(how === 'resize' || flaw === 'immovable' ? [] : ['MREMAP_MAYMOVE']),
    ...(how === 'resize' ? [] : ['MREMAP_FIXED']),
    ...(how === 'keep' ? ['MREMAP_DONTUNMAP'] : []),
    ...(flaw === 'unknown-flag' ? ['8'] : []),
  ].join(' | ');
  const length = how === 'resize' ? String(to.count) : pagesOf(program, to);
  const place = flaw === 'beyond' ? '-PAGE' : target;
  return `err = remap(${source}, ${pagesOf(program, at)}, ${length}, ${flags || '0'}, ${place});`;
}

/** Before step `index`: what a parent has pinned is not its child's. */
function hasPinned({ steps }: Program, index: number): boolean {
  return steps.slice(0, index).some(({ op }) => op === 'pin' || op === 'unpin');
}

const REGISTER_MODES: Readonly<Record<UserfaultKind, string>> = {
  missing: 'UFFDIO_REGISTER_MODE_MISSING',
  wp: 'UFFDIO_REGISTER_MODE_WP',
  both: 'UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP',
};

const PROTECTIONS: Readonly<Record<Protection, string>> = {
  none: 'PROT_NONE',
  read: 'PROT_READ',
  'read-write': 'PROT_READ | PROT_WRITE',
};

const ANONYMOUS = 'MAP_PRIVATE | MAP_ANONYMOUS';

function map(program: Program, region: RegionId, protection: Protection): string[] {
  const start = regionMacro(program, region);
  const { backing } = program.regions[region]!;
  const flags = backing ? (backing.startsWith('shared') ? 'MAP_SHARED' : 'MAP_PRIVATE') : ANONYMOUS;
  const file = backing ? `region_file[${region}]` : '-1';
  return [
    `err = mmap((void *)${start}, ${start}_PAGES * PAGE, ${PROTECTIONS[protection]},`,
    `\t   ${flags} | MAP_FIXED_NOREPLACE, ${file}, 0) == MAP_FAILED ? errno : 0;`,
  ];
}

/** FLAGS takes them in npages, and wants a valid address like every command. */
function setFlags(program: Program, device: DeviceMinor, flags: DeviceFlags): string[] {
  return [
    'cmd = (struct hmm_dmirror_cmd){',
    `\t.addr = ${regionMacro(program, 0)},`,
    '\t.ptr = (uintptr_t)buffer,',
    `\t.npages = ${FLAGS[flags]},`,
    '};',
    `err = ioctl(device[${device}], HMM_DMIRROR_FLAGS, &cmd) ? errno : 0;`,
  ];
}

/** `other` is a bit without a meaning. */
const FLAGS: Readonly<Record<DeviceFlags, string>> = {
  none: '0',
  'fail-alloc': 'HMM_DMIRROR_FLAG_FAIL_ALLOC',
  other: '2',
};

function range(program: Program, at: PageRange): string {
  return `${addressOf(program, at.region, at.first)}, ${pagesOf(program, at)}`;
}

/** The words of a range's pages go up by one from page to page. */
function token(step: number, { region, first }: PageRange): string {
  return `TOKEN(${step}, ${region}, ${first})`;
}

const REQUESTS: Readonly<Record<DeviceOp, string>> = {
  read: 'HMM_DMIRROR_READ',
  'read-unlocked': 'HMM_DMIRROR_READ_UNLOCKED',
  write: 'HMM_DMIRROR_WRITE',
  'migrate-to-dev': 'HMM_DMIRROR_MIGRATE_TO_DEV',
  'migrate-to-sys': 'HMM_DMIRROR_MIGRATE_TO_SYS',
  snapshot: 'HMM_DMIRROR_SNAPSHOT',
  exclusive: 'HMM_DMIRROR_EXCLUSIVE',
  'check-exclusive': 'HMM_DMIRROR_CHECK_EXCLUSIVE',
  release: 'HMM_DMIRROR_RELEASE',
};

/** What an ioctl copies to hmm_dmirror_cmd.ptr. */
const HANDS_BACK: Readonly<Record<DeviceOp, 'pages' | 'bytes' | null>> = {
  read: 'pages',
  'read-unlocked': 'pages',
  write: null,
  'migrate-to-dev': 'pages',
  'migrate-to-sys': null,
  snapshot: 'bytes',
  exclusive: 'pages',
  'check-exclusive': null,
  release: null,
};

function deviceOp(program: Program, step: Extract<Step, { op: DeviceOp }>, index: number): string[] {
  const { at, device, op, flaw } = step;
  if (flaw === 'bad-command')
    return [`err = ioctl(device[${device}], ${REQUESTS[op]}, (void *)UNMAPPED) ? errno : 0;`];
  const pages = pagesOf(program, at);
  const lines: string[] = [];
  if (HANDS_BACK[op] === 'pages') lines.push(`memset(buffer, 0xa5, ${pages} * PAGE);`);
  if (op === 'write') lines.push(`fill(buffer, ${pages}, ${token(index, at)});`);
  lines.push(
    'cmd = (struct hmm_dmirror_cmd){',
    `\t.addr = ${addressOf(program, at.region, at.first)},`,
    '\t.ptr = (uintptr_t)buffer,',
    `\t.npages = ${pages},`,
    '};',
    ...(flaw ? SPOILED[flaw] : []),
  );
  const request = flaw === 'unknown' ? "_IOWR('H', 0x7f, struct hmm_dmirror_cmd)" : REQUESTS[op];
  lines.push(`err = ioctl(device[${device}], ${request}, &cmd) ? errno : 0;`);
  return lines;
}

/** What makes a command wrong, where it is in the struct. */
const SPOILED: Readonly<Record<Flaw, string[]>> = {
  misaligned: ['cmd.addr++;'],
  'no-pages': ['cmd.npages = 0;'],
  wraps: ['cmd.npages = -(cmd.addr / PAGE);'],
  'excess-pages': ['cmd.npages += 1ull << 52;'],
  'bad-buffer': ['cmd.ptr = UNMAPPED;'],
  'bad-command': [],
  unknown: [],
};

/** Pages that the buffer must hold for all steps and whole regions. */
export function bufferPages(program: Program): number {
  return Math.max(...program.regions.map(({ pages }) => pages));
}

/** Where a region lies, for its #define's comment. */
export function regionPlace(pages: number): string {
  return isHugeRegion(pages) ? 'begins at a multiple of 2 MiB' : 'no 2 MiB page can cover it';
}
