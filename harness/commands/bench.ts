import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import { Guest, MARKERS } from '../../qemu/guest.ts';
import { architectures, parseArch } from '../kernels/arch.ts';
import { buildKernel, type KernelBuild } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import { resolveKernel } from '../kernels/resolve.ts';
import { baseImage } from '../session/image.ts';
import { chooseAccelerator, laneMachine, Session } from '../session/session.ts';
import { collect, defaultJobs, positiveInteger, withProgress } from './context.ts';

interface BenchOptions {
  kernel?: string;
  arch: string[];
  pairs: number;
  json?: boolean;
}

/** What is claimed of hmmdiff's speed; the issue that a number comes from stands in README. */
interface Measurement {
  name: string;
  arch: string;
  /** Median of the pairs' ratios. */
  ratio: number;
  /** What the ratio should be at most. */
  limit: number;
  /** Medians in milliseconds, for orientation: they depend on the host. */
  measuredMs: number;
  againstMs: number;
  pairs: number;
}

export function benchCommand(signal: AbortSignal): Command {
  return new Command('bench')
    .description("measure hmmdiff's own speed, as ratios of things done side by side")
    .option('--kernel <name|dir>', 'kernel to measure with')
    .option('--arch <arch>', 'architecture, can be repeated (default: all)', collect, [])
    .option('--pairs <n>', 'how often each pair is measured', positiveInteger, 7)
    .option('--json', 'print the measurements as JSON')
    .addHelpText('after', '\nExample:\n  hmmdiff bench --arch x86_64 --pairs 11')
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
        }
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
    const samples: { measured: number; against: number }[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      // Alternating which comes first: the host's speed drifts.
      const against = pair % 2 === 0 ? await bare() : undefined;
      const measured = await ready();
      samples.push({ measured, against: against ?? (await bare()) });
      progress(samples.length);
    }
    return {
      name: 'ready / bare boot to init',
      arch: build.arch,
      ratio: median(samples.map(({ measured, against }) => measured / against)),
      limit: 1.5,
      measuredMs: Math.round(median(samples.map(({ measured }) => measured))),
      againstMs: Math.round(median(samples.map(({ against }) => against))),
      pairs,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function format(measurement: Measurement): string {
  const { name, arch, ratio, limit, measuredMs, againstMs, pairs } = measurement;
  const verdict = ratio <= limit ? 'within' : 'ABOVE';
  return `${name}, ${arch}: ${ratio.toFixed(2)} (${verdict} ${limit}; medians ${measuredMs} ms against ${againstMs} ms, ${pairs} pairs)`;
}
