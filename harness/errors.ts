/** Exit statuses of every command; scripts and CI rely on them (README, "Exit status"). */
export const ExitStatus = {
  ok: 0,
  /** The kernel or the model is at fault: a failed test, a divergence, a splat. */
  finding: 1,
  /** Bad usage or bad input: arguments, kernels.yaml, a config fragment, a series, a program. */
  usage: 2,
  /** The infrastructure failed: no QEMU, no disk, no network, a guest lost before the kernel ran. */
  infrastructure: 3,
} as const;

export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

export interface HmmdiffErrorOptions {
  /** What to do about it; printed on a line of its own. */
  hint?: string | undefined;
  cause?: unknown;
}

/**
 * The one error class of hmmdiff. `code` is stable (tests and scripts match on it), `message` names the
 * thing at fault and what was expected, `hint` says what to do. Anything else that is thrown is a bug of ours.
 */
export class HmmdiffError extends Error {
  override readonly name = 'HmmdiffError';
  readonly hint: string | undefined;

  constructor(
    readonly code: string,
    readonly exitStatus: ExitStatus,
    message: string,
    options: HmmdiffErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

/** An error in what the user gave: exit status 2. */
export function inputError(code: string, message: string, options?: HmmdiffErrorOptions): HmmdiffError {
  return new HmmdiffError(code, ExitStatus.usage, message, options);
}

/** A failure of the machinery around the kernel: exit status 3. */
export function infrastructureError(
  code: string,
  message: string,
  options?: HmmdiffErrorOptions,
): HmmdiffError {
  return new HmmdiffError(code, ExitStatus.infrastructure, message, options);
}
