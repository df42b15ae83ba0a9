import pc from 'picocolors';

export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for what is written to `stream`: only on a terminal, whatever CI says of itself, and never with NO_COLOR. */
export function colorsFor(stream: { isTTY?: boolean }): Colors {
  return pc.createColors(stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb');
}
