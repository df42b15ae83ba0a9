import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Program } from '../../model/program.ts';
import {
  describeFingerprint,
  type Fingerprint,
  identify,
  mostTelling,
  sameBug,
} from '../divergence/fingerprint.ts';
import { type Finding, readFinding } from '../divergence/keep.ts';
import { type Trial, Trials } from '../divergence/trials.ts';
import { ExitStatus, inputError } from '../errors.ts';
import type { Arch } from '../kernels/arch.ts';
import { type ResolvedKernel, resolveKernels } from '../kernels/resolve.ts';
import type { SourceContext } from '../kernels/source.ts';
import { findHazard } from '../programs/hazards.ts';
import { loadProgram } from '../programs/load.ts';
import { type Guests, prepareGuests } from '../run/guests.ts';
import { environmentOf } from '../run/profile.ts';
import { parseScenario } from '../session/scenarios.ts';
import type { Session } from '../session/session.ts';
import {
  addKernelOptions,
  chosenArchs,
  collectWords,
  defaultJobs,
  type KernelOptions,
  positiveInteger,
  withProgress,
} from './context.ts';

interface ReproOptions extends KernelOptions {
  runs: number;
  cold?: boolean;
  scenario?: string;
  append: string[];
  accel: 'auto' | 'kvm' | 'tcg';
  jobs: number;
  json?: boolean;
}

/** What running a program showed on one kernel and architecture. */
interface Reproduction {
  kernel: string;
  series: string | null;
  arch: Arch;
  runs: number;
  /** How often the finding was shown; any, when the program comes without one. */
  shown: number;
  /** Everything that was shown, with how often. */
  fingerprints: { id: string; shown: number; what: string }[];
}

export function reproCommand(signal: AbortSignal): Command {
  return addKernelOptions(new Command('repro'))
    .description('run one program again and again, and say how often it shows a difference')
    .argument('<file>', "a program (YAML), or a finding's folder")
    .option('--runs <n>', 'how often', positiveInteger, 10)
    .option('--cold', 'each time on a machine that has just booted')
    .option('--scenario <name>', "machine to run on (default: the finding's)")
    .option(
      '--append <word>',
      "a word for the kernel command line, can be repeated (default: the finding's)",
      collectWords,
      [],
    )
    .addOption(
      new Option('--accel <accelerator>', 'auto starts a guest with KVM to see whether it works')
        .choices(['auto', 'kvm', 'tcg'])
        .default('auto'),
    )
    .option('--jobs <n>', 'parallel compilations', positiveInteger, defaultJobs)
    .option('--json', 'print what was shown as JSON')
    .addHelpText(
      'after',
      `
A finding is run on the kernel and architecture that it was seen on, unless others are named.

Exit status: 0 nothing shown; 1 something shown; 2 bad usage or input; 3 the infrastructure failed.

Examples:
  hmmdiff repro hmmdiff-out/2026-11-21T10-00-00/debian-7.3-x86_64/findings/1a2b3c4d-fork-pagemap.kind
  hmmdiff repro smallest.yaml --kernel ~/linux --arch aarch64 --runs 100
  hmmdiff repro smallest.yaml --kernel debian-7.3 --kernel debian-7.3+offset`,
    )
    .action(async (path: string, options: ReproOptions) => {
      const { program, finding } = await read(resolve(path));
      const found = await withProgress(signal, (context) => reproduce(program, finding, options, context));
      process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : found.map(format).join(''));
      process.exitCode = found.some(({ shown, fingerprints }) => shown > 0 || fingerprints.length > 0)
        ? ExitStatus.finding
        : ExitStatus.ok;
    });
}

