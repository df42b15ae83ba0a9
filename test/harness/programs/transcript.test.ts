import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type AgentMessage, AgentStream } from '../../../harness/programs/agent-stream.ts';
import { listPages } from '../../../harness/programs/page-runs.ts';
import { PROTOCOL_VERSION } from '../../../harness/programs/protocol.ts';
import type { RecordedTranscript } from '../../../harness/programs/transcript.ts';
import type { Outcome, StepObservation } from '../../../model/observation.ts';
import { pageAddress, pageToken } from '../../../model/program.ts';
import { KILLED, RECORDED, STOPPED } from './recorded-programs.ts';

const PRESENT = 1n << 63n;
const SWAP = 1n << 62n;

function recording(arch: string): Buffer {
  return readFileSync(new URL(`../../fixtures/transcripts/${arch}.bin`, import.meta.url));
}

function decode(bytes: Buffer, chunk = bytes.length): AgentMessage[] {
  const stream = new AgentStream();
  const messages: AgentMessage[] = [];
  for (let at = 0; at < bytes.length; at += chunk)
    messages.push(...stream.push(bytes.subarray(at, at + chunk)));
  stream.end();
  return messages;
}

function transcriptOf(messages: AgentMessage[], sequence: number): RecordedTranscript {
  const message = messages[sequence];
  if (message?.type !== 'transcript' || message.sequence !== sequence)
    throw new Error(`no transcript ${sequence}`);
  return message.transcript;
}

function show(outcome: Outcome): string {
  if (outcome.kind === 'errno') return outcome.errno;
  return outcome.kind === 'signal' ? `${outcome.signal} page ${outcome.page}` : 'ok';
}

function outcomes(sequence: number, transcript: RecordedTranscript): string[] {
  const steps = RECORDED[sequence - 1]?.program.steps ?? [];
  return transcript.steps.map(({ step, outcome }) => `${steps[step]?.op}: ${show(outcome)}`);
}

/** What processes observed after a step, "process.region". */
function observers({ regions }: StepObservation): string[] {
  return regions.map(({ process, region }) => `${process}.${region}`);
}

