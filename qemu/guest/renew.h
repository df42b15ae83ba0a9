/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_RENEW_H
#define HMMDIFF_RENEW_H

/*
 * Takes the memory of both private devices and has each make one chunk, in the order of minors, as after loading the
 * module: where chunks lie after a RELEASE depends on who needs one first. Says so in the kernel log. Returns 0, -1
 * with errno.
 */
int renew_devices(void);

#endif
