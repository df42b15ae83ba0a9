/**
 * Which steps a program may take without making test_hmm oops or warn (OBSERVABLES 1.9). Those are bugs of the test
 * driver and not of device-private memory, so no program goes there.
 */
import { fileOf } from './apply.ts';
import { isHazardous } from './mirror.ts';
import { touchesZeroPage } from './mlock.ts';
import { entryAt } from './page-table.ts';
import { type DeviceStep, isHugeRegion, type OrdinaryStep, type RegionId, type Step } from './program.ts';
import { folioHazard } from './safe-coherent.ts';
import { fileHazard } from './safe-files.ts';
import { isAnonymousHuge } from './safe-hugetlb.ts';
import { ksmHazard } from './safe-ksm.ts';
import { togetherHazard } from './safe-together.ts';
import { processOf, type State } from './state.ts';
import { isRegistered } from './userfault.ts';
import { findVma } from './vma.ts';

/**
 * Why `step` must not be taken in `state`; undefined when it may. The step must be possible: its process lives.
 *
 * - `read` and `write` must not enter a page of the device itself into the device's own page table: dmirror_do_fault()
 *   stores the device page untranslated, and the copy then goes through an address that is not mapped. A write to a
 *   read-only one warns.
 *   On the mm of a process that is gone, 6.12 never comes back from either (Profile.deadMirrorFails).
 * - No second file of one minor may mirror one mm: MMU_NOTIFY_MIGRATE of the one is ignored by the other, which keeps
 *   pointers to freed pages.
 * - With huge regions (of anonymous memory, here and below), an allocation must not be made to fail while there are several processes: of a folio that is to
 *   be migrated in pages, migrate_vma_split_unmapped_folio() splits the PMD of one mm only, and
 *   remove_migration_pmd() maps a page of order 0 by the PMD of the other (mm/migrate_device.c, mm/huge_memory.c).
 * - Of huge regions, `clear-refs` and madvise with FREE and COLD are left out: the model has their rules for
 *   PTEs and pages of order 0 only.
 * - `mremap` does not move between a small region and a huge one: the model does not know whether the small one has a
 *   page table, and so whether the huge one gets one.
 * - `mlock`, or what makes an mlocked mapping longer, must not touch the zero page, whose PG_referenced would be seen by
 *   all programs that come after it. It is left out of programs with huge regions, like `clear-refs`.
 * - `mremap` with MREMAP_DONTUNMAP of a part of an mlocked mapping is left out for 6.12, which then forgets that the rest
 *   is mlocked, but leaves its pages so (mm/mremap.c, move_vma).
 * - Where something is registered with userfaultfd, nothing is done together: the model of that does not know it. In 6.12,
 *   a range does not lose its registration for writes by another one, which would leave protected entries behind, and
 *   `mremap` moves nothing registered to where it may be merged with something that then loses its registration too.
 * - `read-unlocked` with missing pages that a handler fills must not be of pages on the device itself: it begins anew then
 *   (hmm_range_fault_unlocked_timeout), and those that a fault would have brought back are entered.
 * - `migrate-to-dev` must not find a page that can leave the swap cache, on 6.12: its device page would never be free again
 *   (Profile.uncachedPagesMigrate), and RELEASE wait for it for ever.
 * - `uffd-move` is left out of huge regions, and while there is a swap device: the model has its rules for PTEs and for pages
 *   that are not in the swap cache only.
 * - `ksmd` is left out while there is a swap device, and `swapon` while there are pages of KSM.
 * - madvise with COLLAPSE of huge regions is left out while there is a swap device: the model does not swap in for it.
 * - `swapoff` is left out where mlocked memory has swap entries that others share: the order in which processes get their
 *   pages back decides whether they are mlocked (try_to_unuse), and is not modelled.
 * - `exclusive` on huge regions of 6.12 is left out, since the model does not have it: page_make_device_exclusive_one()
 *   takes a whole folio for its first page, and refuses the others.
 * - What is one folio, or a hole of its size, must not be migrated to a coherent device as a whole (model/safe-coherent.ts). After
 *   RELEASE its chunk might be given out in folios, but nothing would bring them back: migrate_vma_collect_huge_pmd() takes a
 *   present PMD for RAM, so that MIGRATE_TO_SYS passes it over and MIGRATE_TO_DEV warns of it, and __folio_split() would put
 *   its pages on an LRU list.
 * - `exclusive` of coherent pages is left out for 6.12: page_make_device_exclusive_one() drops the mapping and keeps its
 *   reference, so that folio_migrate_mapping() refuses the page, and RELEASE waits for it forever.
 */
