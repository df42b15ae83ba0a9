/**
 * Page-table entries as they are made. Most are made for somebody who is about to use them; what else is known of an entry,
 * the rule that makes it sets.
 */
import { newFrame } from './frame.ts';
import type { Frame, Pte, Rule } from './state.ts';

/** An entry that nobody has used, of a page of order 0. */
export function newPte(kind: Pte['kind'], frame: Frame, write: boolean, rule: Rule): Pte {
  return {
    kind,
    huge: false,
    frame,
    write,
    readExclusive: false,
    young: false,
    dirty: false,
    softDirty: false,
    uffdWp: false,
    rule,
  };
}

/** mk_pte(), and pte_mkyoung() or pte_sw_mkyoung() */
export function presentPte(frame: Frame, write: boolean, rule: Rule): Pte {
  const pte = newPte('present', frame, write, rule);
  pte.young = true;
  return pte;
}

/** folio_mk_pmd(), and pmd_mkyoung() */
export function presentPmd(head: Frame, write: boolean, rule: Rule): Pte {
  const pmd = presentPte(head, write, rule);
  pmd.huge = true;
  return pmd;
}

/** Of where a page has gone to: make_readable_device_private_entry() and its writable sibling, or mk_pte(). */
export function pteOfPlace(frame: Frame, write: boolean, rule: Rule): Pte {
  return newPte(frame.kind === 'device' ? 'device' : 'present', frame, write, rule);
}

/**
 * What an entry that was not present leaves to the one in its place (pte_swp_soft_dirty, pte_swp_uffd).
 *
 * @returns `pte`
 */
export function inherit(pte: Pte, { softDirty, uffdWp }: Pte): Pte {
  pte.softDirty = softDirty;
  pte.uffdWp = uffdWp;
  return pte;
}

/** Behind entries without a page. */
const NO_FRAME = newFrame(-1, 'none', -1);

/** make_pte_marker() of PTE_MARKER_UFFD_WP */
export function newMarker(rule: Rule): Pte {
  const marker = newPte('marker', NO_FRAME, false, rule);
  marker.uffdWp = true;
  return marker;
}
