/** What programs with steps at the same time are about. */
import type { Part } from '../../model/program.ts';

export type Weights = readonly (readonly [Part['op'], number])[];

/** What a program is about: who meets whom, on pages in which state. Pairs at random would rarely meet at all. */
export interface Theme {
  weight: number;
  /** Of each actor's first part; its further parts are of `ANYTHING`. */
  actors: readonly [Weights, Weights];
  /** Whether the pages are untouched at first, or on a device; either if it does not say. */
  pages?: 'untouched' | 'placed';
  /** Devices that are open. @default 1 or 2 */
  devices?: number;
  /** ms between parts of one round. @default {@link APART} */
  apart?: readonly number[];
  /** Parts that make anew in each round what the first actor's use up. */
  anew?: 'dontneed' | 'migrate';
}

/** How often each operation is wished for as a part. */
export const ANYTHING: Weights = [
  ['cpu-read', 4],
  ['cpu-write', 6],
  ['migrate-to-dev', 7],
  ['migrate-to-sys', 4],
  ['read', 3],
  ['fork', 3],
  ['munmap', 3],
  ['mprotect', 1],
  ['madvise', 2],
  ['close', 2],
];

export const THEMES: readonly Theme[] = [
  { weight: 3, actors: [ANYTHING, ANYTHING] },
  // migrate_vma_insert_page() against everything that fills a hole.
  {
    weight: 2,
    actors: [
      [['migrate-to-dev', 1]],
      [
        ['cpu-write', 4],
        ['cpu-read', 2],
        ['read', 4],
        ['migrate-to-dev', 1],
        ['fork', 1],
      ],
    ],
    pages: 'untouched',
    // A device must not read what it migrates itself at the same time.
    devices: 2,
    apart: [0, 1, 4, 16, 16, 64],
    anew: 'dontneed',
  },
  // do_swap_page() against everything that takes the entry away.
  {
    weight: 2,
    actors: [
      [
        ['cpu-read', 2],
        ['cpu-write', 3],
        ['read', 1],
      ],
      [
        ['cpu-read', 2],
        ['cpu-write', 2],
        ['migrate-to-sys', 2],
        ['munmap', 1],
        ['madvise', 1],
        ['migrate-to-dev', 1],
        ['mprotect', 1],
      ],
    ],
    pages: 'placed',
    anew: 'migrate',
  },
  // copy_nonpresent_pte() against migration entries.
  {
    weight: 2,
    actors: [
      [
        ['migrate-to-dev', 3],
        ['migrate-to-sys', 2],
        ['cpu-write', 2],
        ['munmap', 1],
      ],
      [['fork', 1]],
    ],
  },
  // dmirror_fops_release() evicts, against everything that changes page tables and does not fault.
  {
    weight: 2,
    actors: [
      [['close', 1]],
      [
        ['fork', 4],
        ['munmap', 2],
        ['mprotect', 2],
        ['madvise', 1],
      ],
    ],
    pages: 'placed',
    // An eviction begins late and takes long: what begins with it comes too early.
    apart: [16, 64, 64, 128],
    anew: 'migrate',
  },
];

export const APART: readonly number[] = [0, 0, 1, 4, 16, 64];
