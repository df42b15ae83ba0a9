import { expect, it } from 'vitest';
import { type RunEvent, RunEvents } from '../../harness/events.ts';

it.each([
  ['stopped', true],
  ['failed', false],
] as const)(
  'calls a task that ends with an error %s, the user having stopped it: %s',
  async (status, isStopped) => {
    const abort = new AbortController();
    const events = new RunEvents(abort.signal);
    const seen: RunEvent[] = [];
    events.on('event', (event) => seen.push(event));
    const work = events.task('id', 'title', async () => {
      if (isStopped) abort.abort();
      throw new Error('no more');
    });
    await expect(work).rejects.toThrow('no more');
    expect(seen.at(-1)).toEqual({ type: 'task-end', id: 'id', status });
  },
);
