/** Names of found programs. */
import type { RowId } from './rows.ts';

/** Named for one of the rows: `cpu-read-elsewhere-device-shared-to-ram-shared`. */
export function nameFor(rows: readonly RowId[], taken: ReadonlySet<string>): string {
  const row = rows.find((candidate) => candidate.startsWith('transitions ')) ?? rows[0]!;
  const name = row
    .replace(/^\S+ /, '')
    .replace(' > ', '-to-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(numbered)) return numbered;
  }
}
