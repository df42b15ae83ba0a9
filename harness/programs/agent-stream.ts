/** What the agent says, as a stream of messages. */
import { z } from 'zod';
import { infrastructureError } from '../errors.ts';
import { corrupt } from './byte-reader.ts';
import { FRAME_MAGIC, FrameType, PROTOCOL_VERSION, StructSize } from './protocol.ts';
import { decodeTranscript, type RecordedTranscript } from './transcript.ts';

const HelloSchema = z.object({
  protocol: z.number(),
  /** Of the kernel, as uname has it. */
  release: z.string(),
  machine: z.string(),
  /** Bytes. */
  pageSize: z.number(),
  /** CPUs that the agent may use, and the one of them that programs run on. */
  cpus: z.number(),
  testCpu: z.number(),
  /** Minors of test_hmm that can be opened. */
  devices: z.array(z.number()),
  /** Trace events that this kernel has, of those that the agent knows. */
  traceEvents: z.array(z.string()),
  /** Bits that its PAGEMAP_SCAN knows (PAGE_IS_* of linux/fs.h); 0 without PAGEMAP_SCAN. */
  scanCategories: z.number(),
  /** Why the observation `trace` is refused; absent when it is not. */
  traceUnavailable: z.string().optional(),
});
export type AgentHello = z.infer<typeof HelloSchema>;

export type AgentMessage =
  | { type: 'hello'; hello: AgentHello }
  | { type: 'transcript'; sequence: number; transcript: RecordedTranscript }
  /** The agent did not run the program `sequence`, or failed on it. Sequence 0: it gave up on the whole stream. */
  | { type: 'error'; sequence: number; message: string };

/** The longest frame that can be meant: the most that protocol.h allows is a tenth of it. */
const MAX_FRAME_BYTES = 2 ** 30;

/**
 * Parses what `agent hello` prints.
 *
 * @throws HmmdiffError `agent-hello` when it is not a hello, or that of an agent with another protocol
 */
export function parseHello(text: string): AgentHello {
  let parsed: z.ZodSafeParseResult<AgentHello>;
  try {
    parsed = HelloSchema.safeParse(JSON.parse(text));
  } catch (cause) {
    throw infrastructureError('agent-hello', `the agent's hello is not JSON: ${text.slice(0, 80)}`, {
      cause,
    });
  }
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw infrastructureError(
      'agent-hello',
      `the agent's hello, ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }
  if (parsed.data.protocol !== PROTOCOL_VERSION) {
    throw infrastructureError(
      'agent-hello',
      `the agent speaks protocol ${parsed.data.protocol}, this hmmdiff speaks ${PROTOCOL_VERSION}`,
      { hint: 'The initramfs is of another version: build it again.' },
    );
  }
  return parsed.data;
}

/** Cuts the bytes from the agent, in chunks of any size, into messages. */
export class AgentStream {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Bytes that `#pending` must hold before there is anything to do. */
  #needed: number = StructSize.frame_header;
  /** Offset in the stream of the first pending byte. */
  #offset = 0;

  /** @param wants whether to take a transcript apart; there is no message of others. @default all of them */
  constructor(private readonly wants: (sequence: number) => boolean = () => true) {}

  /** @throws HmmdiffError `transcript-corrupt` with the offset in the stream and what was expected there */
  push(chunk: Uint8Array): AgentMessage[] {
    this.#pending.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#pendingBytes += chunk.byteLength;
    const messages: AgentMessage[] = [];
    // A long frame comes in many chunks: they are joined once, when all of them are there.
    while (this.#pendingBytes >= this.#needed) {
      const [first] = this.#pending;
      const bytes = first && this.#pending.length === 1 ? first : Buffer.concat(this.#pending);
      const message = this.#takeFrame(bytes);
      if (message) messages.push(message);
    }
    return messages;
  }

  /** To be called when the stream has ended. @throws HmmdiffError `transcript-corrupt` when it ended in a frame */
  end(): void {
    if (this.#pendingBytes === 0) return;
    const what = this.#needed === StructSize.frame_header ? 'a frame header' : 'a frame';
    throw corrupt(
      this.#offset,
      `expected ${what} of ${this.#needed} bytes, but the stream ends after ${this.#pendingBytes}`,
    );
  }

  /** Takes the frame at the start of `bytes` if it is whole, else notes how many bytes it needs. */
  #takeFrame(bytes: Buffer): AgentMessage | undefined {
    const length = this.#payloadLength(bytes);
    const end = StructSize.frame_header + length;
    const whole = bytes.length >= end;
    const message = whole ? this.#decode(bytes.subarray(0, end)) : undefined;
    const rest = whole ? bytes.subarray(end) : bytes;
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#pendingBytes = rest.length;
    this.#offset += whole ? end : 0;
    this.#needed = whole ? StructSize.frame_header : end;
    return message;
  }

  #payloadLength(bytes: Buffer): number {
    const magic = bytes.readUInt32LE(0);
    if (magic !== FRAME_MAGIC) {
      const seen = JSON.stringify(bytes.subarray(0, 40).toString('latin1'));
      throw corrupt(this.#offset, `expected a frame ("HMDF"), not ${seen}`);
    }
    const length = bytes.readUInt32LE(12);
    if (length > MAX_FRAME_BYTES) {
      throw corrupt(this.#offset + 12, `expected a frame's length, not ${length}`);
    }
    return length;
  }

  #decode(frame: Buffer): AgentMessage | undefined {
    const type = frame.readUInt16LE(4);
    const sequence = frame.readUInt32LE(8);
    const payload = frame.subarray(StructSize.frame_header);
    const offset = this.#offset + StructSize.frame_header;
    switch (type) {
      case FrameType.hello:
        return { type: 'hello', hello: parseHello(payload.toString('utf8')) };
      case FrameType.transcript:
        if (!this.wants(sequence)) return undefined;
        return { type: 'transcript', sequence, transcript: decodeTranscript(payload, offset) };
      case FrameType.error:
        return { type: 'error', sequence, message: payload.toString('utf8') };
      default:
        throw corrupt(this.#offset + 4, `expected a frame of type hello, transcript or error, not ${type}`);
    }
  }
}
