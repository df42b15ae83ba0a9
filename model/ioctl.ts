/** What all commands of test_hmm share (lib/test_hmm.c, dmirror_fops_unlocked_ioctl). */
import { type Expected, failWith } from './outcome.ts';
import type { Profile } from './profile.ts';
import type { DeviceOp, Flaw } from './program.ts';

const ENTRY = 'dmirror_fops_unlocked_ioctl';

/**
 * The checks that come before any command is looked at, in their order; null when the command is carried out. After
 * them, only `bad-buffer` still matters: to the commands that copy to or from hmm_dmirror_cmd.ptr.
 */
export function refuse(profile: Profile, op: DeviceOp, flaw: Flaw | undefined): Expected | null {
  switch (flaw) {
    case 'bad-command':
      return failWith('EFAULT', `${ENTRY} (copy_from_user)`);
    case 'misaligned':
      return failWith('EINVAL', `${ENTRY} (addr)`);
    case 'no-pages':
    case 'wraps':
      return failWith('EINVAL', `${ENTRY} (npages)`);
    case 'unknown':
      return failWith('EINVAL', `${ENTRY} (command)`);
  }
  return profile.unknownCommands.includes(op) ? failWith('EINVAL', `${ENTRY} (command)`) : null;
}

/** copy_to_user() of what a command has read, which is its last act: what it did before stays done. */
export function copyOut(expected: Expected, flaw: Flaw | undefined): Expected {
  return flaw === 'bad-buffer' && expected.outcome.kind === 'ok'
    ? failWith('EFAULT', `${expected.rule} (copy_to_user)`)
    : expected;
}
