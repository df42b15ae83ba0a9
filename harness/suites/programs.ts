import type { Coverage } from '../../model/coverage/coverage.ts';
import type { Program } from '../../model/program.ts';
import { type Comparison, compare } from '../compare/compare.ts';
import type { Environment } from '../compare/environment.ts';
import { infrastructureError } from '../errors.ts';
import { AgentStream } from '../programs/agent-stream.ts';
import { ALL_OBSERVATIONS, encodeProgram } from '../programs/encode.ts';
import type { ObservationKind } from '../programs/protocol.ts';
import type { RecordedTranscript } from '../programs/transcript.ts';
import type { Session } from '../session/session.ts';

/** Programs that the agent has been given and not yet answered: enough to keep it busy, few to lose with a guest. */
const WINDOW = 16;
/** Default of {@link ProgramsOptions.stepLimit}. The slowest step evicts a whole device. */
const STEP_LIMIT_MS = 10_000;
/** A kernel that has hung once will hang again, and nobody wants to wait so long each time. */
export const LIMIT_AFTER_HANG_MS = 2000;
/**
 * The agent calls a program hung after five quarters of its limit, and gives its processes the limit to die in; one that
 * spins in the kernel keeps the agent, which runs on the same processor, from saying so.
 */
const SILENCE_FACTOR = 4;

/** What costs as much as many steps: of programs of more than `always` steps, one of so many has it taken. */
const DEAR: Readonly<Partial<Record<ObservationKind, { every: number; always: number }>>> = {
  rollup: { every: 8, always: 0 },
  meminfo: { every: 32, always: 8 },
  vmstat: { every: 4, always: 8 },
};

const SILENT = 'it hangs, and the agent does not answer any more';

/** What became of one program. */
export interface ProgramResult {
  program: Program;
  comparison: Comparison;
  /** Not kept when `lean` was asked for and nothing diverges. */
  transcript?: RecordedTranscript;
}

/** A program that took the guest with it, or that the agent could not end. */
export interface LostProgram {
  program: Program;
  reason: string;
  /** The agent said so itself: the machine runs, and nothing is to be learnt from its end. */
  agentLives?: true;
}

export interface ProgramsRun {
  /** In the order of the programs, as far as they ran. */
  results: ProgramResult[];
  lost?: LostProgram;
  /** Programs that did not run because of `lost`. */
  remaining: Program[];
}

export interface ProgramsOptions {
  environment: () => Environment;
  observe?: readonly ObservationKind[];
  signal?: AbortSignal | undefined;
  progress?: (done: number) => void;
  /** Have the guest's console name each step before it is run; slow. @default false */
  announce?: boolean;
  /** Milliseconds without progress after which a program hangs, on the reference host. @default 10000 */
  stepLimit?: number;
  /** Steps from one smaps to the next. @default SMAPS_EVERY of harness/programs/encode.ts */
  smapsEvery?: number;
  /** Take smaps_rollup and meminfo for some programs only, always the same. @default false */
  sparse?: boolean;
  /** Forget the transcripts of programs that do not diverge. @default false */
  lean?: boolean;
  /** What of the model the programs reach is noted here. */
  coverage?: Coverage;
  /** Gets results as they come, in order. */
  onResults?: (results: readonly ProgramResult[]) => void;
  /** Gets the agent's stream as it comes, for the run folder. */
  record?: (chunk: Buffer) => void;
  /** The number of the first program in that stream. @default 1 */
  firstSequence?: number;
}

/**
 * Runs programs in a guest, one after the other, and compares each with the model while the guest runs the next.
 *
 * @throws HmmdiffError `agent` when the agent refuses a program or speaks nonsense (exit status 3)
 */
