/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_RENEW_H
#define HMMDIFF_RENEW_H

#include <stdint.h>

/* Minors 0 and 1. Only they make folios of order 9: a coherent device has no second chunk for them. */
#define PRIVATE_DEVICES		3u

/*
 * Takes the memory of each device in `devices` (a bit per device) and then has each make one chunk of pages, in the
 * order of minors, as after loading the module: where chunks lie after a RELEASE depends on who needs one first. Says
 * so in the kernel log. Returns 0, -1 with errno.
 */
int renew_devices(uint32_t devices);

#endif
