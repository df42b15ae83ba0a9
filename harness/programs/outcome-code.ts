/** Outcomes in the numbers of enum outcome_kind (qemu/guest/protocol_transcript.h). */
import type { Outcome } from '../../model/observation.ts';
import { corrupt } from './byte-reader.ts';
import { errnoName, signalName } from './linux-numbers.ts';
import { OutcomeKind } from './protocol.ts';

/** @throws HmmdiffError `transcript-corrupt` */
export function outcome(offset: number, kind: number, code: number, page: number): Outcome {
  if (kind === OutcomeKind.ok) return { kind: 'ok' };
  if (kind === OutcomeKind.errno) return { kind: 'errno', errno: errnoName(code) };
  if (kind === OutcomeKind.signal) return { kind: 'signal', signal: signalName(code), page };
  throw corrupt(offset, `expected a kind of outcome (0..2), not ${kind}`);
}