export function hazardOf(state: State, step: Step): string | undefined {
  const ofFiles = fileHazard(state, step);
  if (ofFiles !== undefined) return ofFiles;
  if (step.op === 'together') {
    if (state.processes.some((process) => process?.mm.userfault)) {
      return 'what userfaultfd refuses is not modelled for steps together';
    }
    if (state.ksmMms.length > 0) return 'pages of KSM are not modelled for steps together';
    return togetherHazard(state, step);
  }
  const ksm = ksmHazard(state, step);
  if (ksm !== undefined) return ksm;
  if (step.op === 'uffd-move') {
    if (isHuge(state, step.at.region) || isHuge(state, step.to.region)) {
      return 'UFFDIO_MOVE in huge regions is not modelled';
    }
    if (state.swap) return 'UFFDIO_MOVE of swapped pages is not modelled';
  }
  const registration = registrationHazard(state, step);
  if (registration !== undefined) return registration;
  if (step.op === 'exclusive' && state.profile.exclusiveInGroups) {
    const { region } = step.at;
    if (isHugeRegion(state.regions[region]!) && !state.files[region])
      return 'EXCLUSIVE of large folios is not modelled';
    return mayBeCoherent(state, step) ? 'a coherent page that is exclusive could not be evicted' : undefined;
  }
  if (
    step.op === 'migrate-to-dev' &&
    !state.profile.uncachedPagesMigrate &&
    takesFromSwapCache(state, step)
  ) {
    return 'a device page would get a reference of the swap cache, and never be free again';
  }
  if (step.op === 'madvise' && step.advice === 'collapse' && state.swap && isHuge(state, step.at.region)) {
    return 'collapse of swapped pages is not modelled';
  }
  if (step.op === 'ksmd' && state.swap) return 'ksmd with swapped pages is not modelled';
  if (step.op === 'swapon' && hasMergedPages(state)) return 'swap of pages of KSM is not modelled';
  if (step.op === 'swapoff' && hasSharedEntryInLockedMemory(state)) {
    return 'the order in which processes get swapped pages back is not modelled';
  }
  if (wouldTouchZeroPage(state, step)) return 'the zero page would be marked accessed for good';
  if (step.op === 'mremap' && step.how === 'keep' && !state.profile.remapsManyVmas) {
    const { at } = step;
    const vma = findVma(processOf(state, step.by).mm, at.region, at.first);
    if (vma?.locked && (vma.first < at.first || vma.end > at.first + at.count)) {
      return 'pages would stay mlocked in a mapping that is not';
    }
  }
  if (step.op === 'mremap' && isHuge(state, step.at.region) !== isHuge(state, step.to.region)) {
    return 'page tables of small regions are not modelled, and would be made or not in the huge one';
  }
  if (state.regions.some((_, region) => isAnonymousHuge(state, region))) {
    if (step.op === 'mlock') return 'mlock of large folios is not modelled';
    if (step.op === 'clear-refs') return 'clear_refs of PMDs is not modelled';
    if (step.op === 'madvise' && ['free', 'cold'].includes(step.advice)) {
      return 'reclaim of large folios is not modelled';
    }
    const living = state.processes.filter((process) => process !== null);
    const pending = living.some(({ devices }) => devices.some((descriptor) => descriptor?.file.failAlloc));
    const fails = step.op === 'flags' && step.flags === 'fail-alloc';
    if (step.op === 'fork' ? pending : fails && living.length > 1) {
      return 'a folio that two processes map would be migrated in pages';
    }
  }
  if (step.op === 'open') {
    const { mm } = processOf(state, step.by);
    return mm.mirrors.some((file) => file.minor === step.device)
      ? `device ${step.device} already mirrors this process through an inherited descriptor`
      : undefined;
  }
  const folio = 'device' in step && 'at' in step ? folioHazard(state, step) : undefined;
  if (folio !== undefined) return folio;
  if (step.op !== 'read' && step.op !== 'read-unlocked' && step.op !== 'write') return undefined;
  if (step.flaw === 'bad-buffer' ? step.op === 'write' : step.flaw && step.flaw !== 'excess-pages')
    return undefined;
  const file = fileOf(state, step.by, step.device);
  return file && isHazardous(state.profile, file, step.at, step.op === 'write')
    ? `device ${step.device} would enter one of its own pages untranslated, or never return`
    : undefined;
}

