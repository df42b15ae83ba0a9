/** What is seen of the pages of a huge region, as the runs in which the agent ships it (qemu/guest/protocol.h). */
import type { PageList, PageObservation } from '../../model/observation.ts';
import { type ByteReader, corrupt } from './byte-reader.ts';
import { COLUMNS, type ColumnName, type PageColumns, pageObservation, type Words } from './page-words.ts';

/** `count` pages; the value of page i of them is `value + i * step`, modulo 2^64. */
interface Run {
  value: bigint;
  step: bigint;
  count: number;
  present: boolean;
}

/** A number for each page of a region, or none. */
export type Column = readonly Run[];

/** Few numbers for many pages; a page is put together when it is asked for. */
export class PageRuns implements PageColumns {
  constructor(
    readonly length: number,
    readonly columns: Readonly<Record<ColumnName, Column>>,
  ) {}

  at(page: number): PageObservation | undefined {
    const value = (name: ColumnName) => valueAt(this.columns[name], page);
    const pagemap = value('pagemap');
    if (pagemap === undefined) return undefined;
    return pageObservation(
      pagemap,
      value('kpageflags'),
      value('kpagecount'),
      value('firstWord'),
      value('lastWord'),
    );
  }

  readColumn(name: ColumnName, words: Words): void {
    expand(this.columns[name], words);
  }
}

/** All pages of a list, whatever its form. */
export function listPages(pages: PageList): PageObservation[] {
  return Array.from({ length: pages.length }, (_, page) => pages.at(page)!);
}

/** Reads the columns of a huge region of `pages` pages. @throws HmmdiffError `transcript-corrupt` */
export function decodePageRuns(reader: ByteReader, pages: number, where: string): PageRuns {
  const columns = COLUMNS.map((name) => [name, decodeColumn(reader, pages, `${where}: ${name}`)]);
  return new PageRuns(pages, Object.fromEntries(columns) as Record<ColumnName, Column>);
}

function decodeColumn(reader: ByteReader, pages: number, what: string): Column {
  const { offset } = reader;
  const runs = reader.count(`${what}: number of runs`);
  const column: Run[] = [];
  let covered = 0;
  for (let index = 0; index < runs; index++) {
    const value = reader.u64(`${what}: value`);
    const step = reader.u64(`${what}: step`);
    const count = reader.u32(`${what}: count`);
    const present = reader.u32(`${what}: presence`) !== 0;
    column.push({ value, step, count, present });
    covered += count;
  }
  if (covered !== pages) throw corrupt(offset, `${what} covers ${covered} of ${pages} pages`);
  return column;
}

function valueAt(column: Column, page: number): bigint | undefined {
  let first = 0;
  for (const { value, step, count, present } of column) {
    if (page < first + count) {
      return present ? BigInt.asUintN(64, value + step * BigInt(page - first)) : undefined;
    }
    first += count;
  }
  return undefined;
}

function expand(column: Column, { low, high, present }: Words): void {
  let page = 0;
  for (const run of column) {
    const end = page + run.count;
    present.fill(run.present ? 1 : 0, page, end);
    let [l, h] = run.present ? halves(run.value) : [0, 0];
    const [stepLow, stepHigh] = run.present ? halves(run.step) : [0, 0];
    if (stepLow === 0 && stepHigh === 0) {
      low.fill(l, page, end);
      high.fill(h, page, end);
    } else {
      for (; page < end; page++) {
        low[page] = l;
        high[page] = h;
        const sum = l + stepLow;
        l = sum >>> 0;
        h = (h + stepHigh + (sum > 0xffffffff ? 1 : 0)) >>> 0;
      }
    }
    page = end;
  }
}

function halves(value: bigint): [low: number, high: number] {
  return [Number(value & 0xffffffffn), Number(value >> 32n)];
}
