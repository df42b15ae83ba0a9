import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeProfile, type ProfileOptions } from '../../model/profile.ts';
import { isCoherent, type Program } from '../../model/program.ts';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import { inputError } from '../errors.ts';
import { buildKernel } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { type ResolvedKernel, resolveKernels } from '../kernels/resolve.ts';
import type { SourceContext } from '../kernels/source.ts';
import { kernelConfigsDir } from '../paths.ts';
import { exhaustivePrograms } from '../programs/exhaustive.ts';
import { generatePrograms } from '../programs/generate.ts';
import { generateConcurrentPrograms } from '../programs/generate-concurrent.ts';
import { findHazard } from '../programs/hazards.ts';
import { writtenPrograms } from '../programs/written.ts';
import { AllowList } from '../report/allow.ts';
import { type Verdict, verdictSchema } from '../report/verdict.ts';
import { baseImage } from '../session/image.ts';
import { scenarios } from '../session/scenarios.ts';
import { version } from '../version.ts';
import { compareLanes } from './against.ts';
import { type Finished, tryElsewhere } from './elsewhere.ts';
import { round } from './findings.ts';
import { Journal, readJournal } from './journal.ts';
import { Lane } from './lane.ts';
import type { LaneContext, LanePlan } from './lane-plan.ts';
import { type Plan, planOf, writePlan, writeWhole } from './plan.ts';
import { rulesOf } from './profile.ts';

export interface RunOptions extends Plan {
  /** Parallel compilations, and lanes at a time. */
  jobs: number;
  /** Go on with what `out` holds of a run with the same plan. */
  resume: boolean;
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
  const plans: Prepared[] = [];
  for (const kernel of await resolveKernels({ kernels: options.kernels, series: options.series }, context)) {
    plans.push(...(await planLanes(kernel, options, context)));
  }
  await mkdir(options.out, { recursive: true });
  if (!options.resume) await writePlan(options.out, planOf(options));
  const shared = { ...context, probe: new AcceleratorProbe(), calibration: new Calibration(), allow };
  const programsOf = programChooser(options, context);
  // The first guest boots while the programs of the next are made.
  const finished = await inParallel(plans, options.jobs, async (plan) =>
    runLane({ ...plan, programs: await programsOf(plan) }, shared),
  );
  await tryElsewhere(finished, options.out, context.events);
  const against = options.against ? await compareLanes(finished, options.out, context) : undefined;
  const lanes = finished.map((lane) => lane.verdict);
  const verdict = verdictSchema.parse({
    format: 1,
    ok: lanes.every((lane) => lane.ok) && !against?.some(({ differences }) => differences.length > 0),
    hmmdiff: version,
    started: started.toISOString(),
    seconds: round((Date.now() - started.getTime()) / 1000),
    seed: options.seed,
    notes,
    lanes,
    ...(against ? { against } : {}),
  } satisfies Verdict);
  await writeWhole(join(options.out, 'verdict.json'), verdict);
  return verdict;
}

/** Runs a lane, or what an earlier run left of it. */
async function runLane(plan: LanePlan, context: LaneContext): Promise<Finished> {
  const file = join(plan.folder, 'journal.jsonl');
  const key = keyOf(plan);
  const entries = plan.resume ? await readJournal(file) : [];
  const [first] = entries;
  if (first && !(first.type === 'lane' && first.key === key)) {
    throw inputError('resume', `${plan.folder} is of another kernel, or of other programs`, {
      hint: 'Sources or hmmdiff itself have changed since; run again into a new folder.',
    });
  }
  await using journal = await Journal.open(file, entries);
  const before = entries.find((entry) => entry.type === 'verdict');
  if (before) return { lane: new Lane(plan, context, journal), verdict: before.verdict };
  if (!first) await journal.append({ type: 'lane', key, programs: plan.programs.length });
  const lane = new Lane(plan, context, journal);
  lane.restore(entries);
  // Awaited here: the journal is closed behind it.
  return { lane, verdict: await lane.run() };
}