function registrationHazard(state: State, step: OrdinaryStep): string | undefined {
  if (step.op === 'read-unlocked') {
    const { region, first, count } = step.at;
    const file = fileOf(state, step.by, step.device);
    const pages = file?.mm.userfault === 'handler' ? Array.from({ length: count }, (_, i) => first + i) : [];
    const own = pages.some((page) => {
      const pte = entryAt(file!.mm, region, page);
      return pte?.kind === 'device' && pte.frame.minor === step.device;
    });
    return own
      ? `device ${step.device} would enter one of its own pages once a handler has answered`
      : undefined;
  }
  if (state.profile.registrationsKeepWp) return undefined;
  const { mm } = processOf(state, step.by);
  if (step.op === 'uffd-register' && step.kind === 'missing') {
    const { region, first, count } = step.at;
    const vmas = mm.vmas[region]!.filter((vma) => vma.first < first + count && first < vma.end);
    if (vmas.some(({ uffdWp }) => uffdWp)) return 'entries would stay protected in a mapping that is not';
  }
  if (step.op === 'mremap' && step.how !== 'resize') {
    const { at, to } = step;
    const source = findVma(mm, at.region, at.first);
    if (source && isRegistered(source) && mm.vmas[to.region]!.some(isRegistered)) {
      return 'what is merged would not be registered any more, and its entries still protected';
    }
  }
  return undefined;
}

/** What is faulted in because it is mlocked, and cannot be written to, is the zero page. */
function wouldTouchZeroPage(state: State, step: Step): boolean {
  if (step.op !== 'mlock' && step.op !== 'mremap') return false;
  const { mm } = processOf(state, step.by);
  const { region, first, count } = step.at;
  if (step.op === 'mlock') return touchesZeroPage(mm, region, first, first + count);
  const vma = findVma(mm, region, first);
  return vma?.locked === true && !vma.write && !vma.file && step.to.count > count;
}

function takesFromSwapCache(state: State, { by, device, at }: DeviceStep): boolean {
  const file = fileOf(state, by, device);
  const end = at.first + at.count;
  if (!file) return false;
  const ptes = file.mm.ptes[at.region]!.slice(at.first, end);
  return ptes.some((pte) => pte?.kind === 'present' && pte.frame.cached?.mapcount === 0);
}

function hasMergedPages({ processes }: State): boolean {
  return processes.some((process) =>
    process?.mm.ptes.some((ptes) => ptes.some((pte) => pte?.kind === 'present' && pte.frame.ksm)),
  );
}

function hasSharedEntryInLockedMemory({ processes }: State): boolean {
  return processes.some((process) =>
    process?.mm.vmas
      .flat()
      .some(
        ({ mm, region, first, end, locked }) =>
          locked &&
          mm.ptes[region]!.slice(first, end).some((pte) => pte?.kind === 'swap' && pte.frame.mapcount > 1),
      ),
  );
}

/** Whether the range of a step that acts through a device has a coherent page. */
function mayBeCoherent(state: State, { by, device, at }: DeviceStep): boolean {
  const table = fileOf(state, by, device)?.mm.ptes[at.region] ?? [];
  return table.slice(at.first, at.first + at.count).some((pte) => pte?.frame.kind === 'coherent');
}

function isHuge(state: State, region: RegionId): boolean {
  return isHugeRegion(state.regions[region]!);
}
