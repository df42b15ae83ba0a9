/** A console line taken apart into what printk put in front and what the kernel said. */
export interface KernelLine {
  /** The message without time stamp, caller and level. */
  text: string;
  /** Whether a time stamp stood in front, which only the kernel writes. */
  stamped: boolean;
  /** `T` and a thread's number, or `C` and a processor's (CONFIG_PRINTK_CALLER); `undefined` if not printed. */
  caller: string | undefined;
}

const PREFIX = /(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *([TC]\d+)\])? ?/;

/**
 * A message may begin in the middle of a console line, behind what a program printed without a line end; that part
 * is left out.
 */
export function parseKernelLine(line: string): KernelLine {
  const match = PREFIX.exec(line);
  if (match === null) return { text: line.replace(/^<\d+>/, ''), stamped: false, caller: undefined };
  return { text: line.slice(match.index + match[0].length), stamped: true, caller: match[1] };
}

const SYMBOL = String.raw`([A-Za-z_$][\w$.]*)\+0x[0-9a-f]+\/0x[0-9a-f]+`;
const SYMBOL_ONLY = new RegExp(SYMBOL);
const PROGRAM_COUNTER = new RegExp(String.raw`^(?:RIP: [0-9a-f]{4}:|pc : )(?:\[<[0-9a-f]+>\] )?${SYMBOL}`);
const FRAME = new RegExp(
  String.raw`^ *(?:\[<[0-9a-f]+>\] )?${SYMBOL}(?: \[\w+(?: [\w+-]+)?\])?(?: \(\w+\))?$`,
);

/** `foo` of the first `foo+0x1/0x2` in a text, without the compiler's suffixes. */
export function symbolIn(text: string): string | undefined {
  const symbol = SYMBOL_ONLY.exec(text)?.[1];
  return symbol === undefined ? undefined : plainName(symbol);
}

/**
 * The functions that a splat names as its place, innermost first: the program counter, then the frames of its call
 * traces that the unwinder vouches for (no `? ` in front).
 */
export function stackOf(texts: readonly string[]): string[] {
  const functions: string[] = [];
  let inTrace = false;
  for (const text of texts) {
    const counter = PROGRAM_COUNTER.exec(text)?.[1];
    if (counter !== undefined) functions.push(plainName(counter));
    else if (/^Call [Tt]race:/.test(text)) inTrace = true;
    else if (inTrace) {
      const frame = FRAME.exec(text)?.[1];
      if (frame !== undefined) functions.push(plainName(frame));
    }
  }
  return functions;
}

/** A source path as the kernel tree names it, whatever directory the build was started from. */
export function treePath(path: string): string {
  const top =
    /(?:^|\/)((?:arch|block|certs|crypto|drivers|fs|include|init|io_uring|ipc|kernel|lib|mm|net|rust|samples|security|sound|tools|usr|virt)\/.*)$/;
  return top.exec(path)?.[1] ?? path.replace(/^(?:\.\.?\/)+/, '');
}

function plainName(symbol: string): string {
  return symbol.replace(/\.(?:isra|constprop|part|cold|llvm|lto_priv)\b.*$/, '');
}
