import { EventEmitter } from 'node:events';

/**
 * What happens during a command, as plain data: the engine emits, a reporter (terminal, log) renders, and neither
 * knows the other. A task is one long phase; `id` is unique in a run.
 */
export type RunEvent =
  | { type: 'task-start'; id: string; title: string }
  /** `done` of `total` in `unit`; an estimated total is marked so that the terminal can say "about". */
  | {
      type: 'task-progress';
      id: string;
      done: number;
      total?: number;
      estimated?: boolean;
      unit: string;
    }
  | {
      type: 'task-end';
      id: string;
      /** `stopped`: by the user. */
      status: 'done' | 'failed' | 'stopped' | 'cached';
      detail?: string;
    }
  /** A fact that a user should know: a substituted package version, an accelerator that was not used. */
  | { type: 'note'; message: string };

export class RunEvents extends EventEmitter<{ event: [RunEvent] }> {
  /** @param signal aborted when the user stops everything */
  constructor(private readonly signal?: AbortSignal) {
    super();
  }

  send(event: RunEvent): void {
    this.emit('event', event);
  }

  note(message: string): void {
    this.send({ type: 'note', message });
  }

  /**
   * Runs one task between its start and end events. `work` may report progress, and may return a detail
   * for the end line through `report.detail`.
   */
  async task<T>(id: string, title: string, work: (report: TaskReport) => Promise<T>): Promise<T> {
    this.send({ type: 'task-start', id, title });
    const report: TaskReport = {
      status: 'done',
      progress: (done, total, unit, estimated = false) =>
        this.send({
          type: 'task-progress',
          id,
          done,
          unit,
          ...(total === undefined ? {} : { total, estimated }),
        }),
    };
    try {
      const value = await work(report);
      this.send({
        type: 'task-end',
        id,
        status: report.status,
        ...detailOf(report),
      });
      return value;
    } catch (error) {
      this.send({
        type: 'task-end',
        id,
        status: this.signal?.aborted ? 'stopped' : 'failed',
        ...detailOf(report),
      });
      throw error;
    }
  }
}

export interface TaskReport {
  status: 'done' | 'cached';
  detail?: string;
  progress(done: number, total: number | undefined, unit: string, estimated?: boolean): void;
}

function detailOf(report: TaskReport): { detail?: string } {
  return report.detail === undefined ? {} : { detail: report.detail };
}
