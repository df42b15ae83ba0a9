import { Aarch64 } from './aarch64.ts';
import type { Architecture } from './architecture.ts';
import type { Arch } from './machine.ts';
import { X86_64 } from './x86_64.ts';

const architectures: Record<Arch, Architecture> = { x86_64: new X86_64(), aarch64: new Aarch64() };

/** The one instance that knows `arch`. */
export function architectureOf(arch: Arch): Architecture {
  return architectures[arch];
}
