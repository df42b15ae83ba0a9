import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kernelConfigsDir } from '../../../harness/paths.ts';
import { AllowList } from '../../../harness/report/allow.ts';
import { temporaryDirectory } from '../temporary.ts';

const entry = `allow:
  - splat: '^WARNING in f '
    devices: coherent
    arch: x86_64
    reason: for a reason that is long enough
    link: mm/f.c
    expires: 2030-01-01
`;

async function list(text: string, today: string): Promise<AllowList> {
  const file = join(await temporaryDirectory(), 'allow.yaml');
  await writeFile(file, text);
  return AllowList.read(file, today);
}

it('allows a splat only where all conditions of its entry hold', async () => {
  const allow = await list(entry, '2029-12-31');
  const context = { kernel: 'k', arch: 'x86_64', devices: 'coherent' } as const;
  expect(allow.splat('WARNING in f (mm/f.c:1)', context)).toMatch(/for a reason/);
  expect(allow.splat('WARNING in g (mm/f.c:1)', context)).toBeUndefined();
  expect(allow.splat('WARNING in f (mm/f.c:1)', { ...context, devices: 'private' })).toBeUndefined();
  expect(allow.splat('WARNING in f (mm/f.c:1)', { ...context, arch: 'aarch64' })).toBeUndefined();
  expect(allow.test('WARNING in f ', context)).toBeUndefined();
});

it('no longer counts an entry after its day, and says so', async () => {
  const allow = await list(entry, '2030-01-02');
  expect(
    allow.splat('WARNING in f (mm/f.c:1)', { kernel: 'k', arch: 'x86_64', devices: 'coherent' }),
  ).toBeUndefined();
  expect(allow.expired).toEqual([expect.stringContaining('expired 2030-01-01')]);
});

it('refuses an entry without a reason, and a pattern that is none, with line and column', async () => {
  await expect(list(entry.replace(/ +reason.*\n/, ''), '2029-01-01')).rejects.toThrow(
    /allow\.yaml:\d+:\d+: .*reason/,
  );
  await expect(list(entry.replace("'^WARNING in f '", "'('"), '2029-01-01')).rejects.toThrow(
    /allow\.yaml:2:12: /,
  );
});

it('can read the committed list', async () => {
  await expect(AllowList.read(join(kernelConfigsDir, 'allow.yaml'))).resolves.toBeInstanceOf(AllowList);
});
