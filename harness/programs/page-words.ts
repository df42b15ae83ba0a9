/** Numbers of 64 bits for each page of a region, without an object for each: they are looked at after every step. */
import type { PageList, PageObservation } from '../../model/observation.ts';

/** Of pages in their order, in halves; what a page has not is 0. */
export interface Words {
  low: Uint32Array;
  high: Uint32Array;
  /** 1 where the page has a number. */
  present: Uint8Array;
}

export const COLUMNS = ['pagemap', 'kpageflags', 'kpagecount', 'firstWord', 'lastWord'] as const;
export type ColumnName = (typeof COLUMNS)[number];

/** A list of pages that gives one kind of number of all of them at once. */
export interface PageColumns extends PageList {
  /** @param words of as many pages as the list has; all of it is overwritten */
  readColumn(name: ColumnName, words: Words): void;
}

export function newWords(pages: number): Words {
  return { low: new Uint32Array(pages), high: new Uint32Array(pages), present: new Uint8Array(pages) };
}

/** As {@link PageColumns.readColumn}, of any list. */
export function readColumn(pages: PageList, name: ColumnName, words: Words): void {
  if ('readColumn' in pages) {
    (pages as PageColumns).readColumn(name, words);
    return;
  }
  for (let page = 0; page < pages.length; page++) setWord(words, page, numberOf(pages.at(page), name));
}

function numberOf(page: PageObservation | undefined, name: ColumnName): bigint | undefined {
  if (name === 'firstWord') return page?.words?.[0];
  return name === 'lastWord' ? page?.words?.[1] : page?.[name];
}

export function setWord(words: Words, page: number, value: bigint | undefined): void {
  words.present[page] = value === undefined ? 0 : 1;
  words.low[page] = value === undefined ? 0 : Number(value & 0xffffffffn);
  words.high[page] = value === undefined ? 0 : Number(value >> 32n);
}

/** An observation of what it has of the five numbers. */
export function pageObservation(
  pagemap: bigint,
  kpageflags: bigint | undefined,
  kpagecount: bigint | undefined,
  first: bigint | undefined,
  last: bigint | undefined,
): PageObservation {
  return {
    pagemap,
    ...(kpageflags === undefined ? {} : { kpageflags }),
    ...(kpagecount === undefined ? {} : { kpagecount }),
    ...(first === undefined || last === undefined ? {} : { words: [first, last] }),
  };
}
