/** What a signal of the terminal is to long work: nothing of it is seen while the event loop is kept. */
export function pressCtrlC(): { signal: AbortSignal; elapsed: () => number } {
  const controller = new AbortController();
  let pressed = 0;
  setTimeout(() => {
    pressed = performance.now();
    controller.abort(new Error('stopped'));
  }, 100);
  return { signal: controller.signal, elapsed: () => performance.now() - pressed };
}
