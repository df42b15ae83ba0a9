import { readFile } from 'node:fs/promises';
import { inputError } from '../errors.ts';

/** One line of a config fragment: a symbol and the value that it must have after olddefconfig. */
export interface ConfigRequest {
  /** With the CONFIG_ prefix. */
  symbol: string;
  /** `y`, `m`, a number or a quoted string; `n` for "is not set". */
  value: string;
  /** `# if-defined: why`: asked only of trees whose Kconfig knows the symbol. */
  ifDefined: boolean;
  file: string;
  line: number;
}

/**
 * Reads config fragments; a later request of the same symbol replaces an earlier one.
 *
 * @throws HmmdiffError `fragment` (exit status 2) with file and line of a line that is no config line.
 */
export async function readFragments(files: readonly string[]): Promise<ConfigRequest[]> {
  const requests = new Map<string, ConfigRequest>();
  for (const file of files) {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (cause) {
      throw inputError('fragment', `config fragment ${file} cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
    text.split('\n').forEach((content, index) => {
      const request = parseFragment(content, file, index + 1);
      if (request) requests.set(request.symbol, request);
    });
  }
  return [...requests.values()];
}

/** One line of a fragment; undefined for comments and empty lines. @throws HmmdiffError `fragment` */
export function parseFragment(content: string, file: string, line: number): ConfigRequest | undefined {
  const unset = /^# (CONFIG_\w+) is not set\s*$/.exec(content);
  if (unset) return { symbol: unset[1]!, value: 'n', ifDefined: true, file, line };
  if (/^\s*(#|$)/.test(content)) return undefined;
  const set = /^(CONFIG_\w+)=("[^"]*"|[^\s"]+)\s*(#.*)?$/.exec(content);
  if (!set) {
    throw inputError('fragment', `${file}:${line}: not a config line: ${JSON.stringify(content)}`, {
      hint: 'Write CONFIG_X=value or "# CONFIG_X is not set".',
    });
  }
  return { symbol: set[1]!, value: set[2]!, ifDefined: /^#\s*if-defined\b/.test(set[3] ?? ''), file, line };
}

/** The fragments as Kconfig reads them. */
export function formatRequests(requests: readonly ConfigRequest[]): string {
  return requests
    .map(({ symbol, value }) => (value === 'n' ? `# ${symbol} is not set\n` : `${symbol}=${value}\n`))
    .join('');
}

/** Values of a .config: symbols that are not set are absent. */
export function parseConfig(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]));
}
