import type { Profile } from '../../model/profile.ts';
import type { ScenarioName } from '../../model/system.ts';
import { AcceleratorProbe } from '../../qemu/accel.ts';
import { Calibration } from '../../qemu/calibration.ts';
import type { Accelerator } from '../../qemu/machine.ts';
import { ExitStatus, HmmdiffError } from '../errors.ts';
import type { Arch } from '../kernels/arch.ts';
import { buildKernel } from '../kernels/build.ts';
import { buildGuestPrograms } from '../kernels/guest-programs.ts';
import type { ResolvedKernel } from '../kernels/resolve.ts';
import type { SourceContext } from '../kernels/source.ts';
import { baseImage } from '../session/image.ts';
import { prepareScenario } from '../session/scenarios.ts';
import { chooseAccelerator, Session } from '../session/session.ts';
import { profileOf, rulesOf } from './profile.ts';

export interface GuestsOptions {
  kernel: ResolvedKernel;
  arch: Arch;
  /** Config fragments beyond the usual. */
  fragments: readonly string[];
  scenario: ScenarioName;
  /** Further words of the kernel command line. */
  append: readonly string[];
  accel: Accelerator | 'auto';
  /** Parallel compilations. */
  jobs: number;
  /** For consoles. */
  folder: string;
}

/** Guests of one kernel and architecture, outside of a run. */
export interface Guests {
  boot(name: string): Promise<Session>;
  /** The rules for a guest that has booted. @throws HmmdiffError `design` when test_hmm did not load */
  profileOf(session: Session): Promise<Profile>;
}

/** Builds what is needed to boot guests. @throws HmmdiffError as buildKernel, baseImage and scenarios do */
export async function prepareGuests(options: GuestsOptions, context: SourceContext): Promise<Guests> {
  const { kernel, arch, fragments, scenario, append, accel, jobs, folder } = options;
  const { signal } = context;
  const build = await buildKernel(kernel.tree, arch, { ...context, jobs, fragments });
  const image = await baseImage(build, await buildGuestPrograms(build, context), context);
  const { accelerator } = await chooseAccelerator(new AcceleratorProbe(), accel, build, image, signal);
  const machine = await prepareScenario(scenario, arch, accelerator, folder);
  const rules = await rulesOf(kernel.tree);
  const calibration = new Calibration();
  return {
    boot: (name) =>
      Session.start({ build, image, accelerator, folder, name, ...machine, append, calibration, signal }),
    profileOf: (session) => {
      const { design } = session.memory;
      if (design) return profileOf(build, rules, design);
      throw new HmmdiffError('design', ExitStatus.finding, `test_hmm does not load: ${session.load}`, {
        hint: `The guest's console: ${session.guest.consoleFile}`,
      });
    },
  };
}
