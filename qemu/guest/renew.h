/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_RENEW_H
#define HMMDIFF_RENEW_H

#include <stdint.h>

#define PRIVATE_DEVICES		2
#define ALL_PRIVATE_DEVICES	((1u << PRIVATE_DEVICES) - 1)

/*
 * Takes the memory of each private device in `devices` (a bit per device) and then has each make one chunk, in the
 * order of minors, as after loading the module: where chunks lie after a RELEASE depends on who needs one first. Says
 * so in the kernel log. Returns 0, -1 with errno.
 */
int renew_devices(uint32_t devices);

#endif
