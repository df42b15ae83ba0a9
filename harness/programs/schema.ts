/**
 * The language of program files (harness/programs/library/NAME.yaml).
 *
 *     name: hole-migrates-as-zero-page        # the file's name without .yaml
 *     about: What it shows, in a sentence or two.
 *     regions: {a: 4, h: {pmds: 2}}           # name: pages of 4 KiB, 1..64; or a huge region of 1..3 PMDs, 512 pages
 *                                             # each, that begins at a multiple of 2 MiB; at most 4 regions
 *     regions: {f: {pages: 4, backing: private-file}} # or a mapping of a file: model/program.ts, BACKINGS
 *     steps:                                  # run one after the other; each is observed
 *       - {mmap: a}                           # a whole region; protection: none, read or read-write (the default)
 *       - {munmap: "a[1]"}                    # a range: a is all of it, a[1] one page, a[0..3] pages 0 to 3
 *       - {mprotect: "a[2]", protection: read} # read-write where nothing is said
 *       - {madvise: "a[1..2]", advice: free}  # dontneed, free, cold, pageout; hugepage, nohugepage, collapse; mergeable, unmergeable (KSM)
 *       - {mlock: "a[0..1]"}                 # faults them in, and keeps reclaim away; munlock
 *       - {mremap: "a[0..1]", to: "b[2..3]"} # moves; keep: true leaves the mapping behind (MREMAP_DONTUNMAP)
 *       - {mremap: "a[0..3]", pages: 2}       # shrinks or grows where it is
 *       - {pin: "a[0]"}                       # for long, for DMA (gup_test)
 *       - {unpin: p0}                         # all that it has pinned
 *       - {uffd-open: p0}                     # its userfaultfd: SIGBUS where it is asked (UFFD_FEATURE_SIGBUS); with
 *                                             # handler: true, zero pages for missing ones, and protection is taken away;
 *                                             # with unpopulated: true, pages can be protected that are not there
 *       - {uffd-register: a, for: both}       # missing pages, writes to protected pages (wp), or both; uffd-unregister
 *       - {uffd-copy: "a[0]"}                 # fills missing pages; protect: true write-protects them; uffd-zeropage
 *       - {uffd-move: "a[0]", to: "a[1]"}     # UFFDIO_MOVE; holes: true lets pages be missing (ALLOW_SRC_HOLES)
 *       - {uffd-protect: "a[0]"}              # UFFDIO_WRITEPROTECT; uffd-unprotect
 *       - {ksmd: p0}                          # ksmd merges what it can, of all processes; who asks does not matter
 *       - {reload: p0}                        # test_hmm anew: EAGAIN while a device is open
 *       - {swapon: p0}                      # from here on, madvise pageout writes pages to a swap device; swapoff
 *       - {clear-refs: p0}                    # writes 4 to its /proc/self/clear_refs: soft-dirty bits
 *       - {cpu-read: "a[0..3]"}               # loads, lowest page first
 *       - {cpu-write: "a[0]"}                 # stores a word that names the step and the page
 *       - {open: 0}                           # 0 and 1 are private, 2 and 3 coherent; mirrors who opened it from then on
 *       - {read: a, device: 0}                # HMM_DMIRROR_READ through the descriptor for device 0; also read-unlocked,
 *       - {migrate-to-dev: "a[2]", device: 0} # write, migrate-to-dev, migrate-to-sys and snapshot
 *       - {exclusive: "a[0]", device: 0}      # device-exclusive entries
 *       - {check-exclusive: a, device: 0}     # EPERM if the device has any of these pages for itself
 *       - {flags: fail-alloc, device: 0}      # the next allocation for a migration through this file fails; other, none
 *       - {release: a, device: 0}             # all memory of the device goes, and all its pages to RAM
 *       - {read: a, device: 0, flaw: wraps}   # with one bad argument; those that there are: model/program.ts, FLAWS
 *       - {fork: p1}                          # processes are p0, p1, ... in order of creation; at most 4
 *       - {cpu-write: "a[2]", by: p1}         # any step may say who acts; default p0
 *       - together:                         # lists of steps, one for each actor, that begin at the same time, on different
 *           - [{migrate-to-dev: a, device: 0}] # CPUs; an actor is a process, a second one of the same process a thread of it
 *           - [{cpu-write: "a[0]"}, {fork: p2}] # what may be here: model/program.ts, PART_OPERATIONS
 *         rounds: 100                       # again and again, until each list was done so often; default 1. A list that
 *                                           # closes a device opens it again first, and one that forks a process again
 *                                           # ends it first
 *         apart: 20                         # each step is begun up to so many ms later, at random; default 0
 *       - {close: 0, by: p1}                  # p1 inherited it
 *       - {exit: p1}                          # what is left at the end exits in ascending order
 */
