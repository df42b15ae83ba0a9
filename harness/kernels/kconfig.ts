import { readFile } from 'node:fs/promises';
import { run } from '../exec.ts';

/** One place where Kconfig defines a symbol: every condition that must hold for a user to set it. */
export interface SymbolDefinition {
  file: string;
  line: number;
  /** `depends on` of the symbol and of each menu and `if` around it in its file, without the comments. */
  conditions: string[];
  /** Condition of its prompt, `undefined` when it has no prompt and can only be selected. */
  prompt: string | undefined;
}

/**
 * Finds the definitions of a symbol (no CONFIG_ prefix) in the Kconfig files of a tree.
 *
 * This reads the Kconfig language line by line, as Documentation/kbuild/kconfig-language.rst describes it; it does not
 * follow `source`, so conditions around a `source` line elsewhere are not seen.
 */
export async function findDefinitions(tree: string, symbol: string): Promise<SymbolDefinition[]> {
  const { stdout } = await run(
    'tree',
    'grep',
    ['-rlE', '--include=Kconfig*', `^[[:space:]]*(menu)?config ${symbol}$`, '.'],
    { cwd: tree, reject: false },
  );
  const files = stdout.split('\n').filter(Boolean);
  const found: SymbolDefinition[] = [];
  for (const file of files) {
    const text = await readFile(`${tree}/${file}`, 'utf8');
    found.push(...definitionsIn(text, file.replace(/^\.\//, ''), symbol));
  }
  return found;
}

/** @internal Exported for tests: the definitions of `symbol` in one Kconfig file. */
export function definitionsIn(text: string, file: string, symbol: string): SymbolDefinition[] {
  const lines = joinContinued(text);
  const found: SymbolDefinition[] = [];
  const around: { kind: 'if' | 'menu'; conditions: string[] }[] = [];
  let current: SymbolDefinition | undefined;
  let inMenuHead = false;
  let helpIndent: number | undefined;
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    const indent = raw.length - raw.trimStart().length;
    if (helpIndent !== undefined) {
      if (line === '' || indent > helpIndent) continue;
      helpIndent = undefined;
    }
    if (line === 'help' || line === '---help---') {
      helpIndent = indent;
      continue;
    }
    const entry = /^(config|menuconfig|choice|comment|menu|if|endif|endmenu|endchoice|source)\b\s*(.*)$/.exec(
      line,
    );
    if (entry) {
      const [, keyword, rest] = entry;
      current = undefined;
      inMenuHead = keyword === 'menu';
      if (keyword === 'if') around.push({ kind: 'if', conditions: [rest!] });
      if (keyword === 'menu') around.push({ kind: 'menu', conditions: [] });
      if (keyword === 'endif' || keyword === 'endmenu') around.pop();
      if ((keyword === 'config' || keyword === 'menuconfig') && rest === symbol) {
        current = {
          file,
          line: index + 1,
          conditions: around.flatMap((scope) => scope.conditions),
          prompt: undefined,
        };
        found.push(current);
      }
      continue;
    }
    const depends = /^depends on (.+?)(?:\s+#.*)?$/.exec(line)?.[1];
    if (depends && inMenuHead) around.at(-1)?.conditions.push(depends);
    if (!current) continue;
    if (depends) current.conditions.push(depends);
    const prompt = /^(?:bool|tristate|string|int|hex|prompt)\s+"(?:[^"\\]|\\.)*"\s*(?:if (.+))?$/.exec(line);
    if (prompt) current.prompt = prompt[1] ?? 'y';
  }
  return found;
}

/** Lines, those that end in a backslash with the next one; the lines that this empties stay, for the numbers. */
function joinContinued(text: string): string[] {
  const lines = text.split('\n');
  for (let index = lines.length - 2; index >= 0; index--) {
    if (!lines[index]!.endsWith('\\')) continue;
    lines[index] = `${lines[index]!.slice(0, -1)} ${lines[index + 1]}`;
    lines[index + 1] = '';
  }
  return lines;
}

/**
 * Evaluates a Kconfig expression against a .config as n < m < y.
 *
 * @param values symbols with the CONFIG_ prefix, as parseConfig gives them
 */
export function evaluate(expression: string, values: ReadonlyMap<string, string>): 0 | 1 | 2 {
  const tokens = expression.match(/"[^"]*"|\$\([^)]*\)|&&|\|\||!=|<=|>=|[()!=<>]|[^\s()!=<>&|]+/g) ?? [];
  let next = 0;
  const text = (token: string) =>
    token.startsWith('"')
      ? token.slice(1, -1)
      : (values.get(`CONFIG_${token}`)?.replace(/^"|"$/g, '') ?? constant(token));
  const constant = (token: string) => (/^(y|m|n|0x[0-9a-f]+|\d+)$/i.test(token) ? token : 'n');
  const level = (value: string): 0 | 1 | 2 => (value === 'y' ? 2 : value === 'm' ? 1 : 0);
  const primary = (): 0 | 1 | 2 => {
    const token = tokens[next++] ?? 'n';
    if (token === '!') return (2 - primary()) as 0 | 1 | 2;
    if (token === '(') {
      const value = or();
      next++;
      return value;
    }
    // A macro call depends on the compiler; conf has evaluated it, and an optimistic answer blames nothing wrongly.
    if (token.startsWith('$(')) return 2;
    const operator = tokens[next];
    if (operator && /^(=|!=|<|>|<=|>=)$/.test(operator)) {
      next++;
      const a = text(token);
      const b = text(tokens[next++] ?? 'n');
      const order =
        Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? a.localeCompare(b) : Number(a) - Number(b);
      const holds = {
        '=': order === 0,
        '!=': order !== 0,
        '<': order < 0,
        '>': order > 0,
        '<=': order <= 0,
        '>=': order >= 0,
      };
      return holds[operator as keyof typeof holds] ? 2 : 0;
    }
    return level(text(token));
  };
  const and = (): 0 | 1 | 2 => {
    let value = primary();
    while (tokens[next] === '&&') {
      next++;
      value = Math.min(value, primary()) as 0 | 1 | 2;
    }
    return value;
  };
  const or = (): 0 | 1 | 2 => {
    let value = and();
    while (tokens[next] === '||') {
      next++;
      value = Math.max(value, and()) as 0 | 1 | 2;
    }
    return value;
  };
  return or();
}
