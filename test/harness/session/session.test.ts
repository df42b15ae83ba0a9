import { expect, it } from 'vitest';
import type { KernelBuild } from '../../../harness/kernels/build.ts';
import { laneMachine } from '../../../harness/session/session.ts';

const build = { arch: 'x86_64', image: '/k/vmlinux' } as KernelBuild;

it("puts a user's words at the end of the kernel command line, where they outweigh all others", () => {
  const machine = { append: ['nokaslr'] };
  const usual = laneMachine(build, { machine }).append!;
  expect(usual.at(-1)).toBe('nokaslr');
  expect(laneMachine(build, { machine, append: ['a=1', 'b'] }).append).toEqual([...usual, 'a=1', 'b']);
});
