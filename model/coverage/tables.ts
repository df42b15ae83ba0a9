import type { Design, KernelVersion, Profile } from '../profile.ts';
import { COHERENT } from './coherent.ts';
import { COLLAPSE } from './collapse.ts';
import type { TableName } from './coverage.ts';
import { FILES } from './files.ts';
import { HUGE } from './huge.ts';
import { HUGETLB } from './hugetlb.ts';
import { KSM } from './ksm.ts';
import { MARKERS } from './markers.ts';
import { MEETINGS } from './meetings.ts';
import { MLOCK } from './mlock.ts';
import { MREMAP } from './mremap.ts';
import { ORDER_0 } from './order-0.ts';
import { PIN } from './pin.ts';
import { SOFT_DIRTY } from './soft-dirty.ts';
import { SWAP } from './swap.ts';
import { SWAP_FILES } from './swap-files.ts';
import { USERFAULT } from './userfault.ts';
import { USERFAULT_FILES } from './userfault-files.ts';
import { USERFAULT_MOVE } from './userfault-move.ts';

/** Rows of a table; those of some kernels alone say so. */
export interface Rows {
  only?: KernelVersion;
  /** Of kernels with soft-dirty bits. */
  softDirty?: true;
  /** Of one design alone. */
  design?: Design;
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
  SOFT_DIRTY,
  USERFAULT,
  USERFAULT_FILES,
  USERFAULT_MOVE,
  FILES,
  HUGETLB,
  COHERENT,
  COLLAPSE,
  KSM,
  MARKERS,
  SWAP,
  SWAP_FILES,
  MEETINGS,
];

export const TABLES: Readonly<Record<TableName, readonly Rows[]>> = {
  operations: PARTS.flatMap((part) => part.operations ?? []),
  states: PARTS.flatMap((part) => part.states ?? []),
  transitions: PARTS.flatMap((part) => part.transitions ?? []),
  rules: PARTS.flatMap((part) => part.rules ?? []),
};

/** What decides which rows there are. */
export type CoverageTraits = Pick<Profile, 'kernel' | 'design' | 'softDirty'>;

/** The rows that a kernel can reach. */
export function rowsFor(table: TableName, { kernel, design, softDirty }: CoverageTraits): string[] {
  return TABLES[table]
    .filter((part) => part.only === undefined || part.only === kernel)
    .filter((part) => part.softDirty === undefined || softDirty)
    .filter((part) => part.design === undefined || part.design === design)
    .flatMap(({ rows }) => rows);
}
