/** The programs that are read from files. */
import type { KernelVersion } from '../../model/profile.ts';
import { isHugeRegion, type Program } from '../../model/program.ts';
import { loadLibrary, loadTransitions } from './load.ts';

/** By kernel: to read them takes longer than to choose from them, and a run does it for each lane. */
const written = new Map<KernelVersion, Promise<{ library: Program[]; transitions: Program[] }>>();

/**
 * The library and the transitions that a kernel needs.
 *
 * @param which transitions: those of huge regions are dear
 * @throws HmmdiffError as loadLibrary
 */
export async function writtenPrograms(
  kernel: KernelVersion,
  which: 'none' | 'small' | 'all',
): Promise<Program[]> {
  const reading = written.get(kernel) ?? read(kernel);
  written.set(kernel, reading);
  const { library, transitions } = await reading;
  if (which === 'none') return library;
  return [...library, ...transitions.filter((program) => which === 'all' || !isHuge(program))];
}

async function read(kernel: KernelVersion) {
  const [library, transitions] = await Promise.all([loadLibrary(), loadTransitions(kernel)]);
  return { library, transitions };
}

function isHuge({ regions }: Program): boolean {
  return regions.some(({ pages }) => isHugeRegion(pages));
}