describe.each(['x86_64', 'aarch64'])('a session recorded on %s', (arch) => {
  const bytes = recording(arch);
  const messages = decode(bytes);

  it('is a hello and one answer for each program, in their order', () => {
    expect(messages.map(({ type }) => type)).toEqual([
      'hello',
      ...RECORDED.map(({ spoil }) => (spoil ? 'error' : 'transcript')),
    ]);
    expect(messages.slice(1).map((message) => 'sequence' in message && message.sequence)).toEqual(
      RECORDED.map((_, index) => index + 1),
    );
  });

  it.each([1, 7, 16, 4093])('is the same when it comes in chunks of %i bytes', (chunk) => {
    expect(decode(bytes, chunk)).toEqual(messages);
  });

  it('begins with what the guest is', () => {
    expect(messages[0]).toEqual({
      type: 'hello',
      hello: {
        protocol: PROTOCOL_VERSION,
        release: '7.3.4',
        machine: arch,
        pageSize: 4096,
        cpus: 2,
        testCpu: 1,
        devices: [0, 1],
        traceEvents: [
          'set_migration_pte',
          'remove_migration_pte',
          'set_migration_pmd',
          'remove_migration_pmd',
          'mm_migrate_pages',
          'mm_migrate_pages_start',
          ...(arch === 'x86_64' ? ['page_fault_user'] : []),
        ],
        scanCategories: 0x3ff,
      },
    });
  });

  describe('a program that goes to a device and back', () => {
    const { steps, end, stuck, strayEvents, lostEvents } = transcriptOf(messages, 1);

    it('is done, with every step in its place', () => {
      expect(end).toEqual({ kind: 'done' });
      expect({ stuck, strayEvents, lostEvents }).toEqual({ stuck: false, strayEvents: 0, lostEvents: 0 });
      expect(steps.map(({ step }) => step)).toEqual(steps.map((_, index) => index));
      expect(new Set(outcomes(1, transcriptOf(messages, 1)).map((line) => line.split(': ')[1]))).toEqual(
        new Set(['ok']),
      );
    });

    it('sees the words that were written, by loads and through the device', () => {
      const written = [0, 1, 2, 3].map((page) => pageToken(1, 0, page));
      expect(listPages(steps[1]!.regions[0]!.pages).map(({ words }) => words)).toEqual([
        ...written.map((word) => [word, word]),
        ...[4, 5, 6, 7].map(() => undefined),
      ]);
      for (const step of [3, 4]) {
        expect(steps[step]?.data).toEqual(written.map((word) => ({ word, uniform: true })));
        expect([steps[step]?.cpages, steps[step]?.faults]).toEqual([4, 0]);
      }
    });

    it('has kpageflags and kpagecount of present pages only', () => {
      for (const { regions } of steps) {
        for (const page of regions.flatMap(({ pages }) => listPages(pages))) {
          const present = (page.pagemap & PRESENT) !== 0n;
          expect([page.kpageflags, page.kpagecount, page.words].map((value) => value !== undefined)).toEqual(
            Array(3).fill(present),
          );
        }
      }
      expect(steps[6]?.regions.map(({ pages }) => pages.at(0)?.kpagecount)).toEqual([2n, 2n]);
    });

    it('shows pages of the device as swap entries that the snapshot calls local', () => {
      const [region] = steps[3]?.regions ?? [];
      expect(listPages(region!.pages).map(({ pagemap }) => (pagemap & SWAP) !== 0n)).toEqual(
        [0, 1, 2, 3, 4, 5, 6, 7].map((page) => page < 4),
      );
      expect(region?.snapshots).toEqual([
        { device: 0, outcome: { kind: 'ok' }, bytes: new Uint8Array([0x22, 0x22, 0x22, 0x22, 0, 0, 0, 0]) },
      ]);
    });

    it('has what mincore and PAGEMAP_SCAN say of each page', () => {
      const [region] = steps[3]?.regions ?? [];
      expect(region?.mincore).toEqual(new Uint8Array([1, 1, 1, 1, 0, 0, 0, 0]));
      const softDirty = arch === 'x86_64' ? 0x80 : 0;
      expect(region?.scan).toEqual([
        { first: 0, end: 4, categories: 0x10 | softDirty },
        { first: 4, end: 8, categories: softDirty },
      ]);
    });

    it('has the RSS of each process, beside that of the first before the first step', () => {
      const { base } = transcriptOf(messages, 1);
      const anon = (step: number) => steps[step]?.processes.map(({ rss }) => rss.anon! - base.anon);
      expect([0, 1, 3, 5, 7, 8].map(anon)).toEqual([[0], [16], [16], [16, 16], [16, 16], [16]]);
      expect(base.file + base.shmem).toBeGreaterThan(0);
      expect(base.swap).toBe(0);
    });

    it('has the trace events of each step, in their order', () => {
      const remove = (page: number) => ({
        name: 'remove_migration_pte',
        addr: BigInt(pageAddress(0, page)),
        order: 0,
      });
      expect(steps[3]?.events).toMatchObject([0, 1, 2, 3].map(remove));
      expect(steps[6]?.events).toMatchObject(
        [0, 1].flatMap((page) => [
          ...(arch === 'x86_64' ? [{ ...remove(page), name: 'page_fault_user', entry: 4n }] : []),
          { ...remove(page), name: 'set_migration_pte' },
          remove(page),
          remove(page),
        ]),
      );
      expect(steps[4]?.events).toEqual([]);
    });

    it('is observed by every living process', () => {
      expect(observers(steps[4]!)).toEqual(['0.0']);
      expect(observers(steps[5]!)).toEqual(['0.0', '1.0']);
      expect(observers(steps[8]!)).toEqual(['0.0']);
    });

    it('has what the step `snapshot` returned', () => {
      expect(steps[9]).toMatchObject({ cpages: 8, bytes: new Uint8Array([2, 1, 0x21, 0x21, 0, 0, 0, 0]) });
      expect(steps[9]).not.toHaveProperty('data');
    });

    it('has no snapshot of a device that was closed', () => {
      expect(steps.map(({ regions }) => regions[0]?.snapshots.length)).toEqual([
        0,
        0,
        ...Array(11).fill(1),
        0,
      ]);
    });
  });

  it('says how calls and accesses were refused', () => {
    expect(outcomes(2, transcriptOf(messages, 2))).toEqual([
      'cpu-read: SIGSEGV page 5',
      'mmap: ok',
      'mmap: EEXIST',
      'cpu-read: ok',
      'cpu-write: SIGSEGV page 1',
      'mmap: ok',
      'cpu-read: SIGSEGV page 1',
      'open: ok',
      'migrate-to-dev: EINVAL',
      'write: EPERM',
      'read: EFAULT',
      'munmap: ok',
      'cpu-read: SIGSEGV page 2',
    ]);
    for (const step of transcriptOf(messages, 2).steps.filter(({ outcome }) => outcome.kind !== 'ok')) {
      expect(step).not.toHaveProperty('data');
      expect(step).not.toHaveProperty('cpages');
    }
  });

  it('shows that an inherited fd mirrors its opener and fails when that has ended', () => {
    const { steps } = transcriptOf(messages, 3);
    expect(outcomes(3, transcriptOf(messages, 3)).filter((line) => !line.endsWith('ok'))).toEqual([
      'read: EFAULT',
      'snapshot: EINVAL',
    ]);
    // Process 1 migrated the pages of process 0, and snapshots only through the fd that it opened.
    expect(steps[5]?.regions.map(({ snapshots }) => snapshots.map(({ device }) => device))).toEqual([
      [0],
      [1],
    ]);
    expect(observers(steps[8]!)).toEqual(['1.0', '2.0']);
    // The last close of device 0 evicted its pages.
    expect(
      listPages(steps[12]!.regions[0]!.pages)
        .slice(0, 4)
        .every(({ pagemap }) => pagemap & PRESENT),
    ).toBe(true);
  });

  it('holds the most processes, regions and pages that a program can have', () => {
    const { steps } = transcriptOf(messages, 4);
    const last = steps.at(-1)!;
    expect(observers(last)).toEqual(
      [0, 1, 2, 3].flatMap((process) => [0, 1, 2, 3].map((region) => `${process}.${region}`)),
    );
    expect(last.regions.every(({ pages }) => pages.length === 64)).toBe(true);
    expect(last.data).toEqual(
      Array.from({ length: 64 }, (_, page) => ({ word: pageToken(1, 3, page), uniform: true })),
    );
    expect(
      last.regions
        .filter(({ region }) => region === 3)
        .map(({ pages }) => listPages(pages).every(({ pagemap }) => pagemap & SWAP)),
    ).toEqual(Array(4).fill(true));
  });

  it('has outcomes alone when nothing was to be observed', () => {
    const { steps } = transcriptOf(messages, 5);
    expect(outcomes(5, transcriptOf(messages, 5))).toEqual(outcomes(1, transcriptOf(messages, 1)));
    expect(
      steps.every((step) => step.regions.length + step.processes.length + step.events.length === 0),
    ).toBe(true);
  });

  it('says why a program was not run', () => {
    expect(messages[6]).toEqual({ type: 'error', sequence: 6, message: 'step 0: process 7, not 0..3' });
  });

  it('names the process that died and keeps the steps before', () => {
    const { steps, end } = transcriptOf(messages, KILLED);
    expect(end).toEqual({ kind: 'crashed', process: 1, signal: 'SIGSEGV', step: steps.length });
    expect(steps.length).toBeGreaterThan(5);
  });

  it('shows where the processes of a hung program are', () => {
    const { steps, end, stuck } = transcriptOf(messages, STOPPED);
    expect(end).toMatchObject({
      kind: 'hung',
      step: steps.length,
      stacks: [
        expect.stringMatching(
          /^process 0, pid \d+, state S \(sleeping\), in futex_do_wait\n\[<0>] futex_do_wait/,
        ),
        expect.stringMatching(
          /^process 1, pid \d+, state T \(stopped\), in do_signal_stop\n\[<0>] do_signal_stop/,
        ),
      ],
    });
    expect(stuck).toBe(false);
  });

  it('goes on after programs that crashed and hung', () => {
    expect(outcomes(9, transcriptOf(messages, 9))).toEqual(outcomes(1, transcriptOf(messages, 1)));
  });
});
