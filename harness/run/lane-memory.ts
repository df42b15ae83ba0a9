import { expectLoad } from '../../model/system.ts';
import { compareSystem } from '../compare/system.ts';
import type { LaneVerdict } from '../report/verdict.ts';
import type { Session } from '../session/session.ts';
import { requireDesign } from './design.ts';
import type { Journal, JournalEntry } from './journal.ts';
import type { LanePlan } from './lane-plan.ts';

/** The device memory of a lane: its design, how test_hmm loaded, and what the machine shows of it outside of programs. */
export class LaneMemory {
  /** undefined: no guest came so far as to say it, and the plan does not. */
  design: 'pfn' | 'offset' | undefined;
  load: LaneVerdict['load'] = null;
  readonly system: LaneVerdict['system'] = { fieldsCompared: 0, divergences: [] };

  constructor(
    private readonly plan: LanePlan,
    private readonly journal: Journal,
  ) {}

  /** Takes over what an earlier run of this lane has found out. */
  restore(entry: JournalEntry): void {
    if (entry.type === 'design') this.design = entry.design;
  }

  /**
   * Compares how test_hmm loaded and what the machine shows of it. Answers whether it did.
   *
   * @throws HmmdiffError when the guest's design is not what the plan declares
   */
  async check(session: Session): Promise<boolean> {
    const { spec, series } = this.plan.kernel;
    const { chunks, design } = session.memory;
    const declared = series ? series.design : spec.design;
    // A module that does not load says nothing of its design.
    this.design = design ?? declared;
    this.load = { expected: expectLoad(this.plan.scenario, this.design ?? 'pfn'), seen: session.load };
    if (this.load.seen !== 'loads') return false;
    const reported = requireDesign(design, declared, session.guest.consoleFile);
    await this.journal.append({ type: 'design', design: reported });
    this.note(compareSystem(await session.system(), reported, chunks));
    return true;
  }

  note({ fieldsCompared, divergences }: LaneVerdict['system']): void {
    this.system.fieldsCompared += fieldsCompared;
    this.system.divergences.push(...divergences);
  }
}
