import { z } from 'zod';
import type { Arch } from '../kernels/arch.ts';
import { readYamlFile } from '../yaml-file.ts';

const pattern = z.string().transform((text, context) => {
  try {
    return new RegExp(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});
const common = {
  reason: z.string().min(10, 'say why it is allowed'),
  link: z.string().min(1),
  expires: z.iso.date(),
  kernel: pattern.optional(),
  arch: z.string().optional(),
};

/** kernel-configs/allow.yaml. */
export const allowSchema = z.strictObject({
  allow: z.array(
    z.union([
      z.strictObject({ splat: pattern, devices: z.enum(['private', 'coherent']).optional(), ...common }),
      z.strictObject({ test: pattern, ...common }),
    ]),
  ),
});

type Entry = z.output<typeof allowSchema>['allow'][number];

/** Where something was found. */
export interface AllowContext {
  kernel: string;
  arch: Arch;
  /** Which devices of test_hmm the tests that ran were about; undefined outside of hmm-tests. */
  devices?: 'private' | 'coherent' | undefined;
}

/** The findings that a user has looked at and accepted, until a day. */
export class AllowList {
  constructor(
    private readonly entries: readonly Entry[],
    private readonly today: string,
  ) {}

  /** @throws HmmdiffError `yaml` with file, line and column */
  static async read(file: string, today = new Date().toISOString().slice(0, 10)): Promise<AllowList> {
    return new AllowList((await readYamlFile(file, allowSchema)).allow, today);
  }

  /** The reason why a splat with this title is allowed, or undefined. */
  splat(title: string, context: AllowContext): string | undefined {
    return this.find(
      context,
      (entry) =>
        'splat' in entry &&
        entry.splat.test(title) &&
        (entry.devices === undefined || entry.devices === context.devices),
    );
  }

  /** The reason why a failure of the test with this full name is allowed, or undefined. */
  test(name: string, context: AllowContext): string | undefined {
    return this.find(context, (entry) => 'test' in entry && entry.test.test(name));
  }

  /** Entries whose day has passed. */
  get expired(): string[] {
    return this.entries
      .filter((entry) => entry.expires < this.today)
      .map((entry) => `${('splat' in entry ? entry.splat : entry.test).source} (expired ${entry.expires})`);
  }

  private find(context: AllowContext, matches: (entry: Entry) => boolean): string | undefined {
    const found = this.entries.find(
      (entry) =>
        entry.expires >= this.today &&
        (entry.kernel === undefined || entry.kernel.test(context.kernel)) &&
        (entry.arch === undefined || entry.arch === context.arch) &&
        matches(entry),
    );
    return found?.reason;
  }
}
