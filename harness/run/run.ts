import { setMaxListeners } from 'node:events';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type KernelVersion, makeProfile } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { ScenarioName } from '../../model/system.ts';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import type { Accelerator } from '../../qemu/machine.ts';
import type { Arch } from '../kernels/arch.ts';
import { buildKernel } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { type ResolvedKernel, resolveKernels } from '../kernels/resolve.ts';
import type { SourceContext } from '../kernels/source.ts';
import { kernelConfigsDir } from '../paths.ts';
import { generatePrograms } from '../programs/generate.ts';
import { findHazard } from '../programs/hazards.ts';
import { loadLibrary } from '../programs/load.ts';
import { AllowList } from '../report/allow.ts';
import { type LaneVerdict, type Verdict, verdictSchema } from '../report/verdict.ts';
import { baseImage } from '../session/image.ts';
import { version } from '../version.ts';
import { round } from './findings.ts';
import { Lane, type LanePlan, type Suite } from './lane.ts';
import { rulesOf } from './profile.ts';

export interface RunOptions {
  /** As resolveKernels takes them. */
  kernels: readonly string[];
  series?: string | undefined;
  archs: readonly Arch[];
  suites: readonly Suite[];
  /** How many programs to generate, beside the library. */
  programs: number;
  seed: number;
  accel: Accelerator | 'auto';
  scenario: ScenarioName;
  /** Further words of every guest's kernel command line. */
  append: readonly string[];
  /** Parallel compilations, and lanes at a time. */
  jobs: number;
  /** Config fragments beyond the usual. */
  fragments: readonly string[];
  /** Let hmm-tests run its benchmarks. */
  benchmarks: boolean;
  /** Findings of each lane's programs to shrink at most. */
  shrink: number;
  /** The run folder; made if it is not there. */
  out: string;
}

/**
 * Builds what is asked for, runs every lane, and writes the run folder: plan.json, consoles, transcripts, verdict.json.
 *
 * @throws HmmdiffError for bad input and for whatever keeps lanes from starting; what happens in a lane is in the verdict
 */
export async function runAll(
  options: RunOptions,
  context: SourceContext & { signal: AbortSignal },
): Promise<Verdict> {
  const started = new Date();
  const notes: string[] = [];
  context.events.on('event', (event) => {
    if (event.type === 'note') notes.push(event.message);
  });
  setMaxListeners(0, context.signal);
  const allow = await AllowList.read(join(kernelConfigsDir, 'allow.yaml'));
  for (const entry of allow.expired) context.events.note(`allow.yaml: ${entry}: it no longer counts`);
  const plans: LanePlan[] = [];
  for (const kernel of await resolveKernels({ kernels: options.kernels, series: options.series }, context)) {
    plans.push(...(await planLanes(kernel, options, context)));
  }
  await mkdir(options.out, { recursive: true });
  await writeWhole(join(options.out, 'plan.json'), {
    hmmdiff: version,
    started: started.toISOString(),
    seed: options.seed,
    programs: options.programs,
    suites: options.suites,
    accel: options.accel,
    scenario: options.scenario,
    append: options.append,
    lanes: plans.map(({ build }) => ({ arch: build.arch, key: build.key, origin: build.tree.origin })),
  });
  const shared = { ...context, probe: new AcceleratorProbe(), calibration: new Calibration(), allow };
  const lanes = await inParallel(plans, options.jobs, (plan) => new Lane(plan, shared).run());
  const verdict = verdictSchema.parse({
    format: 1,
    ok: lanes.every((lane) => lane.ok),
    hmmdiff: version,
    started: started.toISOString(),
    seconds: round((Date.now() - started.getTime()) / 1000),
    seed: options.seed,
    notes,
    lanes,
  } satisfies Verdict);
  await writeWhole(join(options.out, 'verdict.json'), verdict);
  return verdict;
}

async function planLanes(
  kernel: ResolvedKernel,
  options: RunOptions,
  context: SourceContext,
): Promise<LanePlan[]> {
  const rules = await rulesOf(kernel.tree);
  const plans: LanePlan[] = [];
  // One build at a time: each uses all processors.
  for (const arch of options.archs) {
    const build = await buildKernel(kernel.tree, arch, {
      ...context,
      jobs: options.jobs,
      fragments: options.fragments,
    });
    const image = await baseImage(build, await buildGuestPrograms(build, context), context);
    const programs = options.suites.includes('programs')
      ? await choosePrograms(kernel, arch, rules, options)
      : [];
    const folder = join(options.out, [kernel.spec.name, kernel.series?.name, arch].filter(Boolean).join('-'));
    plans.push({
      kernel,
      build,
      image,
      rules,
      suites: options.suites,
      programs,
      accel: options.accel,
      scenario: options.scenario,
      append: options.append,
      benchmarks: options.benchmarks,
      shrink: options.shrink,
      fragments: options.fragments,
      folder,
      runFolder: options.out,
    });
  }
  return plans;
}

/** The library, but for what is not safe on this kernel, and the generated programs. */
async function choosePrograms(
  kernel: ResolvedKernel,
  arch: Arch,
  rules: KernelVersion,
  options: RunOptions,
): Promise<Program[]> {
  // What is safe does not depend on the design: a series that does not say its own is taken to have the kernel's.
  const design = rules === '6.12' ? 'pfn' : (kernel.series?.design ?? kernel.spec.design);
  const profile = makeProfile({ kernel: rules, design, arch });
  const library = (await loadLibrary()).filter((program) => findHazard(program, profile) === undefined);
  return [...library, ...generatePrograms(options.seed, options.programs, { profile })];
}

async function inParallel(
  plans: readonly LanePlan[],
  limit: number,
  run: (plan: LanePlan) => Promise<LaneVerdict>,
): Promise<LaneVerdict[]> {
  const verdicts: LaneVerdict[] = [];
  const queue = [...plans.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) verdicts[next[0]] = await run(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(limit, plans.length) }, worker));
  return verdicts;
}

/** Under its final name a file is whole. */
async function writeWhole(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.partial`, `${JSON.stringify(value, null, 2)}\n`);
  await rename(`${file}.partial`, file);
}
