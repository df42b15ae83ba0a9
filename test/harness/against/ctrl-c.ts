/** A signal of the terminal: while the event loop is kept, nothing of it is seen. */
export class CtrlC {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  #pressed = Number.NaN;

  /** @param afterMs milliseconds from now */
  press(afterMs: number): void {
    setTimeout(() => {
      this.#pressed = performance.now();
      this.#controller.abort(new Error('stopped'));
    }, afterMs);
  }

  /** Milliseconds since then; NaN before. */
  get elapsed(): number {
    return performance.now() - this.#pressed;
  }
}
