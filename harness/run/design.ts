import type { Design } from '../../model/profile.ts';
import { ExitStatus, HmmdiffError } from '../errors.ts';

/**
 * The design of device memory that test_hmm reported when it loaded.
 *
 * @param declared what the kernel was said to have
 * @throws HmmdiffError (`design`) when it reported none, or another
 */
export function requireDesign(
  reported: Design | undefined,
  declared: Design | undefined,
  consoleFile: string,
): Design {
  if (reported === undefined) {
    throw new HmmdiffError('design', ExitStatus.finding, 'test_hmm reported no chunk of device memory', {
      hint: `Its console: ${consoleFile}`,
    });
  }
  if (declared !== undefined && declared !== reported) {
    throw new HmmdiffError(
      'design',
      ExitStatus.finding,
      `the kernel was said to have design ${declared}, but test_hmm reports design ${reported}`,
    );
  }
  return reported;
}
