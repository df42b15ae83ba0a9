/** What a lane is to do, and with what. */
import type { KernelVersion } from '../../model/profile.ts';
import type { Program } from '../../model/program.ts';
import type { ScenarioName } from '../../model/system.ts';
import type { AcceleratorProbe } from '../../qemu/accel.ts';
import type { Calibration } from '../../qemu/calibration.ts';
import type { Accelerator } from '../../qemu/machine.ts';
import type { KernelBuild } from '../kernels/build.ts';
import type { ResolvedKernel } from '../kernels/resolve.ts';
import type { SourceContext } from '../kernels/source.ts';
import type { AllowList } from '../report/allow.ts';

export type Suite = 'hmm-tests' | 'programs' | 'lifecycle';

export interface LanePlan {
  kernel: ResolvedKernel;
  build: KernelBuild;
  image: string;
  rules: KernelVersion;
  suites: readonly Suite[];
  programs: readonly Program[];
  accel: Accelerator | 'auto';
  scenario: ScenarioName;
  /** Further words of the kernel command line. */
  append: readonly string[];
  /** Let hmm-tests run its benchmarks. */
  benchmarks: boolean;
  /** Keep what comparing lanes with each other needs. */
  against: boolean;
  /** Findings of the programs to shrink at most. */
  shrink: number;
  /** Steps of a program from one smaps to the next. */
  smapsEvery: number;
  /** Config fragments beyond the usual, as they were named. */
  fragments: readonly string[];
  /** The lane's folder within the run folder. */
  folder: string;
  runFolder: string;
  /** Go on with what the folder holds. */
  resume: boolean;
}

export interface LaneContext extends SourceContext {
  probe: AcceleratorProbe;
  calibration: Calibration;
  allow: AllowList;
}

export interface ChosenAccelerator {
  accelerator: Accelerator;
  /** Why this one, for people. */
  reason: string;
}
