/** The #defines of a stand-alone program: only those that it uses. */
import { MINCORE_UNMAPPED } from '../../model/observation.ts';
import { PAGE_FLAG_BITS, type PageFlag } from '../../model/page-flags.ts';
import type { Profile } from '../../model/profile.ts';
import { PAGE_SIZE, type Program, pageAddress, REGION_BASE } from '../../model/program.ts';
import { type LeafKind, typeOf } from '../../model/swap-types.ts';
import { ARCHITECTURES } from '../../qemu/machine.ts';
import { perArch } from './c-arch.ts';
import { typeMacro } from './c-checks.ts';
import { type ConcurrentParts, concurrentDefinitions } from './c-concurrent.ts';
import { mentions } from './c-parts.ts';
import { regionPlace } from './c-steps.ts';
import { regionMacro } from './c-text.ts';
import { profileOn } from './expectation.ts';

interface Defined {
  program: Program;
  /** Of the kernel for which the program was written. */
  profile: Profile;
  processes: number;
  /** Seconds after which it hangs. */
  limit: number;
  concurrent: ConcurrentParts | undefined;
}

/** @param code that they are for */
export function definitions(
  { program, profile, processes, limit, concurrent }: Defined,
  code: string,
): string[] {
  const lines = [`#define PAGE\t\t${PAGE_SIZE}ul`];
  if (mentions(code, 'WORDS')) lines.push('#define WORDS\t\t(PAGE / 8)');
  lines.push(`#define LIMIT_S\t\t${limit}\t/* without an end for so long, it hangs */`);
  if (processes > 1) lines.push(`#define PROCESSES\t${processes}`);
  if (concurrent) lines.push(...concurrentDefinitions(concurrent, code));
  for (const [index, { name, pages }] of program.regions.entries()) {
    const macro = regionMacro(program, index);
    const address = `0x${pageAddress(index, 0, pages).toString(16)}ul`;
    lines.push(
      '',
      `/* Region ${name}; ${regionPlace(pages)}. */`,
      `#define ${macro}\t${address}`,
      `#define ${macro}_PAGES\t${pages}`,
    );
  }
  const rest: string[] = [];
  if (mentions(code, 'REGIONS')) {
    const end = program.regions.map(({ pages }, index) => pageAddress(index, pages, pages)).at(-1)!;
    rest.push(
      `#define REGIONS\t\t0x${REGION_BASE.toString(16)}ul`,
      `#define REGIONS_END\t0x${end.toString(16)}ul`,
    );
  }
  if (mentions(code, 'UNMAPPED'))
    rest.push(`#define UNMAPPED\t0x${(REGION_BASE - PAGE_SIZE).toString(16)}ul`);
  if (mentions(code, 'NO_FRAME')) rest.push('#define NO_FRAME\t(~0ull)');
  if (mentions(code, 'NOT_MAPPED')) rest.push(`#define NOT_MAPPED\t${MINCORE_UNMAPPED}`);
  if (rest.length > 0) lines.push('', ...rest);
  lines.push(...swapTypes(profile, code), ...pageFlags(code), ...pfnMask(profile, code));
  for (const [name, value] of NEWER.filter(([name]) => mentions(code, name))) {
    lines.push(
      '',
      '/* Not in every kernel, or every glibc. */',
      `#ifndef ${name}`,
      `#define ${name}\t${value}`,
      '#endif',
    );
  }
  return lines;
}

const NEWER = [
  ['HMM_DMIRROR_FLAGS', "_IOWR('H', 0x08, struct hmm_dmirror_cmd)"],
  ['HMM_DMIRROR_READ_UNLOCKED', "_IOWR('H', 0x09, struct hmm_dmirror_cmd)"],
  ['HMM_DMIRROR_FLAG_FAIL_ALLOC', '(1ull << 0)'],
  ['MADV_COLLAPSE', '25'],
  ['UFFD_FEATURE_WP_UNPOPULATED', '(1 << 13)'],
] as const;

function swapTypes(profile: Profile, code: string): string[] {
  const kinds = [...new Set(profile.leafKinds)].filter((kind: LeafKind) => mentions(code, typeMacro(kind)));
  if (kinds.length === 0) return [];
  return [
    '',
    `/* include/linux/swap.h of Linux ${profile.kernel}, design ${profile.design} */`,
    ...kinds.flatMap((kind) => [`#define ${typeMacro(kind)}\t${typeOf(profile.leafKinds, kind)}`]),
  ];
}

/** The first bit of include/linux/kernel-page-flags.h, which user space has no header for. */
const FIRST_INTERNAL_FLAG = 32;

function pageFlags(code: string): string[] {
  const internal = (Object.keys(PAGE_FLAG_BITS) as PageFlag[]).filter(
    (flag) => PAGE_FLAG_BITS[flag] >= FIRST_INTERNAL_FLAG && code.includes(`KPF(${flag})`),
  );
  if (internal.length === 0) return [];
  return [
    '',
    '/* include/linux/kernel-page-flags.h */',
    ...internal.map((flag) => `#define KPF_${flag}\t${PAGE_FLAG_BITS[flag]}`),
  ];
}

function pfnMask(profile: Profile, code: string): string[] {
  if (!mentions(code, 'PFN_MASK')) return [];
  const define = (arch: (typeof ARCHITECTURES)[number]) =>
    `#define PFN_MASK\t((1ull << ${profileOn(profile, arch).swapPfnBits}) - 1)`;
  return [
    '',
    '/* SWP_PFN_BITS: include/linux/swapops.h */',
    ...perArch(ARCHITECTURES.map((arch) => [define(arch)])),
  ];
}
