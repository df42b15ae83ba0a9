import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { makeProfile } from '../../model/profile.ts';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import { Guest, MARKERS } from '../../qemu/guest.ts';
import { type Measurement, type Pair, summarize } from '../bench/measurement.ts';
import { modelSpeed } from '../bench/model-speed.ts';
import { observationCost } from '../bench/observation.ts';
import { architectures, parseArch } from '../kernels/arch.ts';
import { buildKernel, type KernelBuild } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { resolveKernel } from '../kernels/resolve.ts';
import type { SourceTree } from '../kernels/source.ts';
import { profileOf, rulesOf } from '../run/profile.ts';
import { baseImage } from '../session/image.ts';
import { chooseAccelerator, laneMachine, Session } from '../session/session.ts';
import { collect, defaultJobs, positiveInteger, withProgress } from './context.ts';

interface BenchOptions {
  kernel?: string;
  arch: string[];
  pairs: number;
  json?: boolean;
}

export function benchCommand(signal: AbortSignal): Command {
  return new Command('bench')
    .description("measure hmmdiff's own speed, as ratios of things done side by side")
    .option('--kernel <name|dir>', 'kernel to measure with')
    .option('--arch <arch>', 'architecture, can be repeated (default: all)', collect, [])
    .option('--pairs <n>', 'how often each pair is measured', positiveInteger, 11)
    .option('--json', 'print the measurements as JSON')
    .addHelpText('after', '\nExample:\n  hmmdiff bench --arch x86_64 --pairs 21')
    .action(async (options: BenchOptions) => {
      const archs = options.arch.length > 0 ? options.arch.map(parseArch) : architectures;
      const measurements = await withProgress(signal, async (context) => {
        const { tree } = await resolveKernel(options.kernel, undefined, context);
        const found: Measurement[] = [];
        for (const arch of archs) {
          const build = await buildKernel(tree, arch, { ...context, jobs: defaultJobs });
          const image = await baseImage(build, await buildGuestPrograms(build, context), context);
          found.push(
            await context.events.task(`ready ${arch}`, `Ready time on ${arch}`, (report) =>
              readyTime(build, image, options.pairs, signal, (done) =>
                report.progress(done, options.pairs, 'pairs'),
              ),
            ),
          );
          found.push(
            ...(await context.events.task(`observe ${arch}`, `Cost of observing on ${arch}`, (report) =>
              costs(tree, build, image, options.pairs, signal, (done) =>
                report.progress(done, options.pairs, 'pairs'),
              ),
            )),
          );
        }
        found.push(...modelSpeeds());
        return found;
      });
      if (options.json) process.stdout.write(`${JSON.stringify(measurements)}\n`);
      else for (const measurement of measurements) process.stdout.write(`${format(measurement)}\n`);
    });
}

/** QEMU started to the agent's first answer, against the same image booted to the first line of init. */
async function readyTime(
  build: KernelBuild,
  image: string,
  pairs: number,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<Measurement> {
  const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-bench-'));
  try {
    const { accelerator } = await chooseAccelerator(new AcceleratorProbe(), 'auto', build, image, signal);
    const calibration = new Calibration();
    const bare = async () => {
      await using guest = await Guest.start(
        { ...laneMachine(build), ssh: false, initrd: image, accelerator },
        { consoleFile: join(folder, 'bare.console'), calibration, readyPattern: MARKERS.init, signal },
      );
      return (await guest.ready).at;
    };
    const ready = async () => {
      await using session = await Session.start({
        build,
        image,
        accelerator,
        folder,
        name: 'ready',
        calibration,
        signal,
      });
      return session.readyMs;
    };
    const samples: Pair[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      // Alternating which comes first: the host's speed drifts.
      const against = pair % 2 === 0 ? await bare() : undefined;
      const measured = await ready();
      samples.push({ measured, against: against ?? (await bare()) });
      progress(samples.length);
    }
    return summarize('ready / bare boot to init', build.arch, 1.5, samples);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What observing costs in a guest of a lane. */
async function costs(
  tree: SourceTree,
  build: KernelBuild,
  image: string,
  pairs: number,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<Measurement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'hmmdiff-bench-'));
  try {
    const { accelerator } = await chooseAccelerator(new AcceleratorProbe(), 'auto', build, image, signal);
    const calibration = new Calibration();
    await using session = await Session.start({
      build,
      image,
      accelerator,
      folder,
      name: 'observe',
      calibration,
      signal,
    });
    const profile = await profileOf(build, await rulesOf(tree), session.memory.design ?? 'pfn');
    return await observationCost(session, profile, pairs, progress);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Steps that the model should do in a second on one processor. */
const MODEL_STEPS = 200_000;

/** Milliseconds for so many steps, against a second. */
function modelSpeeds(): Measurement[] {
  const { warm, cold } = modelSpeed(makeProfile({ kernel: '7.3', design: 'pfn', arch: 'x86_64' }));
  const pairs = (speeds: readonly number[]) =>
    speeds.map((speed) => ({ measured: (1000 * MODEL_STEPS) / speed, against: 1000 }));
  const name = `${MODEL_STEPS} steps of the model / a second`;
  return [
    summarize(name, 'host', 1, pairs(warm)),
    summarize(`${name}, at the speed of the first steps of a process`, 'host', undefined, pairs([cold])),
  ];
}

function format(measurement: Measurement): string {
  const { name, arch, ratio, limit, measuredMs, againstMs, pairs } = measurement;
  const verdict =
    limit === undefined ? 'for comparison' : ratio <= limit ? `within ${limit}` : `ABOVE ${limit}`;
  return `${name}, ${arch}: ${ratio.toFixed(2)} (${verdict}; medians ${measuredMs} ms against ${againstMs} ms, ${pairs} pairs)`;
}
