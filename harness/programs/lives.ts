/** Which processes live and which devices they have open, step by step, if every call succeeds. */
import { MAX_PROCESSES, type Step } from '../../model/program.ts';
import { printProcess } from './range.ts';

export class Lives {
  readonly #open = new Map<number, Set<number>>([[0, new Set()]]);
  #created = 1;

  /**
   * Takes the step if it is possible; the parts of a `together` step are taken behind it, in their order.
   *
   * @returns why it is not
   */
  take(step: Step): string | undefined {
    if (step.op === 'together') return undefined;
    const open = this.#open.get(step.by);
    if (!open) {
      const what = step.by < this.#created ? 'has ended' : 'was never forked';
      return `${printProcess(step.by)} ${what}`;
    }
    if (step.op === 'fork') return this.#fork(open, step.child);
    if (step.op === 'exit') this.#open.delete(step.by);
    if (!('device' in step)) return undefined;
    const isOpen = open.has(step.device);
    if (step.op === 'open') {
      if (isOpen) return `${printProcess(step.by)} has device ${step.device} open already`;
      open.add(step.device);
    } else if (!isOpen) {
      return `${printProcess(step.by)} does not have device ${step.device} open`;
    } else if (step.op === 'close') {
      open.delete(step.device);
    }
    return undefined;
  }

  hasOpen(process: number, device: number): boolean {
    return this.#open.get(process)?.has(device) ?? false;
  }

  /** Whether anybody has a device open. */
  anyOpen(): boolean {
    return [...this.#open.values()].some((devices) => devices.size > 0);
  }

  /**
   * Takes a step with its parts; in several rounds, a process may have been forked while all was still open.
   *
   * @returns why it is not possible
   */
  takeWhole(step: Step): string | undefined {
    if (step.op !== 'together') return this.take(step);
    const parts = step.actors.flat();
    const forks = step.rounds > 1 ? parts.filter(({ op }) => op === 'fork') : [];
    for (const part of [...forks, ...parts.filter((part) => !forks.includes(part))]) {
      const problem = this.take(part);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #fork(open: ReadonlySet<number>, child: number): string | undefined {
    if (this.#created === MAX_PROCESSES) return `a program has at most ${MAX_PROCESSES} processes`;
    if (child !== this.#created) {
      return `processes are numbered in order of creation: this one is ${printProcess(this.#created)}`;
    }
    this.#created++;
    this.#open.set(child, new Set(open));
    return undefined;
  }
}
