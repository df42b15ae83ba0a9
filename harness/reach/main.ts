/**
 * npm run reach: looks for programs that reach what library and transitions do not, writes them to
 * harness/programs/transitions, and prints rows that are in no table. To be run when an operation, a state or a row was
 * added; --beyond finds what the tables lack.
 */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Coverage, cover, newCoverage, reportCoverage } from '../../model/coverage/coverage.ts';
import { makeProfile, type Profile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import { findHazard } from '../programs/hazards.ts';
import { loadLibrary, TRANSITIONS_DIRECTORY } from '../programs/load.ts';
import { printProgram } from '../programs/print.ts';
import { Beginnings } from './beginnings.ts';
import { compact, type Kept, type Placed } from './compact.ts';
import { extend } from './extend.ts';
import type { Found } from './found.ts';
import { nameFor } from './names.ts';
import { rowsMissing } from './rows.ts';
import { search } from './search.ts';
import { formatUndeclared } from './undeclared.ts';

/** aarch64 first: it has no soft-dirty bits, and what reaches something without them does so with them. */
const PROFILES = (['7.3', '6.12'] as const).flatMap((kernel) =>
  (['aarch64', 'x86_64'] as const).map((arch) => makeProfile({ kernel, design: 'pfn', arch })),
);

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    /** Look on this kernel only. */
    kernel: { type: 'string' },
    /** Look on this architecture only. */
    arch: { type: 'string' },
    /** Look for rows that are in no table as well, until the time is over. */
    beyond: { type: 'boolean', default: false },
    /** A directory of programs that somebody wrote for rows that are hard to find, to be taken in as if they were found. */
    from: { type: 'string' },
    /** Make what was there before shorter, too. */
    compact: { type: 'boolean', default: false },
  },
});

/** Where programs are that all kernels need. */
const COMMON = 'common';
const KERNELS = [...new Set(PROFILES.map(({ kernel }) => kernel))];

const library = (await loadLibrary()).map((program): Placed => ({ program, kernels: KERNELS }));
const before = await loadAll();
const found: Program[] = values.from === undefined ? [] : await loadLibrary(values.from);
for (const profile of PROFILES) {
  if ((values.kernel ?? profile.kernel) !== profile.kernel || (values.arch ?? profile.arch) !== profile.arch)
    continue;
  found.push(
    ...lookFor(profile, [...library, ...before, ...found.map((program) => ({ program, kernels: KERNELS }))]),
  );
}
const placed = values.compact
  ? named(compact([...before.map(({ program }) => program), ...found], library, PROFILES), [])
  : [...before, ...named(compact(found, [...library, ...before], PROFILES), before)];
await writeAll(placed);
report([...library, ...placed]);

async function loadAll(): Promise<Placed[]> {
  const folders = [
    { folder: COMMON, kernels: KERNELS },
    ...KERNELS.map((kernel) => ({ folder: kernel, kernels: [kernel] })),
  ];
  const lists = folders.map(async ({ folder, kernels }) => {
    const programs = await loadLibrary(join(TRANSITIONS_DIRECTORY, folder));
    return programs.map((program) => ({ program, kernels }));
  });
  return (await Promise.all(lists)).flat();
}

function lookFor(profile: Profile, programs: readonly Placed[]): Program[] {
  const coverage = coverageOf(profile, programs);
  const found: Program[] = [];
  const end = performance.now() + Number(values.seconds) * 1000;
  const { beyond } = values;
  for (const result of tries(profile, coverage, programs)) {
    if (performance.now() > end) break;
    if (!beyond && rowsMissing(coverage, profile).length === 0) break;
    if (!result) continue;
    found.push({ ...result.program, name: `found-${profile.kernel}-${profile.arch}-${found.length}` });
    const tables = Object.values(reportCoverage(coverage, profile));
    const count = (name: 'missing' | 'undeclared') =>
      tables.reduce((sum, table) => sum + table[name].length, 0);
    process.stderr.write(
      `${profile.kernel} ${profile.arch}: ${count('missing')} rows missing, ${count('undeclared')} in no table, ${found.length} programs\n`,
    );
  }
  return found;
}

/** What begins as the programs do that there are, and of four one that does not. */
function* tries(
  profile: Profile,
  coverage: Coverage,
  programs: readonly Placed[],
): Generator<Found | undefined, never> {
  const seed = Number(values.seed);
  const walks = search({ profile, coverage, seed, beyond: values.beyond });
  const beginnings = new Beginnings(profile);
  for (const { program } of programs) {
    if (findHazard(program, profile) === undefined) beginnings.addAll(program);
  }
  const extensions = extend({ profile, coverage, beginnings, seed, beyond: values.beyond });
  for (let n = 1; ; n++) yield (n % 4 === 0 ? walks : extensions).next().value;
}

function named(kept: readonly Kept[], others: readonly Placed[]): Placed[] {
  const taken = new Set(others.map(({ program }) => program.name));
  return kept.map(({ program, kernels, purposes }) => {
    const rows = [...new Set(purposes.flatMap((purpose) => [...purpose.rows]))];
    const name = nameFor(rows, taken);
    taken.add(name);
    const about = `Alone reaches ${rows.map((row) => row.replace(/^\S+ /, '')).join('; ')}.`;
    return { program: { ...program, name, about }, kernels };
  });
}

function coverageOf(profile: Profile, programs: readonly Placed[]): Coverage {
  const coverage = newCoverage();
  for (const { program, kernels } of programs) {
    if (!kernels.includes(profile.kernel) || findHazard(program, profile) !== undefined) continue;
    cover(coverage, program, profile);
  }
  return coverage;
}

async function writeAll(placed: readonly Placed[]): Promise<void> {
  for (const folder of [COMMON, ...KERNELS]) {
    const directory = join(TRANSITIONS_DIRECTORY, folder);
    const programs = placed.filter(({ kernels }) => folderOf(kernels) === folder);
    const kept = new Set(programs.map(({ program }) => `${program.name}.yaml`));
    for (const file of await readdir(directory)) if (!kept.has(file)) await rm(join(directory, file));
    for (const { program } of programs) {
      await writeFile(join(directory, `${program.name}.yaml`), printProgram(program));
    }
  }
}

function folderOf(kernels: Placed['kernels']): string {
  return kernels.length === 1 ? kernels[0]! : COMMON;
}

function report(programs: readonly Placed[]): void {
  const kernels = PROFILES.map((profile) => {
    const tables = reportCoverage(coverageOf(profile, programs), profile);
    for (const [name, { missing }] of Object.entries(tables)) {
      for (const row of missing) {
        process.stdout.write(`not reached on ${profile.kernel} ${profile.arch}: ${name} ${row}\n`);
      }
    }
    return { kernel: profile.kernel, arch: profile.arch, tables };
  });
  process.stdout.write(formatUndeclared(kernels.filter(({ arch }) => arch === 'x86_64')));
}
