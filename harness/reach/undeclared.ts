/** Rows that are in no table, as they would stand in one (model/coverage). */
import { type CoverageReport, TABLE_NAMES, type TableName } from '../../model/coverage/coverage.ts';
import type { KernelVersion } from '../../model/profile.ts';

interface OfKernel {
  kernel: KernelVersion;
  tables: Record<TableName, CoverageReport>;
}

/** What all kernels lack first, then what each lacks alone. */
export function formatUndeclared(kernels: readonly OfKernel[]): string {
  return TABLE_NAMES.map((table) => {
    const lists = kernels.map(({ tables }) => tables[table].undeclared);
    const common = lists[0]!.filter((row) => lists.every((list) => list.includes(row)));
    return [
      part(table, 'on all kernels', common),
      ...kernels.map(({ kernel }, index) =>
        part(
          table,
          `on ${kernel} alone`,
          lists[index]!.filter((row) => !common.includes(row)),
        ),
      ),
    ].join('');
  }).join('');
}

function part(table: TableName, where: string, rows: readonly string[]): string {
  if (rows.length === 0) return '';
  const lines = table === 'transitions' ? transitionLines(rows) : rows.map((row) => `'${row}',`);
  return `${table} in no table, ${where}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function transitionLines(rows: readonly string[]): string[] {
  const operations = new Map<string, Map<string, string[]>>();
  for (const row of rows) {
    const [, operation, from, to] = /^(.+): (\S+) > (\S+)$/.exec(row)!;
    const states = operations.get(operation!) ?? new Map<string, string[]>();
    operations.set(operation!, states);
    states.set(from!, [...(states.get(from!) ?? []), to!]);
  }
  return [...operations].flatMap(([operation, states]) => [
    `${key(operation)}: {`,
    ...[...states].map(([from, to]) => `  ${key(from)}: '${to.join(' ')}',`),
    '},',
  ]);
}

function key(name: string): string {
  return /^[a-z]+$/.test(name) ? name : `'${name}'`;
}
