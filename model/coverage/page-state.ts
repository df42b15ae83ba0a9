/** The states of a page that coverage tells apart, as small numbers: they are looked at for every page of every step. */
import { mapcountOf } from '../folio.ts';
import { type DeviceMinor, isCoherent } from '../program.ts';
import type { Pte, Vma } from '../state.ts';
import { isInSwap } from '../swap-shmem.ts';

/** Of pages that nobody else maps, those with PageAnonExclusive may be read-only even so; others are `shared`. */
const ACCESSES = ['shared', 'write', 'read-exclusive', 'read'] as const;
const WITHOUT_PAGE = [
  'unmapped',
  'none',
  'none-read-only',
  'none-no-access',
  'zero',
  'device-exclusive',
  'ram-merged',
  'marker',
  'swap-shared',
  'swap-exclusive',
  /** Present, and in the swap cache. */
  'swap-cached',
] as const;
/** Of mappings of files; anonymous pages in them are as others. */
const OF_FILES = [
  'file-none',
  'file-none-read-only',
  'file-none-no-access',
  'file-read',
  'file-write',
  /** No entry, and the page cache has the page in swap. */
  'file-swapped',
] as const;
const RAM = WITHOUT_PAGE.length;
const DEVICE = RAM + ACCESSES.length;
/** Added to the code of an entry that userfaultfd protects. */
const PROTECTED = 64;
const FILE = 40;
/** Added to the code of what a PMD entry maps. */
const HUGE = 128;

const names = (place: string) => ACCESSES.map((access) => `${place}-${access}`);
const RAM_NAMES = names('ram');
const DEVICE_NAMES = names('device');
const OTHER_DEVICE_NAMES = names('other-device');
const COHERENT_NAMES = names('coherent');
const OTHER_COHERENT_NAMES = names('other-coherent');

/** What a page of one process is, by its mapping and its entry. */
export function stateCode(vma: Vma, page: number, pte: Pte | null): number {
  if (pte === null) {
    if (isInSwap(vma, page)) return FILE + 5;
    const access = vma.write ? 0 : vma.read ? 1 : 2;
    return vma.file ? FILE + access : 1 + access;
  }
  if (pte.kind === 'marker') return 7;
  const { frame } = pte;
  const level = (pte.huge ? HUGE : 0) + (pte.uffdWp ? PROTECTED : 0);
  if (frame.file) return level + FILE + (pte.write ? 4 : 3);
  if (frame.kind === 'zero') return level + 4;
  if (pte.kind === 'exclusive') return level + 5;
  if (frame.ksm) return level + 6;
  if (pte.kind === 'swap') return level + (pte.readExclusive ? 9 : 8);
  if (frame.cached) return level + 10;
  const access = mapcountOf(frame) > 1 ? 0 : pte.write ? 1 : frame.exclusive ? 2 : 3;
  return level + (frame.minor >= 0 ? DEVICE + frame.minor * ACCESSES.length : RAM) + access;
}

/** Whether a PMD entry maps the page. */
export function isHugeCode(code: number): boolean {
  return code >= HUGE;
}

/** @param device through which a step acts: to it, pages of others are `other-device-...` and `other-coherent-...` */
export function stateName(code: number, device?: DeviceMinor): string {
  if (isHugeCode(code)) return `huge-${stateName(code - HUGE, device)}`;
  if (code >= PROTECTED) return `${stateName(code - PROTECTED, device)}-protected`;
  if (code < RAM) return WITHOUT_PAGE[code]!;
  if (code < DEVICE) return RAM_NAMES[code - RAM]!;
  if (code >= FILE) return OF_FILES[code - FILE]!;
  const minor = Math.floor((code - DEVICE) / ACCESSES.length);
  const own = device === undefined || device === minor;
  const [ownNames, otherNames] = isCoherent(minor)
    ? [COHERENT_NAMES, OTHER_COHERENT_NAMES]
    : [DEVICE_NAMES, OTHER_DEVICE_NAMES];
  return (own ? ownNames : otherNames)[(code - DEVICE) % ACCESSES.length]!;
}
