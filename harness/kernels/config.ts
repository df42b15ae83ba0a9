import { existsSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { inputError } from '../errors.ts';
import { run } from '../exec.ts';
import { kernelConfigsDir } from '../paths.ts';
import type { Arch } from './arch.ts';
import { type ConfigRequest, formatRequests, parseConfig } from './fragment.ts';
import { evaluate, findDefinitions } from './kconfig.ts';

/**
 * The fragments of a build: common, the architecture's, then those that the user adds by name or path.
 *
 * @throws HmmdiffError `fragment` for a name that is neither in kernel-configs nor a file.
 */
export function fragmentFiles(arch: Arch, extra: readonly string[] = []): string[] {
  return [
    join(kernelConfigsDir, 'common.config'),
    join(kernelConfigsDir, `${arch}.config`),
    ...extra.map((name) => {
      const known = join(kernelConfigsDir, `${name}.config`);
      const file = /^[\w-]+$/.test(name) && existsSync(known) ? known : resolve(name);
      if (existsSync(file)) return file;
      throw inputError('fragment', `--config ${name}: neither a fragment of ${kernelConfigsDir} nor a file`, {
        hint: 'For example: --config debug.',
      });
    }),
  ];
}

/**
 * The .config that the requests lead to: the base (tinyconfig), the requests, olddefconfig; then each request is checked.
 *
 * @param output a Kbuild output directory of its own
 * @param make the make command with O=, ARCH= and CROSS_COMPILE=, without a target
 * @returns the text of the .config
 * @throws HmmdiffError `config` (exit status 2): one line per request that did not stick, with its unmet dependency.
 */
export async function configure(
  tree: string,
  output: string,
  make: readonly string[],
  requests: readonly ConfigRequest[],
  { base = 'tinyconfig', signal }: { base?: string; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const [command, ...args] = make as [string, ...string[]];
  const target = (name: string) => run('kconfig', command, [...args, '-s', name], { cwd: tree, signal });
  await target(base);
  await appendFile(join(output, '.config'), formatRequests(requests));
  await target('olddefconfig');
  const config = await readFile(join(output, '.config'), 'utf8');
  const values = parseConfig(config);
  const problems: string[] = [];
  for (const request of requests) {
    const actual = values.get(request.symbol) ?? 'n';
    if (actual === request.value) continue;
    const why = await explain(tree, request, actual, values);
    if (why) problems.push(`${request.file}:${request.line}: ${why}`);
  }
  if (problems.length > 0) {
    throw inputError('config', `config requests that did not stick in ${tree}:\n${problems.join('\n')}`, {
      hint: 'Add the missing dependency to the fragment, or mark the line "# if-defined: why" when only some trees have the symbol.',
    });
  }
  return config;
}

/** Why `request` is not met, or undefined when the tree does not know the symbol and need not. */
async function explain(
  tree: string,
  request: ConfigRequest,
  actual: string,
  values: ReadonlyMap<string, string>,
): Promise<string | undefined> {
  const wanted = `${request.symbol}=${request.value} became ${actual}`;
  const definitions = await findDefinitions(tree, request.symbol.replace(/^CONFIG_/, ''));
  if (definitions.length === 0) {
    return request.ifDefined ? undefined : `${wanted}: no Kconfig file of this tree defines it`;
  }
  const reasons = definitions.map(({ file, line, conditions, prompt }) => {
    const needed = request.value === 'y' ? 2 : 1;
    const unmet =
      request.value === 'n' ? [] : conditions.filter((condition) => evaluate(condition, values) < needed);
    if (unmet.length > 0) return `${file}:${line} depends on ${unmet.join(' && ')}`;
    if (prompt === undefined) return `${file}:${line} has no prompt: it can only be selected`;
    if (evaluate(prompt, values) === 0) return `${file}:${line} shows it only if ${prompt}`;
    return `${file}:${line}: another symbol selects it, or a choice excludes it`;
  });
  return `${wanted}: ${reasons.join('; ')}`;
}
