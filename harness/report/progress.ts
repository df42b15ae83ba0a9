import type { RunEvent, RunEvents } from '../events.ts';
import { colorsFor } from './colors.ts';
import { formatDuration } from './duration.ts';

interface Task {
  title: string;
  started: number;
  done: number;
  total?: number;
  estimated: boolean;
  unit: string;
  /** When the last line about it was printed, where the output is no terminal. */
  printed: number;
}

/** How often a task that is under way is mentioned where the output is no terminal, in ms. */
const PLAIN_INTERVAL = 15_000;
const FRAME = 120;

/**
 * Renders the event stream on stderr: on a terminal one live line per task under way, elsewhere (CI) plain lines now
 * and then. stdout stays free for results.
 *
 * @returns a function that ends the rendering and leaves the cursor on a fresh line
 */
export function showProgress(events: RunEvents, stream: NodeJS.WriteStream = process.stderr): () => void {
  const tasks = new Map<string, Task>();
  const live = stream.isTTY === true;
  const paint = colorsFor(stream);
  let drawn = 0;

  const erase = () => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = () => {
    if (!live) return;
    erase();
    const width = stream.columns || 80;
    for (const task of tasks.values()) {
      stream.write(`${truncate(`  ${describe(task)}`, width - 1)}\n`);
      drawn += 1;
    }
  };
  const print = (line: string) => {
    erase();
    stream.write(`${line}\n`);
    draw();
  };

  const on = (event: RunEvent) => {
    switch (event.type) {
      case 'note':
        print(`${paint.yellow('note')} ${event.message}`);
        break;
      case 'task-start':
        tasks.set(event.id, {
          title: event.title,
          started: Date.now(),
          done: 0,
          estimated: false,
          unit: '',
          printed: Date.now(),
        });
        draw();
        break;
      case 'task-progress': {
        const task = tasks.get(event.id);
        if (!task) break;
        Object.assign(task, {
          done: event.done,
          total: event.total,
          unit: event.unit,
          estimated: event.estimated,
        });
        if (!live && Date.now() - task.printed > PLAIN_INTERVAL) {
          task.printed = Date.now();
          print(`.... ${describe(task)}`);
        }
        break;
      }
      case 'task-end': {
        const task = tasks.get(event.id);
        tasks.delete(event.id);
        const mark = {
          done: paint.green('done'),
          cached: paint.dim('kept'),
          stopped: paint.yellow('stop'),
          failed: paint.red('FAIL'),
        }[event.status];
        const time =
          task && event.status !== 'cached' ? ` (${formatDuration(Date.now() - task.started)})` : '';
        print(`${mark} ${task?.title ?? event.id}${event.detail ? `: ${event.detail}` : ''}${time}`);
        break;
      }
    }
  };

  events.on('event', on);
  const timer = live ? setInterval(draw, FRAME) : undefined;
  timer?.unref();
  return () => {
    clearInterval(timer);
    events.off('event', on);
    erase();
  };
}

function describe(task: Task): string {
  const elapsed = Date.now() - task.started;
  const parts = [task.title];
  if (task.unit) {
    const total = task.total === undefined ? '' : ` of ${task.estimated ? 'about ' : ''}${task.total}`;
    parts.push(task.unit.startsWith('%') ? `${task.done} ${task.unit}` : `${task.done}${total} ${task.unit}`);
  }
  parts.push(formatDuration(elapsed));
  // The first few say little about the rest.
  if (task.total && task.done * 50 > task.total && task.done < task.total && elapsed > 3000) {
    parts.push(`about ${formatDuration((elapsed / task.done) * (task.total - task.done))} left`);
  }
  return parts.join(', ');
}

function truncate(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
