import type { KernelVersion } from '../profile.ts';
import { COHERENT } from './coherent.ts';
import { COLLAPSE } from './collapse.ts';
import type { TableName } from './coverage.ts';
import { FILES } from './files.ts';
import { HUGE } from './huge.ts';
import { MLOCK } from './mlock.ts';
import { MREMAP } from './mremap.ts';
import { ORDER_0 } from './order-0.ts';
import { PIN } from './pin.ts';
import { USERFAULT } from './userfault.ts';

/** Rows of a table; those of one kernel alone say so. */
export interface Rows {
  only?: KernelVersion;
  rows: readonly string[];
}

/** What one part of the model adds to the tables. */
export type CoverageTables = Partial<Record<TableName, readonly Rows[]>>;

/** A part of the model declares its rows in a file of its own and is entered here. */
const PARTS: readonly CoverageTables[] = [
  ORDER_0,
  HUGE,
  PIN,
  MREMAP,
  MLOCK,
  USERFAULT,
  FILES,
  COHERENT,
  COLLAPSE,
];

export const TABLES: Readonly<Record<TableName, readonly Rows[]>> = {
  operations: PARTS.flatMap((part) => part.operations ?? []),
  states: PARTS.flatMap((part) => part.states ?? []),
  transitions: PARTS.flatMap((part) => part.transitions ?? []),
  rules: PARTS.flatMap((part) => part.rules ?? []),
};
