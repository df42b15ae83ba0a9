import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultKernels, findKernel } from '../../../harness/kernels/registry.ts';
import { temporaryDirectory } from '../temporary.ts';

async function kernelsYaml(text: string): Promise<string> {
  const file = join(await temporaryDirectory(), 'kernels.yaml');
  await writeFile(file, text);
  return file;
}

it('has the stock kernel and the one with our series as the default', async () => {
  await expect(defaultKernels()).resolves.toEqual(['debian-7.3', 'debian-7.3+offset']);
  await expect(findKernel('debian-7.3')).resolves.toMatchObject({
    name: 'debian-7.3',
    source: { debian: 'linux-source-7.3' },
    design: 'pfn',
  });
});

it('names file, line and column of a wrong key', async () => {
  const file = await kernelsYaml(
    'default: [a]\nkernels:\n  a:\n    source: { debian: linux-source-7.3, suit: trixie }\n',
  );
  await expect(findKernel('a', file)).rejects.toMatchObject({
    code: 'yaml',
    exitStatus: 2,
    message: expect.stringMatching(/kernels\.yaml:4:41: .*suit/),
  });
});

it('names file, line and column of what is no YAML', async () => {
  const file = await kernelsYaml('default: [a]\nkernels: [\n');
  await expect(findKernel('a', file)).rejects.toMatchObject({
    code: 'yaml',
    message: expect.stringMatching(/kernels\.yaml:\d+:\d+: /),
  });
});

it('refuses a default that is not listed', async () => {
  const file = await kernelsYaml('default: [b]\nkernels:\n  a:\n    source: { directory: . }\n');
  await expect(defaultKernels(file)).rejects.toMatchObject({
    message: expect.stringMatching(/kernels\.yaml:1:11: default\.0: names a kernel that is not listed/),
  });
});

it('takes a directory of a kernels.yaml as relative to that file', async () => {
  const file = await kernelsYaml('default: [a]\nkernels:\n  a:\n    source: { directory: tree }\n');
  await expect(findKernel('a', file)).resolves.toMatchObject({
    source: { directory: join(file, '../tree') },
  });
});

it('takes a path where no kernel has that name, and lists the known names where there is no such path', async () => {
  const file = await kernelsYaml('default: [a]\nkernels:\n  a:\n    source: { directory: tree }\n');
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'linux'));
  await expect(findKernel(join(directory, 'linux'), file)).resolves.toMatchObject({
    name: 'linux',
    source: { directory: join(directory, 'linux') },
  });
  await expect(findKernel('nothing', file)).rejects.toMatchObject({
    code: 'kernel-unknown',
    exitStatus: 2,
    hint: expect.stringContaining('Known kernels: a'),
  });
});