export async function runPrograms(
  session: Session,
  programs: readonly Program[],
  options: ProgramsOptions,
): Promise<ProgramsRun> {
  const {
    environment,
    observe,
    smapsEvery,
    sparse = false,
    announce = false,
    stepLimit = STEP_LIMIT_MS,
    lean = false,
    coverage,
    signal,
    progress,
    onResults,
    record,
    firstSequence = 1,
  } = options;
  const { slowness } = session.guest;
  let limitMs = Math.round(stepLimit * slowness);
  const agent = await session.ssh.spawn('exec agent run');
  const stream = new AgentStream();
  const results: ProgramResult[] = [];
  let sent = 0;
  let stderr = '';
  agent.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-2000);
  });
  agent.stdin.on('error', () => {});

  const feed = () => {
    while (sent < programs.length && sent - results.length < WINDOW) {
      const program = programs[sent]!;
      sent += 1;
      agent.stdin.write(
        encodeProgram(program, {
          sequence: firstSequence - 1 + sent,
          limitMs,
          announce,
          ...(sparse ? { observe: sparseObservations(program) } : {}),
          ...(observe ? { observe } : {}),
          ...(smapsEvery === undefined ? {} : { smapsEvery }),
        }),
      );
    }
    if (sent === programs.length && results.length === programs.length) agent.stdin.end();
  };
  let silent = false;
  let giveUp: (silence: { done: true }) => void;
  const silence = new Promise<{ done: true }>((resolve) => {
    giveUp = resolve;
  });
  const watchdog = setTimeout(() => {
    silent = true;
    giveUp({ done: true });
  }, SILENCE_FACTOR * limitMs);
  // Not a loop over the stream, which ends no sooner than an agent that the kernel may never let go.
  const chunks = (agent.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const nextChunk = () => {
    const next = chunks.next();
    next.catch(() => {});
    return Promise.race([next, silence]);
  };
  const onAbort = () => agent.kill();
  signal?.addEventListener('abort', onAbort, { once: true });
  const lostWith = (reason: string, agentLives = false): ProgramsRun => ({
    results,
    lost: { program: programs[results.length]!, reason, ...(agentLives ? { agentLives } : {}) },
    remaining: programs.slice(results.length + 1),
  });
  try {
    feed();
    if (programs.length === 0) agent.stdin.end();
    for (;;) {
      const next = await nextChunk();
      if (next.done) break;
      const chunk = next.value;
      watchdog.refresh();
      record?.(chunk);
      const before = results.length;
      for (const message of stream.push(chunk)) {
        if (message.type === 'hello') continue;
        if (message.type === 'error') {
          const name = programs[message.sequence - firstSequence]?.name ?? 'the stream';
          throw infrastructureError('agent', `the agent refused ${name}: ${message.message}`);
        }
        const program = programs[message.sequence - firstSequence]!;
        const { transcript } = message;
        if (transcript.end.kind === 'hung')
          limitMs = Math.min(limitMs, Math.round(LIMIT_AFTER_HANG_MS * slowness));
        if (transcript.stuck) {
          onResults?.(results.slice(before));
          return lostWith(`a process of it cannot be killed: ${describeEnd(transcript)}`, true);
        }
        const comparison = compare(
          program,
          transcript,
          environment(),
          undefined,
          coverage ? { coverage } : {},
        );
        const keep = !lean || comparison.divergences.length > 0;
        results.push({ program, comparison, ...(keep ? { transcript } : {}) });
      }
      progress?.(results.length);
      if (results.length > before) onResults?.(results.slice(before));
      feed();
    }
    if (!silent) await agent.exited;
  } catch (error) {
    signal?.throwIfAborted();
    if (silent) return lostWith(SILENT);
    if ((error as { code?: string }).code === 'ssh-lost' && results.length < programs.length) {
      return lostWith('the guest was lost while it ran');
    }
    throw error;
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener('abort', onAbort);
  }
  signal?.throwIfAborted();
  if (silent) return lostWith(SILENT);
  if (results.length < programs.length) {
    if (session.guest.splats.some((splat) => splat.panicked))
      return lostWith('the kernel panicked while it ran');
    return lostWith(`the agent ended while it ran${stderr ? `: ${stderr.trim()}` : ''}`);
  }
  stream.end();
  return { results, remaining: [] };
}

/** What a run observes of a program: without what is dear for most of them, by nothing but the program. */
export function sparseObservations({ steps }: Program): ObservationKind[] {
  return ALL_OBSERVATIONS.filter((kind) => {
    const dear = DEAR[kind];
    return !dear || steps.length <= dear.always || steps.length % dear.every === 0;
  });
}

/** What a process that cannot be killed waits in (qemu/guest/hung.c). */
const WAITS = /, state D\b.*, in (\w+)/;

/** How a program ended, in a line; where it hung, and the stacks behind it. */
export function describeEnd({ end }: Pick<RecordedTranscript, 'end'>): string {
  if (end.kind !== 'hung') return end.kind;
  const stacks = end.stacks.join('\n');
  const place = WAITS.exec(stacks)?.[1];
  return `hung in step ${end.step}${place === undefined ? '' : `, in ${place}`}\n${stacks}`;
}
