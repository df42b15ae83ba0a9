import { StringDecoder } from 'node:string_decoder';

/** Cuts a byte stream into lines, whatever the chunks; a character cut in two by a chunk border stays whole. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** The lines that `chunk` completes, without their line ends (`\n`, `\r\n`, or the console's `\r\r\n`). */
  push(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() as string;
    return lines.map((line) => line.replace(/\r+$/, ''));
  }

  /** What stands after the last line end; `undefined` if nothing does. Call once, when the stream has ended. */
  end(): string | undefined {
    const rest = (this.#rest + this.#decoder.end()).replace(/\r+$/, '');
    this.#rest = '';
    return rest === '' ? undefined : rest;
  }
}