import { z } from 'zod';
import {
  BACKINGS,
  canBeBackedBy,
  MAX_REGION_PAGES,
  MAX_REGION_PMDS,
  MAX_REGIONS,
  MAX_STEPS,
  PMD_PAGES,
  type Program,
  type Region,
  type Step,
} from '../../model/program.ts';
import { Lives } from './lives.ts';
import { parseStep } from './step-syntax.ts';

type Shape = Omit<Region, 'name'>;

const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'a name has lower-case letters, digits and dashes');
const regionName = z.string().regex(/^[a-z][a-z0-9_-]*$/, 'a region has a name such as a');
const small = z.int().min(1).max(MAX_REGION_PAGES, `a region has 1..${MAX_REGION_PAGES} pages`);
const pmds = z.int().min(1).max(MAX_REGION_PMDS, `a huge region has 1..${MAX_REGION_PMDS} PMDs`);
const shape = z.union([
  small.transform((pages): Shape => ({ pages })),
  z
    .strictObject({ pmds: pmds.optional(), pages: small.optional(), backing: z.enum(BACKINGS).optional() })
    .transform(({ pmds, pages, backing }, context): Shape => {
      const issue = (message: string) => context.addIssue({ code: 'custom', message });
      if ((pmds === undefined) === (pages === undefined)) issue('a region has either pages or pmds');
      const size = pages ?? (pmds ?? 0) * PMD_PAGES;
      if (backing !== undefined && !canBeBackedBy(size, backing)) {
        issue('hugetlb is for huge regions, and other files are for small ones');
      }
      return backing === undefined || backing === 'anonymous' ? { pages: size } : { pages: size, backing };
    }),
]);

/** Parses a program file into a {@link Program}; problems stand at the key they are about. */
export const ProgramFileSchema = z
  .strictObject({
    name,
    about: z.string().optional(),
    regions: z.record(regionName, shape),
    steps: z.array(z.record(z.string(), z.unknown())).min(1).max(MAX_STEPS),
  })
  .transform((file, context): Program => {
    const regions: Region[] = Object.entries(file.regions).map(([name, shape]) => ({ name, ...shape }));
    const issue = (message: string, path: PropertyKey[]) => {
      context.addIssue({ code: 'custom', message, path });
    };
    if (regions.length === 0 || regions.length > MAX_REGIONS) {
      issue(`a program has 1..${MAX_REGIONS} regions`, ['regions']);
      return z.NEVER;
    }

    const lives = new Lives();
    const steps: Step[] = [];
    for (const [index, fields] of file.steps.entries()) {
      const step = parseStep(fields, regions);
      if ('message' in step) {
        issue(step.message, ['steps', index, ...(step.key === undefined ? [] : [step.key])]);
        return z.NEVER;
      }
      const problem = lives.takeWhole(step);
      if (problem) {
        issue(problem, ['steps', index]);
        return z.NEVER;
      }
      steps.push(step);
    }
    return { name: file.name, ...(file.about === undefined ? {} : { about: file.about }), regions, steps };
  });
