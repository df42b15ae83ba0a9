/** What the agent says on the console before each step (qemu/guest/announce.c). */

interface Announced {
  line: number;
  /** From 1, in the order in which an agent was given them. */
  program: number;
  /** Of the program; one behind the last while its processes end. */
  step: number;
}

const ANNOUNCEMENT = /hmmdiff: program (\d+) step (\d+) (?:op|end) /;

/** Which step was under way at a line of the console. */
export function announcements(lines: readonly { number: number; text: string }[]) {
  const all = lines.flatMap(({ number, text }): Announced[] => {
    const match = ANNOUNCEMENT.exec(text);
    return match ? [{ line: number, program: Number(match[1]), step: Number(match[2]) }] : [];
  });
  return {
    at: (line: number) => all.findLast((announced) => announced.line <= line),
    lastStepOf: (program: number) => all.findLast((announced) => announced.program === program)?.step,
  };
}
