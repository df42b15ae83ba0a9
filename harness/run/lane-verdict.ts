/** What is said of a lane when it has ended. */
import { architectureOf } from '../../qemu/architectures.ts';
import { ExitStatus, type HmmdiffError } from '../errors.ts';
import type { LaneVerdict } from '../report/verdict.ts';
import type { ScenarioMachine } from '../session/scenarios.ts';
import { laneMachine } from '../session/session.ts';
import { findingsOf } from './findings.ts';
import type { ChosenAccelerator, LanePlan } from './lane-plan.ts';

/** What was seen of a lane; what it did not come to is undefined or null. */
export interface LaneResults
  extends Pick<LaneVerdict, 'design' | 'load' | 'suites' | 'system' | 'splats' | 'console' | 'transcripts'> {
  accel: ChosenAccelerator | undefined;
  machine: ScenarioMachine | undefined;
  readyMs: number | undefined;
}

/** @param error what ended the lane before its time: a finding, or the infrastructure's */
export function laneVerdict(plan: LanePlan, seen: LaneResults, error: HmmdiffError | undefined): LaneVerdict {
  const { kernel, build } = plan;
  const { design, load, accel, suites, system, splats } = seen;
  const findings = findingsOf({ suites, splats, system, load });
  // A finding of the kernel that ended the lane is usually among the splats already; say it all the same.
  if (error?.exitStatus === ExitStatus.finding) findings.push(error.message);
  const infrastructure = error && error.exitStatus !== ExitStatus.finding ? error : undefined;
  return {
    ok: findings.length === 0 && !infrastructure,
    kernel: { name: kernel.spec.name, version: build.tree.release, origin: build.tree.origin },
    series: kernel.series?.name ?? null,
    design,
    profile: plan.rules,
    arch: build.arch,
    scenario: plan.scenario,
    append: [...plan.append],
    load,
    accel: accel?.accelerator ?? null,
    accelReason: accel?.reason ?? '',
    machine: architectureOf(build.arch).machineType({
      ...laneMachine(build, seen.machine),
      initrd: '',
      accelerator: 'tcg',
    }),
    readyMs: seen.readyMs === undefined ? null : Math.round(seen.readyMs),
    suites,
    system,
    splats,
    console: seen.console,
    transcripts: seen.transcripts,
    findings,
    ...(infrastructure ? { error: { code: infrastructure.code, message: infrastructure.message } } : {}),
  };
}
