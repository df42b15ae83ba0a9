/** States of a page (page-state.ts) that several tables have together. */

function withAccess(place: string): string[] {
  return [`${place}-read`, `${place}-read-exclusive`, `${place}-shared`, `${place}-write`];
}

export const NONE_STATES = ['none', 'none-no-access', 'none-read-only'];
export const RAM_STATES = withAccess('ram');
export const DEVICE_STATES = withAccess('device');
/** Of the device that an operation does not act through. */
export const OTHER_DEVICE_STATES = withAccess('other-device');

/** Of pages of order 0 in private anonymous memory that is mapped. */
export const MAPPED_STATES = ['device-exclusive', ...DEVICE_STATES, ...NONE_STATES, ...RAM_STATES, 'zero'];
/** As those, and where nothing is mapped. */
export const ORDER_0_STATES = [...MAPPED_STATES, 'unmapped'];

export const COHERENT_STATES = withAccess('coherent');
export const OTHER_COHERENT_STATES = withAccess('other-coherent');

export const HUGE_RAM_STATES = withAccess('huge-ram');
/** What a PMD maps without devices. */
export const HUGE_STATES = [...HUGE_RAM_STATES, 'huge-zero'];
export const HUGE_DEVICE_STATES = withAccess('huge-device');
export const HUGE_OTHER_DEVICE_STATES = withAccess('huge-other-device');

/** Of mappings of files, where the page is the file's. */
export const FILE_STATES = [
  'file-none',
  'file-none-no-access',
  'file-none-read-only',
  'file-read',
  'file-write',
];

export const SWAP_STATES = ['swap-cached', 'swap-exclusive', 'swap-shared'];
