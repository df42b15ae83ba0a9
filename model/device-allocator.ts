/** The allocator of device pages (lib/test_hmm.c): chunks, and a stack of free pages for each device. */
import { copyFolio, newFolio } from './folio.ts';
import { type Frame, newFrame } from './frame.ts';
import { isCoherent, PMD_PAGES } from './program.ts';
import type { Device, DeviceFile, State } from './state.ts';

/** Pages of one chunk of test_hmm (DEVMEM_CHUNK_SIZE): 256 MiB. */
export const CHUNK_PAGES = 65536;

/** The chunk that is made when it is needed (dmirror_allocate_chunk): the place behind its last page. */
function makeChunk(device: Device): number {
  device.chunks++;
  return device.chunks * CHUNK_PAGES;
}

function takeFresh(device: Device): number {
  const position = device.fresh ?? makeChunk(device) - 1;
  device.fresh = position - 1;
  return position;
}

/**
 * dmirror_devmem_alloc_page(): the page that was freed last. Beyond those that this program freed, the stack is as
 * earlier programs left it; a fresh device hands out its highest page.
 */
export function newDeviceFrame(state: State, file: DeviceFile, word: number): Frame {
  const device = state.devices[file.minor]!;
  const frame = newFrame(state.nextId++, isCoherent(file.minor) ? 'coherent' : 'device', file.minor);
  frame.word = word;
  frame.migrator = file;
  const freed = device.free.pop();
  const renewed = device.generation > 0;
  frame.position = freed?.position ?? takeFresh(device);
  frame.positionKnown = freed?.known ?? renewed;
  frame.active = freed || !renewed ? freed?.active : false;
  frame.swapBacked = freed || !renewed ? freed?.swapBacked : false;
  frame.unevictable = freed || !renewed ? freed?.unevictable : false;
  frame.mlocked = freed || !renewed ? freed?.mlocked : false;
  frame.generation = device.generation;
  frame.isOfLoad = device.generation === device.loadedGeneration && frame.position < CHUNK_PAGES;
  device.live.add(frame);
  return frame;
}

/** dmirror_devmem_alloc_page() of order 9. The pages have the content of `from`, or zeroes. */
export function newDeviceFolio(state: State, file: DeviceFile, from: Frame | null): Frame {
  const device = state.devices[file.minor]!;
  const head = newFolio(state, 'device', file.minor);
  if (from) copyFolio(from, head);
  head.migrator = file;
  const freed = device.freeHuge.pop();
  head.position = freed?.position ?? takeFreshFolio(device);
  // Every program with huge regions begins with devices that have no memory for folios yet (qemu/guest/runner.c).
  head.positionKnown = freed?.known ?? true;
  head.active = freed ? freed.active : false;
  head.swapBacked = freed ? freed.swapBacked : false;
  head.unevictable = freed ? freed.unevictable : false;
  head.mlocked = freed ? freed.mlocked : false;
  for (const page of head.pages!) page.generation = device.generation;
  device.live.add(head);
  return head;
}

function takeFreshFolio(device: Device): number {
  const position = device.freshHuge ?? makeChunk(device) - PMD_PAGES;
  device.freshHuge = position - PMD_PAGES;
  return position;
}
