import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as protocol from '../../../harness/programs/protocol.ts';
import { GAUGES, SWAP_PAGES } from '../../../model/meminfo.ts';
import { SMAPS_FIELDS } from '../../../model/observation.ts';
import * as program from '../../../model/program.ts';
import { VM_EVENT_NAMES } from '../../../model/vm-events.ts';

const header = ['protocol.h', 'protocol_program.h', 'protocol_transcript.h']
  .map((name) => readFileSync(new URL(`../../../qemu/guest/${name}`, import.meta.url), 'utf8'))
  .join('');

/** All `NAME = value` of the enums and `#define NAME value` of the header, as numbers. */
const numbers = new Map<string, number>();
for (const [, name, value] of header.matchAll(/^(?:#define\s+(\w+)|\s+(\w+)\s*=).*$/gm)) {
  const constant = name ?? value ?? '';
  const text = new RegExp(
    `\\b${constant}\\s*=?\\s+(0x[0-9a-f]+|\\d+)(?:\\s*<<\\s*(\\d+))?(?:u|ull)?\\b`,
  ).exec(header);
  if (text) numbers.set(constant, Number(text[1]) << Number(text[2] ?? 0));
}

function number(name: string): number {
  const found = numbers.get(name);
  if (found === undefined) throw new Error(`protocol.h does not define ${name} as a number`);
  return found;
}

function constantCase(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}

describe('the protocol of host and agent', () => {
  it('has one version and one magic number', () => {
    expect(protocol.PROTOCOL_VERSION).toBe(number('PROTOCOL_VERSION'));
    expect(header).toContain(`0x${protocol.FRAME_MAGIC.toString(16)}u`);
  });

  it('has the limits and addresses of the model', () => {
    expect(program.MAX_PROCESSES).toBe(number('MAX_PROCESSES'));
    expect(program.MAX_REGIONS).toBe(number('MAX_REGIONS'));
    expect(program.MAX_REGION_PAGES).toBe(number('MAX_REGION_PAGES'));
    expect(program.MAX_STEPS).toBe(number('MAX_STEPS'));
    expect(program.PAGE_SIZE).toBe(number('PAGE_BYTES'));
    expect(program.REGION_OFFSET_PAGES).toBe(number('REGION_OFFSET_PAGES'));
    expect(header).toMatch(new RegExp(`REGION_BASE\\s+0x${program.REGION_BASE.toString(16)}ull`));
    expect(header).toMatch(new RegExp(`REGION_STRIDE\\s+0x${program.REGION_STRIDE.toString(16)}ull`));
    expect(protocol.MAX_DEVICES).toBe(number('MAX_DEVICES'));
    expect(protocol.REGION_AS_BEFORE).toBe(number('REGION_AS_BEFORE'));
    expect(protocol.VM_FLAGS_BYTES).toBe(number('VM_FLAGS_BYTES'));
    expect(SMAPS_FIELDS).toHaveLength(number('SMAPS_FIELDS'));
  });

  it('has the same struct sizes on both sides', () => {
    const asserted = [...header.matchAll(/_Static_assert\(sizeof\(struct (\w+)\) == (\d+)/g)];
    expect(Object.fromEntries(asserted.map(([, name, size]) => [name, Number(size)]))).toEqual(
      protocol.StructSize,
    );
  });

  it.each([
    ['FRAME', protocol.FrameType],
    ['OBSERVE', protocol.OBSERVATIONS],
    ['OP', protocol.OPERATIONS],
    ['FLAGS', protocol.FLAGS_NUMBERS],
    ['ADVICE', protocol.ADVICE],
    ['FLAW', protocol.FLAW_NUMBERS],
    ['PROTECTION', protocol.PROTECTIONS],
    ['PROGRAM', protocol.ProgramFlag],
    ['END', protocol.EndKind],
    ['TRANSCRIPT', protocol.TranscriptFlag],
    ['OUTCOME', protocol.OutcomeKind],
    ['STEP_HAS', protocol.StepFlag],
    ['PROCESS', protocol.ProcessFlag],
    ['REGION_HAS', protocol.RegionFlag],
  ])('has the same numbers for %s on both sides', (prefix, values) => {
    for (const [name, value] of Object.entries(values)) {
      expect([name, number(`${prefix}_${constantCase(name)}`)]).toEqual([name, value]);
    }
  });

  it('has the counters of /proc/vmstat in one order on both sides', () => {
    for (const [index, name] of VM_EVENT_NAMES.entries()) {
      expect([name, number(`VM_${constantCase(name)}`)]).toEqual([name, index]);
    }
  });

  it('has the lines of /proc/meminfo in one order on both sides', () => {
    for (const [index, name] of GAUGES.entries()) {
      const constant = name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
      expect([name, number(`GAUGE_${constant}`)]).toEqual([name, index]);
    }
    expect(header).toMatch(/NO_GAUGE\s+INT32_MIN/);
    expect(protocol.NO_GAUGE).toBe(-(2 ** 31));
  });

  it('has a swap device of one size on both sides', () => {
    const swap = readFileSync(new URL('../../../qemu/guest/swap.c', import.meta.url), 'utf8');
    const mib = /SWAP_BYTES\s+\((\d+)u << 20\)/.exec(swap)?.[1];
    expect(SWAP_PAGES).toBe((Number(mib) << 20) / program.PAGE_SIZE - 1);
  });

  it('has the same numbers for trace events on both sides', () => {
    for (const [index, name] of protocol.TRACE_EVENTS.entries()) {
      if (name) expect([name, number(`EVENT_${constantCase(name)}`)]).toEqual([name, index]);
    }
  });
});
