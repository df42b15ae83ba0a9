import { describe, expect, it } from 'vitest';
import { errnoName, signalName } from '../../../harness/programs/linux-numbers.ts';

describe('the names of Linux numbers', () => {
  it.each([
    [1, 'EPERM'],
    [2, 'ENOENT'],
    [3, 'ESRCH'],
    [9, 'EBADF'],
    [11, 'EAGAIN'],
    [12, 'ENOMEM'],
    [14, 'EFAULT'],
    [16, 'EBUSY'],
    [17, 'EEXIST'],
    [22, 'EINVAL'],
    [35, 'EDEADLK'],
    [38, 'ENOSYS'],
    [95, 'EOPNOTSUPP'],
    [133, 'EHWPOISON'],
    [524, 'ENOTSUPP'],
  ])('calls errno %i %s', (code, name) => {
    expect(errnoName(code)).toBe(name);
  });

  it.each([
    [1, 'SIGHUP'],
    [7, 'SIGBUS'],
    [9, 'SIGKILL'],
    [11, 'SIGSEGV'],
    [17, 'SIGCHLD'],
    [31, 'SIGSYS'],
  ])('calls signal %i %s', (code, name) => {
    expect(signalName(code)).toBe(name);
  });

  it('keeps the number when there is no name', () => {
    expect(errnoName(41)).toBe('E41');
    expect(errnoName(9999)).toBe('E9999');
    expect(signalName(40)).toBe('SIG40');
  });
});
