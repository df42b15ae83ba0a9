import { readFile } from 'node:fs/promises';
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { inputError } from './errors.ts';

/**
 * Reads a YAML file and checks it by a schema.
 *
 * @throws HmmdiffError `yaml` (exit status 2) whose message has one line per problem, each `file:line:column: …`.
 */
export async function readYamlFile<T extends z.ZodType>(file: string, schema: T): Promise<z.output<T>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw inputError('yaml', `${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parseYaml(file, text, schema);
}

/** As {@link readYamlFile}, from text; `file` only names the source in messages. */
export function parseYaml<T extends z.ZodType>(file: string, text: string, schema: T): z.output<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw inputError(
      'yaml',
      document.errors.map((error) => `${at(error.pos[0])}: ${firstLine(error.message)}`).join('\n'),
    );
  }
  const result = schema.safeParse(document.toJS());
  if (result.success) return result.data;
  const problems = flatten(result.error.issues).map(
    (issue) => `${at(offsetOf(document, issue))}: ${where(issue.path)}${issue.message}`,
  );
  throw inputError('yaml', [...new Set(problems)].join('\n'));
}

/** The issues of the best matching branch of a union say more than "Invalid input". */
function flatten(issues: readonly z.core.$ZodIssue[], base: PropertyKey[] = []): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const best = issue.errors.reduce((a, b) => (depth(b) > depth(a) ? b : a));
      return flatten(best, path);
    }
    return [{ ...issue, path }];
  });
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'invalid_type' ? 0 : 1)));
}

function where(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '' : `${path.map(String).join('.')}: `;
}

/** Byte offset of the node an issue speaks of: the unknown key itself, the value, or the nearest parent. */
function offsetOf(document: Document, issue: z.core.$ZodIssue): number {
  const path = issue.path as (string | number)[];
  if (issue.code === 'unrecognized_keys') {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    if (isMap(parent)) {
      const pair = parent.items.find((item) => String(item.key) === issue.keys[0]);
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
    }
  }
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