/** Everything that decides what a lane does. */
function keyOf({ build, programs, suites, scenario, append }: LanePlan): string {
  return createHash('sha256')
    .update(JSON.stringify([version, build.key, programs, suites, scenario, append]))
    .digest('hex')
    .slice(0, 16);
}

/** A lane that is built. */
type Prepared = Omit<LanePlan, 'programs'>;

async function planLanes(
  kernel: ResolvedKernel,
  options: RunOptions,
  context: SourceContext,
): Promise<Prepared[]> {
  const rules = await rulesOf(kernel.tree);
  const plans: Prepared[] = [];
  // One build at a time: each uses all processors.
  for (const arch of options.archs) {
    const build = await buildKernel(kernel.tree, arch, {
      ...context,
      jobs: options.jobs,
      fragments: options.fragments,
    });
    const image = await baseImage(build, await buildGuestPrograms(build, context), context);
    const folder = join(options.out, [kernel.spec.name, kernel.series?.name, arch].filter(Boolean).join('-'));
    plans.push({
      kernel,
      build,
      image,
      rules,
      suites: options.suites,
      accel: options.accel,
      scenario: options.scenario,
      append: options.append,
      benchmarks: options.benchmarks,
      shrink: options.shrink,
      smapsEvery: options.smapsEvery,
      against: options.against,
      fragments: options.fragments,
      folder,
      runFolder: options.out,
      resume: options.resume,
    });
  }
  return plans;
}

/** Chooses the programs of lanes, once for each architecture and its rules. A kernel that does not say has design pfn. */
function programChooser(
  options: RunOptions,
  { events }: SourceContext,
): (plan: Prepared) => Promise<readonly Program[]> {
  const chosen = new Map<string, Promise<Program[]>>();
  return async ({ kernel: { spec, series }, rules, build, suites }) => {
    if (!suites.includes('programs')) return [];
    const design = (series ?? spec).design ?? 'pfn';
    const key = `${rules} ${design} ${build.arch}`;
    const known = chosen.get(key);
    const made = known ?? choosePrograms({ kernel: rules, design, arch: build.arch }, options);
    chosen.set(key, made);
    const programs = await made;
    if (options.exhaustive && !known) {
      events.note(`${build.arch}: ${programs.length.toLocaleString('en-US')} programs, all that there are`);
    }
    return programs;
  };
}

/** Library and transitions, but for what is not safe on this kernel, and the generated programs. */
async function choosePrograms(traits: ProfileOptions, options: RunOptions): Promise<Program[]> {
  // What is safe with this design is so with the other: programs that are made are the same for both.
  const profile = makeProfile({ ...traits, design: 'pfn' });
  const own = makeProfile(traits);
  if (options.exhaustive) return [...exhaustivePrograms({ profile, ...options.exhaustive })];
  const { coherent } = scenarios[options.scenario];
  const written = (await writtenPrograms(traits.kernel, options.transitions)).filter(
    (program) => findHazard(program, own) === undefined && (coherent || !usesCoherent(program)),
  );
  return [
    ...written,
    ...generatePrograms(options.seed, options.programs, {
      profile,
      steps: options.steps,
      ...(coherent ? {} : { coherent: 0 }),
    }),
    ...generateConcurrentPrograms(options.seed, options.concurrent, { profile }),
  ];
}

function usesCoherent({ steps }: Program): boolean {
  return steps.some((step) => 'device' in step && isCoherent(step.device));
}

async function inParallel(
  plans: readonly Prepared[],
  limit: number,
  run: (plan: Prepared) => Promise<Finished>,
): Promise<Finished[]> {
  const verdicts: Finished[] = [];
  const queue = [...plans.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) verdicts[next[0]] = await run(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(limit, plans.length) }, worker));
  return verdicts;
}
