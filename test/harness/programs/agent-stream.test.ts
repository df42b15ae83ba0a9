import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HmmdiffError } from '../../../harness/errors.ts';
import { type AgentMessage, AgentStream, parseHello } from '../../../harness/programs/agent-stream.ts';
import { StructSize } from '../../../harness/programs/protocol.ts';

/** A hello and the transcript of a program that was not observed: small enough to damage everywhere. */
const recording = readFileSync(new URL('../../fixtures/transcripts/x86_64.bin', import.meta.url));
const frames = split(recording);
const hello = frames[0]!;
const observed = frames[1]!;
const bare = frames[5]!;
const FIRST_STEP = StructSize.frame_header + StructSize.transcript_header;

function split(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += found.at(-1)!.length) {
    found.push(bytes.subarray(at, at + 16 + bytes.readUInt32LE(at + 12)));
  }
  return found;
}

function decode(bytes: Buffer): AgentMessage[] {
  const stream = new AgentStream();
  const messages = stream.push(bytes);
  stream.end();
  return messages;
}

function failure(bytes: Buffer): HmmdiffError {
  try {
    decode(bytes);
  } catch (error) {
    if (error instanceof HmmdiffError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

function damaged(frame: Buffer, damage: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(frame);
  damage(copy);
  return copy;
}

describe('AgentStream', () => {
  it('takes an end between frames and no other', () => {
    const bytes = Buffer.concat([hello, bare]);
    for (let length = 1; length < bytes.length; length++) {
      if (length === hello.length) continue;
      const { code, exitStatus, message } = failure(bytes.subarray(0, length));
      expect([code, exitStatus]).toEqual(['transcript-corrupt', 3]);
      const start = length < hello.length ? 0 : hello.length;
      expect(message).toMatch(
        new RegExp(`^transcript stream, byte ${start}: expected a frame.* ends after ${length - start}$`),
      );
    }
    expect(decode(bytes.subarray(0, hello.length))).toHaveLength(1);
  });

  it('does not take a frame that is shorter than what it says to hold', () => {
    for (let length = 0; length < bare.length - 16; length += 8) {
      const cut = damaged(bare.subarray(0, 16 + length), (copy) => copy.writeUInt32LE(length, 12));
      expect(failure(cut).message).toMatch(/byte \d+: expected .*, but the frame ends after \d+$/);
    }
  });

  it('does not take a frame that is longer than what it says to hold', () => {
    const long = damaged(Buffer.concat([bare, Buffer.alloc(8)]), (copy) =>
      copy.writeUInt32LE(bare.length - 8, 12),
    );
    expect(failure(long).message).toBe(
      `transcript stream, byte ${bare.length}: 8 bytes after the end of the transcript`,
    );
  });

  it('survives any single damaged byte: a message or an error with an offset', () => {
    for (let at = 0; at < observed.length; at++) {
      const bytes = damaged(observed, (copy) => copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at));
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(HmmdiffError);
        expect((error as HmmdiffError).message).toMatch(/^transcript stream, byte \d+: /);
      }
    }
  });

  it.each<[string, Buffer, RegExp]>([
    [
      'a text on the channel',
      Buffer.from('sh: agent: not found\n'),
      /byte 0: expected a frame \("HMDF"\), not "sh: agent/,
    ],
    [
      'an unknown frame',
      damaged(hello, (b) => b.writeUInt16LE(9, 4)),
      /byte 4: .*hello, transcript or error, not 9/,
    ],
    [
      'an absurd length',
      damaged(hello, (b) => b.writeUInt32LE(2 ** 31, 12)),
      /byte 12: expected a frame's length/,
    ],
    ['an unknown end', damaged(bare, (b) => b.writeUInt32LE(7, 16)), /byte 16: expected a kind of end/],
    [
      'a step out of order',
      damaged(bare, (b) => b.writeUInt32LE(5, FIRST_STEP)),
      /byte 72: expected step 0, not 5/,
    ],
    [
      'an unknown outcome',
      damaged(bare, (b) => b.writeUInt8(3, FIRST_STEP + 4)),
      /byte 72: expected a kind of outcome/,
    ],
    [
      'a huge count',
      damaged(bare, (b) => b.writeBigUInt64LE(2n ** 60n, FIRST_STEP + 24)),
      /byte 96: step 0: cpages cannot be/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(failure(bytes).message).toMatch(message);
  });

  it('counts offsets from the start of the stream', () => {
    const bad = damaged(bare, (copy) => copy.writeUInt32LE(7, 16));
    expect(failure(Buffer.concat([hello, bare, bad])).message).toContain(
      `byte ${hello.length + bare.length + 16}:`,
    );
  });
});

describe('parseHello', () => {
  const good = hello.subarray(16).toString();

  it('takes what `agent hello` prints', () => {
    expect(parseHello(`${good}\n`).machine).toBe('x86_64');
    expect(
      parseHello(good.replace('}', ',"traceUnavailable":"tracefs is not mounted"}')).traceUnavailable,
    ).toBe('tracefs is not mounted');
  });

  it.each([
    ['', /is not JSON/],
    ['sh: agent: not found', /is not JSON: sh: agent: not found/],
    ['{"protocol":1}', /hello, release: /],
    [good.replace(/"protocol":\d+/, '"protocol":1'), /speaks protocol 1, this hmmdiff speaks \d/],
  ])('refuses %j', (text, message) => {
    expect(() => parseHello(text)).toThrow(message);
  });
});
