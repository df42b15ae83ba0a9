/** What is seen of the pages of a small region, as the agent ships it (qemu/guest/protocol.h). */
import type { PageObservation } from '../../model/observation.ts';
import { type ByteReader, corrupt } from './byte-reader.ts';
import { type ColumnName, type PageColumns, pageObservation, type Words } from './page-words.ts';

/** Bytes of a number, and how far apart those of two pages are. */
const WORD = 8;
const PAIR = 16;

/** Stays in the bytes that came; a page is put together when it is asked for. */
export class PageTable implements PageColumns {
  /** @param bytes the pagemap of all pages, kpageflags and kpagecount of those in `kpages`, two words of those in `words` */
  constructor(
    readonly length: number,
    private readonly bytes: Buffer,
    private readonly kpages: Mask,
    private readonly words: Mask,
  ) {}

  at(page: number): PageObservation | undefined {
    if (page >= this.length) return undefined;
    const value = (name: ColumnName) => {
      const { mask, start, stride } = this.#columnOf(name);
      if (mask && !mask.has(page)) return undefined;
      return this.bytes.readBigUInt64LE(start + stride * (mask ? mask.before(page) : page));
    };
    return pageObservation(
      value('pagemap')!,
      value('kpageflags'),
      value('kpagecount'),
      value('firstWord'),
      value('lastWord'),
    );
  }

  readColumn(name: ColumnName, { low, high, present }: Words): void {
    const { mask, start, stride } = this.#columnOf(name);
    const { bytes } = this;
    let at = start;
    for (let page = 0; page < this.length; page++) {
      const has = mask === undefined || mask.has(page);
      present[page] = has ? 1 : 0;
      low[page] = has ? bytes.readUInt32LE(at) : 0;
      high[page] = has ? bytes.readUInt32LE(at + 4) : 0;
      if (has) at += stride;
    }
  }

  #columnOf(name: ColumnName): { mask?: Mask; start: number; stride: number } {
    const flags = this.length * WORD;
    const counts = flags + this.kpages.count * WORD;
    const words = counts + this.kpages.count * WORD;
    switch (name) {
      case 'pagemap':
        return { start: 0, stride: WORD };
      case 'kpageflags':
        return { mask: this.kpages, start: flags, stride: WORD };
      case 'kpagecount':
        return { mask: this.kpages, start: counts, stride: WORD };
      case 'firstWord':
        return { mask: this.words, start: words, stride: PAIR };
      case 'lastWord':
        return { mask: this.words, start: words + WORD, stride: PAIR };
    }
  }
}

/** A bit for each page of a small region. */
export class Mask {
  readonly count: number;

  constructor(
    private readonly low: number,
    private readonly high: number,
  ) {
    this.count = bitsIn(low) + bitsIn(high);
  }

  has(page: number): boolean {
    return (((page < 32 ? this.low : this.high) >>> (page & 31)) & 1) === 1;
  }

  /** How many pages before `page` are in it. */
  before(page: number): number {
    const below = (1 << (page & 31)) - 1;
    return page < 32 ? bitsIn(this.low & below) : bitsIn(this.low) + bitsIn(this.high & below);
  }

  /** Whether it names no page from `pages` on. */
  isWithin(pages: number): boolean {
    if (pages >= 64) return true;
    return pages >= 32 ? this.high >>> (pages - 32) === 0 : this.high === 0 && this.low >>> pages === 0;
  }
}

function bitsIn(word: number): number {
  let count = 0;
  for (let left = word; left !== 0; left &= left - 1) count++;
  return count;
}

/** Reads the pages of a small region. @throws HmmdiffError `transcript-corrupt` */
export function decodePageTable(
  reader: ByteReader,
  pages: number,
  where: string,
  kpages: Mask,
  words: Mask,
): PageTable {
  if (!kpages.isWithin(pages) || !words.isWithin(pages)) {
    throw corrupt(reader.offset, `a mask names pages beyond the ${pages} of its region`);
  }
  const size = (pages + 2 * kpages.count + 2 * words.count) * WORD;
  return new PageTable(pages, reader.view(size, 'pages', where), kpages, words);
}
