/** Wishes: what fast-check makes and shrinks instead of steps. */
import fc from 'fast-check';
import {
  ADVICE,
  type Advice,
  DEVICE_FLAGS,
  type DeviceFlags,
  FLAWS,
  type Flaw,
  type OrdinaryStep,
  type Protection,
  REMAP_FLAWS,
  type RemapFlaw,
  type RemapKind,
  USERFAULT_KINDS,
  type UserfaultKind,
} from '../../model/program.ts';

/** What is wished for at one point of a program. Numbers are taken modulo what there is to choose from. */
export interface Wish {
  op: OrdinaryStep['op'];
  process: number;
  /** Which of the program's two. */
  device: number;
  region: number;
  first: number;
  count: number;
  protection: Protection;
  kind: UserfaultKind;
  flaw: Flaw | undefined;
  flags: DeviceFlags;
  advice: Advice;
  how: RemapKind;
  remapFlaw: RemapFlaw | undefined;
  /** Where mremap goes to: a region, and a page of it. */
  target: number;
  length: number;
}

/** The longest range that is wished for. */
export const LONGEST = 64;

export function wishArbitrary(weights: Readonly<Record<OrdinaryStep['op'], number>>): fc.Arbitrary<Wish> {
  const op = fc.oneof(
    ...(Object.keys(weights) as OrdinaryStep['op'][]).map((name) => ({
      arbitrary: fc.constant(name),
      weight: weights[name],
    })),
  );
  const protection = fc.oneof(
    { arbitrary: fc.constant<Protection>('read-write'), weight: 8 },
    { arbitrary: fc.constant<Protection>('read'), weight: 1 },
    { arbitrary: fc.constant<Protection>('none'), weight: 1 },
  );
  const flaw = fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 24 },
    { arbitrary: fc.constantFrom(...FLAWS), weight: 1 },
  );
  const flags = fc.oneof(
    { arbitrary: fc.constant<DeviceFlags>('fail-alloc'), weight: 6 },
    { arbitrary: fc.constantFrom(...DEVICE_FLAGS), weight: 1 },
  );
  const how = fc.oneof(
    { arbitrary: fc.constant<RemapKind>('move'), weight: 6 },
    { arbitrary: fc.constant<RemapKind>('keep'), weight: 3 },
    { arbitrary: fc.constant<RemapKind>('resize'), weight: 2 },
  );
  const remapFlaw = fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 30 },
    { arbitrary: fc.constantFrom(...REMAP_FLAWS), weight: 1 },
  );
  const small = fc.nat({ max: 63 });
  // Most ranges are short; the longest reach to the end of any region.
  const count = fc.oneof(
    { arbitrary: fc.constant(1), weight: 3 },
    { arbitrary: fc.integer({ min: 2, max: 5 }), weight: 4 },
    { arbitrary: fc.constant(LONGEST), weight: 2 },
  );
  return fc.record({
    op,
    process: small,
    device: fc.nat({ max: 1 }),
    region: small,
    first: small,
    count,
    protection,
    kind: fc.constantFrom(...USERFAULT_KINDS),
    flaw,
    flags,
    advice: fc.constantFrom(...ADVICE),
    how,
    remapFlaw,
    target: small,
    length: fc.nat({ max: 9 }),
  });
}
