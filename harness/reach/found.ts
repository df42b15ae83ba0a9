import type { Program } from '../../model/program.ts';
import type { RowId } from './rows.ts';

export interface Found {
  program: Program;
  /** What it reaches and nothing before it did. */
  rows: readonly RowId[];
}
