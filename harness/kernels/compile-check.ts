import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { requireFreeSpace } from '../disk.ts';
import { infrastructureError } from '../errors.ts';
import { withLock } from '../lock.ts';
import { kernelConfigsDir } from '../paths.ts';
import { readYamlFile } from '../yaml-file.ts';
import { configure } from './config.ts';
import { parseFragment } from './fragment.ts';
import type { SourceContext, SourceTree } from './source.ts';

const checkSchema = z.strictObject({
  name: z.string(),
  /** `ARCH=` of Kbuild. */
  arch: z.string(),
  /** `CROSS_COMPILE=`. */
  prefix: z.string(),
  /** Debian packages that bring the compiler. */
  packages: z.array(z.string()),
  base: z.string(),
  config: z.array(z.string()),
  objects: z.array(z.string().regex(/\.o$/, 'an object file of the kernel tree')),
});
const compileCheckSchema = z.strictObject({ checks: z.array(checkSchema) });

type Check = z.output<typeof checkSchema>;

/** What compiling one object gave. */
export interface ObjectCheck {
  check: string;
  object: string;
  status: 'ok' | 'warnings' | 'failed' | 'absent';
  /** The compiler's messages. */
  output: string;
}

const checksFile = join(kernelConfigsDir, 'compile-check.yaml');

/**
 * Compiles the objects of compile-check.yaml from `tree`, and nothing else of it.
 *
 * @returns one entry per object; `absent` when this tree has no such source
 * @throws HmmdiffError `yaml`, `config`, `compiler`, `disk`
 */
export async function compileCheck(
  tree: SourceTree,
  options: SourceContext & { jobs: number },
): Promise<ObjectCheck[]> {
  const { checks } = await readYamlFile(checksFile, compileCheckSchema);
  const results: ObjectCheck[] = [];
  for (const check of checks) results.push(...(await runCheck(tree, check, options)));
  return results;
}

async function runCheck(
  tree: SourceTree,
  check: Check,
  { cache, events, signal, jobs }: SourceContext & { jobs: number },
): Promise<ObjectCheck[]> {
  const prefix = await findPrefix(check);
  const hash = createHash('sha256').update(JSON.stringify(check)).update(tree.key).digest('hex').slice(0, 16);
  const output = join(cache.work, `check-${check.name}-${hash}`);
  const make = ['make', '-C', tree.directory, `O=${output}`, `ARCH=${check.arch}`, `CROSS_COMPILE=${prefix}`];
  return events.task(
    `check ${check.name} ${tree.key}`,
    `Compile check ${check.name} of ${tree.origin}`,
    (report) =>
      withLock(
        join(cache.locks, `build-check-${check.name}-${hash}`),
        async () => {
          await requireFreeSpace(cache.work, 3 * 1024 ** 3, `Compiling ${check.name}`);
          await mkdir(output, { recursive: true });
          const configured = join(output, '.hmmdiff-configured');
          if (!existsSync(configured)) {
            const requests = check.config.map((line) => parseFragment(line, checksFile, 1)!);
            await configure(tree.directory, output, make, requests, { base: check.base, signal });
            await writeFile(`${configured}.partial`, '');
            await rename(`${configured}.partial`, configured);
          }
          const results: ObjectCheck[] = [];
          for (const object of check.objects) {
            report.progress(results.length, check.objects.length, 'objects');
            // Kbuild says nothing of an object that is there already, and its warnings would be forgotten.
            await rm(join(output, object), { force: true });
            results.push(await compileObject(tree, check, object, [...make, `-j${jobs}`], signal));
          }
          report.detail = summary(results);
          return results;
        },
        { signal },
      ),
  );
}

/** On a host of that architecture the plain gcc does as well. */
async function findPrefix({ prefix, packages, name }: Check): Promise<string> {
  for (const candidate of [prefix, '']) {
    const { stdout, exitCode } = await execa(`${candidate}gcc`, ['-dumpmachine'], { reject: false });
    if (exitCode === 0 && stdout.trim() === prefix.replace(/-$/, '')) return candidate;
  }
  throw infrastructureError(
    'compiler',
    `no compiler for the compile check "${name}": ${prefix}gcc is not installed`,
    {
      hint: `apt-get install ${packages.join(' ')}`,
    },
  );
}

async function compileObject(
  tree: SourceTree,
  check: Check,
  object: string,
  make: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ObjectCheck> {
  const result = (status: ObjectCheck['status'], output = '') => ({
    check: check.name,
    object,
    status,
    output,
  });
  const source = join(tree.directory, object.replace(/\.o$/, '.c'));
  if (!existsSync(source)) return result('absent');
  const [command, ...args] = make as [string, ...string[]];
  const { exitCode, stderr } = await execa(command, [...args, '-s', object], {
    stdin: 'ignore',
    reject: false,
    cancelSignal: signal,
    env: { LC_ALL: 'C' },
  });
  signal?.throwIfAborted();
  if (exitCode !== 0) return result('failed', stderr);
  return result(/\bwarning:/.test(stderr) ? 'warnings' : 'ok', stderr);
}

function summary(results: readonly ObjectCheck[]): string {
  const bad = results.filter(({ status }) => status === 'failed' || status === 'warnings').length;
  return `${results.length} objects, ${bad} with findings`;
}
