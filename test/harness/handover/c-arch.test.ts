import { describe, expect, it } from 'vitest';
import { perArch, textOn } from '../../../harness/handover/c-arch.ts';
import { partsFor } from '../../../harness/handover/c-parts.ts';

describe('perArch', () => {
  it('makes a condition only where the architectures differ, and no empty branch', () => {
    expect(perArch([['a;'], ['a;']])).toEqual(['a;']);
    expect(perArch([['a;'], ['b;']])).toEqual(['#if defined(__x86_64__)', 'a;', '#else', 'b;', '#endif']);
    expect(perArch([['a;'], []])).toEqual(['#if defined(__x86_64__)', 'a;', '#endif']);
    expect(perArch([[], ['b;']])).toEqual(['#if !defined(__x86_64__)', 'b;', '#endif']);
  });
});

describe('textOn', () => {
  it('leaves what the compiler for an architecture sees, of conditions in conditions too', () => {
    const inner = perArch([['x;'], ['y;']]);
    const text = [
      'first;',
      ...perArch([
        ['a;', ...inner],
        ['b;', ...inner],
      ]),
      'last;',
    ].join('\n');
    expect(textOn('x86_64', text)).toBe('first;\na;\nx;\nlast;');
    expect(textOn('aarch64', text)).toBe('first;\nb;\ny;\nlast;');
  });
});

describe('partsFor', () => {
  it('has a variable with what uses it, and without what else does', () => {
    const parts = partsFor('forget_pins();').join('\n');
    expect(parts).toContain('static int gup_test_fd = -1;');
    expect(parts).not.toContain('PIN_LONGTERM_TEST_START');
    // As a program does that registers before it has a userfaultfd, which fails.
    const registers = partsFor('uffd_register(address, 1, mode);').join('\n');
    expect(registers).toContain('static int uffd = -1;');
    expect(registers).not.toContain('uffd_open');
  });

  it('has a part for the architecture that uses it, with those that the part uses', () => {
    const text = [
      ...perArch([[], ['check_kpage(what, KPAGECOUNT, address, ~0ull, 1);']]),
      'pagemap(address);',
    ];
    const parts = partsFor(text.join('\n')).join('\n');
    for (const name of ['check_kpage', 'check_bits']) {
      expect(textOn('aarch64', parts)).toContain(`static void ${name}(`);
      expect(textOn('x86_64', parts)).not.toContain(name);
    }
    expect(parts.match(/static uint64_t pagemap\(/g)).toHaveLength(1);
    expect(textOn('x86_64', parts)).toContain('static uint64_t pagemap(');
  });
});
