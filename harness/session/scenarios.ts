import { join } from 'node:path';
import type { ScenarioName } from '../../model/system.ts';
import { escapeOption } from '../../qemu/architecture.ts';
import { architectureOf } from '../../qemu/architectures.ts';
import type { Accelerator, Machine } from '../../qemu/machine.ts';
import { infrastructureError, inputError } from '../errors.ts';
import { run } from '../exec.ts';
import type { Arch } from '../kernels/arch.ts';

/** What a scenario changes of a lane's machine. */
export interface ScenarioMachine {
  machine: Partial<Machine>;
  /** Whether coherent devices can be there. */
  coherent: boolean;
}

interface Scenario {
  about: string;
  /** Whether coherent devices can be there. */
  coherent: boolean;
  machine(arch: Arch, accelerator: Accelerator, folder: string): Promise<Partial<Machine>>;
}

const MEMORY_MIB = 2048;

export const scenarios: Record<ScenarioName, Scenario> = {
  default: {
    about: 'the fastest machine, with room for device memory',
    coherent: true,
    machine: async () => ({}),
  },
  'full-address-space': {
    about: 'no physical address is left for device-private pages, as with huge PCI windows',
    // Without coherent devices: what is reserved for them is room in the eyes of request_free_mem_region().
    coherent: false,
    machine: async (arch, accelerator, folder) =>
      arch === 'x86_64' ? fullX86(accelerator) : { memoryMiB: MEMORY_MIB, dtb: await fullDeviceTree(folder) },
  },
};

/** @param folder where files that the machine needs can be put */
export async function prepareScenario(
  name: ScenarioName,
  arch: Arch,
  accelerator: Accelerator,
  folder: string,
): Promise<ScenarioMachine> {
  const { coherent, machine } = scenarios[name];
  return { coherent, machine: await machine(arch, accelerator, folder) };
}

/** @throws HmmdiffError `scenario` (exit status 2) */
export function parseScenario(name: string): ScenarioName {
  if (name in scenarios) return name as ScenarioName;
  throw inputError('scenario', `--scenario ${name}: unknown`, {
    hint: `Known: ${Object.keys(scenarios).join(', ')}.`,
  });
}

/** All of 40 bits of physical addresses above the RAM is ACPI data ("#"), which nothing may take. */
function fullX86(accelerator: Accelerator): Partial<Machine> {
  const model = accelerator === 'kvm' ? 'host,host-phys-bits=off' : 'max';
  return {
    type: 'q35',
    cpu: `${model},phys-bits=40`,
    memoryMiB: MEMORY_MIB,
    append: ['memmap=0xff80000000#0x80000000'],
  };
}

/** Cells of one window in the pcie node's `ranges`: 3 of the PCI address, 2 of the physical address, 2 of the size. */
const WINDOW_CELLS = 7;
const ECAM = { start: 0x40_1000_0000n, end: 0x40_2000_0000n };
const RAM_START = 0x4000_0000n;
const RAM_END = RAM_START + BigInt(MEMORY_MIB) * 0x10_0000n;
/** End of what the linear map of a kernel with 48-bit virtual addresses reaches; it begins with the RAM. */
const ADDRESS_END = RAM_START + 0x8000_0000_0000n;
const PREFETCHABLE_64BIT = 0x3000000n;

/**
 * QEMU's device tree of the virt machine with the last PCI window replaced by two that fill the physical address
 * space around the ECAM.
 *
 * @returns path of the dtb
 * @throws HmmdiffError `device-tree` when QEMU's tree is not as expected
 */
async function fullDeviceTree(folder: string): Promise<string> {
  const dtb = join(folder, 'full.dtb');
  const node = '/pcie@10000000';
  const hint = 'fdtget and fdtput are in the package device-tree-compiler ("hmmdiff doctor --install").';
  await run('device-tree', 'qemu-system-aarch64', [
    '-machine',
    // The very board that the guest gets: another interrupt controller, and it does not boot.
    `${architectureOf('aarch64').machineOption('virt')},dumpdtb=${escapeOption(dtb)}`,
    ...['-cpu', 'max', '-smp', '2', '-m', `${MEMORY_MIB}M`, '-display', 'none'],
  ]);
  const { stdout } = await run('device-tree', 'fdtget', ['-t', 'x', dtb, node, 'ranges'], { hint });
  const cells = stdout.trim().split(/\s+/);
  if (cells.length < WINDOW_CELLS || cells.length % WINDOW_CELLS !== 0) {
    throw infrastructureError(
      'device-tree',
      `QEMU's device tree has ${cells.length} cells in ${node}/ranges`,
    );
  }
  const window = (start: bigint, end: bigint) => [
    PREFETCHABLE_64BIT,
    ...split(start),
    ...split(start),
    ...split(end - start),
  ];
  const filled = [...window(RAM_END, ECAM.start), ...window(ECAM.end, ADDRESS_END)].map((cell) =>
    cell.toString(16),
  );
  await run(
    'device-tree',
    'fdtput',
    ['-t', 'x', dtb, node, 'ranges', ...cells.slice(0, -WINDOW_CELLS), ...filled],
    { hint },
  );
  return dtb;
}

function split(value: bigint): [bigint, bigint] {
  return [value >> 32n, value & 0xffff_ffffn];
}