/** A program, and the finding that it belongs to if it lies in a finding's folder. */
async function read(path: string): Promise<{ program: Program; finding: Finding | undefined }> {
  const about = await stat(path).catch(() => undefined);
  if (!about) throw inputError('repro', `${path} does not exist`);
  if (about.isDirectory()) {
    const finding = await readFinding(path);
    const { file } = finding.smallest ?? finding.original;
    return { program: await loadProgram(join(path, file)), finding };
  }
  const program = await loadProgram(path);
  const beside = join(dirname(path), 'finding.json');
  const isPart = ['original.yaml', 'smallest.yaml'].includes(basename(path)) && (await exists(beside));
  return { program, finding: isPart ? await readFinding(dirname(path)) : undefined };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function reproduce(
  program: Program,
  finding: Finding | undefined,
  options: ReproOptions,
  context: SourceContext & { signal: AbortSignal },
): Promise<Reproduction[]> {
  const { subject, fingerprint } = finding ?? {};
  const named = options.kernel.length > 0 || options.series !== undefined;
  const kernels = await resolveKernels(
    named || !subject
      ? { kernels: options.kernel, series: options.series }
      : { kernels: [subject.kernel], series: subject.series ?? undefined },
    context,
  );
  const archs = options.arch.length === 0 && fingerprint ? [fingerprint.arch] : chosenArchs(options);
  const fragments = options.config.length > 0 ? options.config : (subject?.config ?? []);
  const scenario = parseScenario(options.scenario ?? subject?.scenario ?? 'default');
  const append = options.append.length > 0 ? options.append : (subject?.append ?? []);
  const found: Reproduction[] = [];
  for (const kernel of kernels) {
    for (const arch of archs) {
      const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-repro-'));
      try {
        const guests = await prepareGuests(
          { kernel, arch, fragments, scenario, append, accel: options.accel, jobs: options.jobs, folder },
          context,
        );
        found.push(await runOn({ guests, kernel, arch }, program, fingerprint, options, context));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }
  return found;
}

async function runOn(
  { guests, kernel, arch }: { guests: Guests; kernel: ResolvedKernel; arch: Arch },
  program: Program,
  wanted: Fingerprint | undefined,
  { runs, cold }: ReproOptions,
  { events, signal }: SourceContext,
): Promise<Reproduction> {
  const name = `${kernel.spec.name}${kernel.series ? `+${kernel.series.name}` : ''} ${arch}`;
  return events.task(`repro ${name}`, `${program.name} on ${name}`, async (report) => {
    // Only a guest can say which design it has.
    let first: Session | undefined = await guests.boot('first');
    await using _ = { [Symbol.asyncDispose]: async () => first?.[Symbol.asyncDispose]() };
    const profile = await guests.profileOf(first);
    const hazard = findHazard(program, profile);
    if (hazard) {
      throw inputError('hazard', `step ${hazard.step} of ${program.name} must not be run: ${hazard.reason}`);
    }
    await using trials = new Trials({
      setting: profile,
      boot: async (name) => {
        const booted = first ?? (await guests.boot(name));
        first = undefined;
        return booted;
      },
      environment: (session) => environmentOf(session, profile),
      allows: () => false,
      signal,
      name: 'guest',
    });
    const done: Trial[] = [];
    while (done.length < runs) {
      const next = cold ? 1 : Math.min(16, runs - done.length);
      done.push(...(await trials.run(Array.from({ length: next }, () => program))));
      if (cold) await trials.renew();
      report.progress(done.length, runs, 'runs');
    }
    const result = summarize(done, wanted, { kernel, arch });
    report.detail = `shown in ${result.shown} of ${result.runs} runs`;
    return result;
  });
}

function summarize(
  trials: readonly Trial[],
  wanted: Fingerprint | undefined,
  { kernel, arch }: { kernel: ResolvedKernel; arch: Arch },
): Reproduction {
  const byId = new Map<string, { id: string; shown: number; what: string }>();
  for (const { fingerprints, result } of trials) {
    const first = mostTelling(result?.comparison.divergences ?? []);
    for (const fingerprint of fingerprints) {
      const id = identify(fingerprint);
      const entry = byId.get(id) ?? { id, shown: 0, what: describeFingerprint(fingerprint, first) };
      entry.shown++;
      byId.set(id, entry);
    }
  }
  const shows = ({ fingerprints }: Trial) =>
    wanted ? fingerprints.some((shown) => sameBug(shown, wanted)) : fingerprints.length > 0;
  return {
    kernel: kernel.spec.name,
    series: kernel.series?.name ?? null,
    arch,
    runs: trials.length,
    shown: trials.filter(shows).length,
    fingerprints: [...byId.values()].sort((a, b) => b.shown - a.shown),
  };
}

function format({ kernel, series, arch, runs, shown, fingerprints }: Reproduction): string {
  const lines = [`${kernel}${series ? ` + ${series}` : ''}, ${arch}: shown in ${shown} of ${runs} runs`];
  for (const { id, shown: times, what } of fingerprints) lines.push(`  ${id} ${times} × ${what}`);
  return `${lines.join('\n')}\n`;
}
