import { setImmediate } from 'node:timers/promises';

/** Milliseconds that work keeps the event loop: less than a person notices who presses Ctrl-C. */
const LONGEST_MS = 50;

/** Long work without anything to wait for gives way now and then, so that signals and the terminal have their turn. */
export class Breaks {
  #since = performance.now();

  constructor(private readonly signal?: AbortSignal) {}

  /** To be awaited between pieces of work. @throws the signal's reason when it aborts */
  async due(): Promise<void> {
    if (performance.now() - this.#since < LONGEST_MS) return;
    await setImmediate();
    this.signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
