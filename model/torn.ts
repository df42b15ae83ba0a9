/**
 * Content of a page that somebody is in the middle of writing: the first word is new, of the others nothing is known. It
 * is kept as the new word and a half, so that it goes wherever content is copied.
 */

/** @param word what is being written, a whole number below 2^46 */
export function tornWord(word: number): number {
  return word + 0.5;
}

export function isTorn(word: number): boolean {
  return !Number.isInteger(word);
}

/** The first word of the page. */
export function firstWord(word: number): bigint {
  return BigInt(Math.floor(word));
}

/** What is read of a page that had one word at the beginning, and another at the end. */
export function readMeanwhile(begin: number, end: number): number {
  return begin === end || isTorn(begin) ? begin : tornWord(begin);
}
