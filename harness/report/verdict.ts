import { z } from 'zod';
import { VIEWS } from '../against/views.ts';
import { fingerprintSchema } from '../divergence/fingerprint.ts';
import { smallestSchema } from '../divergence/keep.ts';

const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

const place = {
  step: count,
  process: count.optional(),
  region: count.optional(),
  page: count.optional(),
};

const programDivergence = z.strictObject({
  /** Name of the program, and its file in the run folder. */
  program: z.string(),
  file: z.string(),
  /** Every differing field of the first step that differs. */
  fields: z.array(
    z.strictObject({
      ...place,
      field: z.string(),
      expected: z.string(),
      seen: z.string(),
      /** The kernel function that the expectation stands for. */
      rule: z.string(),
    }),
  ),
});

const hmmTests = z.strictObject({
  pass: count,
  fail: count,
  skip: count,
  seconds,
  /** Every test that failed. `allowed`: why allow.yaml lets it pass; such a test counts in `fail` all the same. */
  failures: z.array(z.strictObject({ name: z.string(), reason: z.string(), allowed: z.string().optional() })),
  /** Seconds of each test by full name. */
  durations: z.record(z.string(), z.number()),
});

const rate = z.strictObject({ shown: count, runs: count });

/** One bug as its fingerprint tells, with the programs that showed it folded into it. */
const programFinding = z.strictObject({
  id: z.string(),
  fingerprint: fingerprintSchema,
  /** What the example showed, in full; null unless it is a divergence. */
  shown: z.strictObject({ expected: z.string(), seen: z.string() }).nullable(),
  /** Another finding that shows the same at another operation: probably one bug. */
  like: z.string().nullable(),
  /** How many programs showed it, and the shortest of them. */
  programs: count,
  example: z.string(),
  /** Where in the run folder its files are; null when it was not looked into (`--shrink`). */
  folder: z.string().nullable(),
  /** How often the example showed it when run again by itself. */
  rate: rate.nullable(),
  smallest: smallestSchema.nullable(),
  /** How often the smallest program showed the same on the other lanes of the run. */
  elsewhere: z.array(z.strictObject({ lane: z.string(), rate })),
});
export type ProgramFinding = z.output<typeof programFinding>;

const programs = z.strictObject({
  programs: count,
  steps: count,
  fieldsCompared: count,
  /** Comparisons in which the model allowed several outcomes and took the one seen. */
  slack: count,
  divergences: z.array(programDivergence),
  /** What `divergences` and `lost` come down to. */
  findings: z.array(programFinding),
  seconds,
  /** `fieldsCompared` by field, and `slack` by the name of the freedom. */
  byField: z.record(z.string(), count),
  bySlack: z.record(z.string(), count),
  /** How many of `byField` were slack. */
  slackByField: z.record(z.string(), count),
  /** How often each invariant was checked on what the kernel showed; `model-state` on the model. */
  invariants: z.record(z.string(), count),
  /** smaps are dear: they are taken after every so many steps, and after a program's last. */
  smapsEvery: count,
  /** Rows of the model's tables (model/coverage), by table: how many there are, and which no program reached. */
  coverage: z.record(
    z.string(),
    z.strictObject({
      rows: count,
      reached: count,
      missing: z.array(z.string()),
      /** Reached, and in no table. */
      undeclared: z.array(z.string()),
    }),
  ),
  /** Programs that took the guest with them. */
  lost: z.array(z.strictObject({ program: z.string(), file: z.string(), reason: z.string() })),
});

const lifecycle = z.strictObject({
  loads: count,
  releases: count,
  closes: count,
  /** What did not come back, in a line each. */
  failures: z.array(z.string()),
  /** Free memory after the first unload less that after the last, in KiB. */
  lostKiB: z.int(),
  seconds,
});

const splat = z.strictObject({
  kind: z.string(),
  title: z.string(),
  /** Why allow.yaml lets it pass. */
  allowed: z.string().optional(),
  /** How often this title came up. */
  count,
  console: z.string(),
  firstLine: count,
  lines: z.array(z.string()),
});

const systemDivergence = z.strictObject({
  field: z.string(),
  expected: z.string(),
  seen: z.string(),
  rule: z.string(),
});

export const laneSchema = z.strictObject({
  ok: z.boolean(),
  kernel: z.strictObject({ name: z.string(), version: z.string(), origin: z.string() }),
  series: z.string().nullable(),
  /** Null when no guest came so far as to say it. */
  design: z.enum(['pfn', 'offset']).nullable(),
  /** Rules of the model that were applied. */
  profile: z.string(),
  arch: z.enum(['x86_64', 'aarch64']),
  scenario: z.string(),
  /** What `--append` put on the kernel command line. */
  append: z.array(z.string()),
  /** How loading test_hmm ended, and how the model says that it must in this scenario and design. */
  load: z.strictObject({ expected: z.string(), seen: z.string() }).nullable(),
  accel: z.enum(['kvm', 'tcg']).nullable(),
  /** Why this accelerator. */
  accelReason: z.string(),
  machine: z.string(),
  /** Milliseconds from the start of QEMU to the agent's first answer, of the first guest. */
  readyMs: z.number().nullable(),
  suites: z.strictObject({
    'hmm-tests': hmmTests.optional(),
    programs: programs.optional(),
    lifecycle: lifecycle.optional(),
  }),
  /** /proc/iomem and the span of zone Device, once per guest. */
  system: z.strictObject({ fieldsCompared: count, divergences: z.array(systemDivergence) }),
  splats: z.array(splat),
  /** Paths relative to the run folder. */
  console: z.array(z.string()),
  transcripts: z.array(z.string()),
  /** What makes the lane not ok, in a line each. */
  findings: z.array(z.string()),
  /** The infrastructure failed, and the lane is not whole. */
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
});

/** What two lanes showed of the same programs, with what a design chooses mapped away. */
export const againstSchema = z.array(
  z.strictObject({
    lanes: z.tuple([z.string(), z.string()]),
    programs: count,
    steps: count,
    /** Looked at: result, status, pagemap and so on of each step. */
    views: count,
    /** By view, how often the lanes differ as the model says that they must. */
    explained: z.record(z.enum(VIEWS), count),
    /** And how often as it says once it knows which way each lane took what it leaves free; by view, and by freedom. */
    freed: z.record(z.enum(VIEWS), count),
    freedBy: z.record(z.string(), count),
    /** The first view of each program that differs otherwise; what both show is in `file`. */
    differences: z.array(
      z.strictObject({
        program: z.string(),
        step: count,
        view: z.enum(VIEWS),
        file: z.string().nullable(),
      }),
    ),
  }),
);

/** verdict.json in the run folder; also what `--json` prints. */
export const verdictSchema = z.strictObject({
  format: z.literal(1),
  ok: z.boolean(),
  /** Version of hmmdiff. */
  hmmdiff: z.string(),
  started: z.iso.datetime(),
  seconds,
  seed: z.int(),
  notes: z.array(z.string()),
  lanes: z.array(laneSchema),
  /** With `--against`. */
  against: againstSchema.optional(),
});

export type LaneVerdict = z.output<typeof laneSchema>;
export type Verdict = z.output<typeof verdictSchema>;
